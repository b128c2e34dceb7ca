"""May a network that was trained on an encoder's vectors be given away? Read off the encoder's licence, not legal advice."""

from __future__ import annotations

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.identity import contradiction
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError

# Licences that put no terms on what is made with the weights. Any other wording is refused: gate terms and non-commercial
# licences also cover models trained on the outputs, or leave it open.
PERMISSIVE = ("Apache-2.0", "MIT", "BSD-3-Clause")


def check_redistribution(encoder: str, stated: str | None, dim: int) -> EncoderSpec:
    """The spec of an encoder whose licence lets a network trained on its vectors be shared.

    Args:
        encoder: a registered name, as the training was told.
        stated: the encoder that the feature files of the training state, None where they state none.
        dim: D of the features.

    Raises:
        InputError: the encoder is unknown, the features are not its vectors, or its licence is not one of `PERMISSIVE`; it
            names the licence.
    """
    spec = ENCODERS[encoder].spec
    if spec.licence not in PERMISSIVE:
        where = f" ({spec.url})" if spec.url else ""
        raise InputError(
            f"encoder {encoder!r}",
            f"its licence is {spec.licence!r}{where}, which may not allow to share weights trained on its vectors",
            f"train on the features of an encoder under {', '.join(PERMISSIVE)} (docs/encoders.md lists them)",
        )
    if problem := contradiction(encoder, stated, dim):
        raise InputError("the run's features", problem, "train again with the --encoder_name of the features")
    return spec
