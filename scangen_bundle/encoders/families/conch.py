"""CONCH and CONCH v1.5, of the Mahmood Lab: image towers of vision-language models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import IMAGENET_MEAN, IMAGENET_STD, PATHOLOGY, EncoderSpec
from scangen_bundle.encoders.state_dict import load_state_dict, tell_keys
from scangen_bundle.encoders.transformers_loading import load_transformers
from scangen_bundle.encoders.weights import find_weights, how_to_get
from scangen_bundle.errors import InputError

if TYPE_CHECKING:
    import torch

NOTE = "Read at its gate what holds for models trained on its outputs."
PACKAGE = "pip install git+https://github.com/Mahmoodlab/CONCH.git"

CONCH = EncoderSpec(
    name="conch",
    family="Mahmood Lab",
    domain=PATHOLOGY,
    hub_id="MahmoodLab/CONCH",
    revision="main",
    weights_file="pytorch_model.bin",
    architecture="conch_ViT-B-16",
    poolings={"own": 512},
    tile_px=512,
    resize_px=448,
    # The constants of OpenAI's CLIP.
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    licence="CC-BY-NC-ND-4.0",
    gated=True,
    parameters=90,
    packages=("conch",),
    note=f"{NOTE} Needs its package: {PACKAGE}",
)

CONCH_V1_5 = EncoderSpec(
    name="conch-v1.5",
    family="Mahmood Lab",
    domain=PATHOLOGY,
    library="transformers",
    hub_id="MahmoodLab/TITAN",
    revision="main",
    # TITAN's code builds it from this file, which lies beside TITAN's own weights.
    weights_file="conch_v1_5_pytorch_model.bin",
    # Whatever else TITAN's weights hold is the slide model's, which gives no tile's vector.
    ignored_keys=("",),
    poolings={"own": 768},
    tile_px=512,
    resize_px=448,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    precision="float16",
    licence="CC-BY-NC-ND-4.0",
    gated=True,
    trust_remote_code=True,
    parameters=306,
    note=f"{NOTE} It comes inside TITAN's repository.",
)


@register(CONCH)
def make_conch(
    spec: EncoderSpec, weights: str | Path | None = None, revision: str | None = None, **options: Any
) -> Encoder:
    """Make CONCH's image tower; the vector is what it gives before the contrastive projection, not normalised.

    Args:
        spec: the registered record.
        weights: a file or folder; None takes the Hugging Face cache.
        revision: a branch, tag or commit to take from the cache.
        options: those of `TorchEncoder`.

    Raises:
        InputError: if the package `conch` or the weights are not there, or the weights lack some of the image tower's.
    """
    import torch

    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    found = find_weights(spec, weights, revision)
    try:
        from conch.open_clip_custom import create_model_from_pretrained
    except ImportError as error:
        raise InputError(
            f"encoder {spec.name!r}", "it needs the package conch, which is not installed", PACKAGE
        ) from error
    state = load_state_dict(found.path)
    model, _ = create_model_from_pretrained(spec.architecture, checkpoint_path=str(found.path))
    # Its package passes over weights that do not fit. The image tower gives the vector; the text decoder was not published.
    tower = [name for name in model.state_dict() if name.startswith("visual.")]
    if told := tell_keys({"missing": [name for name in tower if name not in state]}):
        raise InputError(found.path, f"not the weights of {spec.name}: {told}", how_to_get(spec))

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network: Any = model

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network.encode_image(pixels, proj_contrast=False, normalize=False)

    return TorchEncoder(spec, Features(), revision=found.revision, **options)


@register(CONCH_V1_5)
def make_conch_v1_5(
    spec: EncoderSpec,
    weights: str | Path | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Encoder:
    """Make CONCH v1.5, which TITAN's own code hands out.

    Args:
        spec: the registered record.
        weights: a folder with TITAN's repository; None takes the Hugging Face cache.
        revision: a branch, tag or commit to take from the cache.
        trust_remote_code: allow TITAN's Python code to run.
        options: those of `TorchEncoder`.

    Raises:
        InputError: if the weights are not there, or the code is not allowed.
    """
    from scangen_bundle.encoders.torch_encoder import TorchEncoder

    found = find_weights(spec, weights, revision)
    titan = load_transformers(spec, found, trust_remote_code)
    try:
        network, _ = titan.return_conch()
    except Exception as error:  # code beside the weights can fail in any way
        problem = f"TITAN's code cannot hand it out: {error}"
        remedy = (
            f"it looks for {spec.weights_file} of {spec.hub_id} in the Hugging Face cache: {how_to_get(spec, revision)}"
        )
        raise InputError(found.path.parent, problem, remedy) from error
    return TorchEncoder(spec, network, revision=found.revision, **options)
