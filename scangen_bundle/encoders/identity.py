"""Are vectors those of the encoder that somebody names? Licences depend on the answer."""

from __future__ import annotations

from scangen_bundle.encoders.registry import ENCODERS


def contradiction(named: str, stated: str | None, dim: int) -> str:
    """Why vectors cannot be those of the encoder that is named; "" where nothing speaks against it.

    Args:
        named: the encoder's name as a user typed it.
        stated: the name that the feature file states, None where it states none.
        dim: D of the vectors.
    """
    if stated and stated != named:
        return f"its vectors are of the encoder {stated!r}, but {named!r} is named"
    if named in ENCODERS:
        poolings = ENCODERS[named].spec.poolings
        if dim not in poolings.values():
            lengths = " or ".join(str(length) for length in sorted(set(poolings.values())))
            return f"its vectors have D = {dim}, but those of the named encoder {named!r} have D = {lengths}"
    return ""
