"""The registry as a Markdown table, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from scangen_bundle.encoders.registry import ENCODERS
from scangen_bundle.encoders.spec import DOMAINS, EncoderSpec

COLUMNS = ("name", "trained on", "source", "D by pooling", "tile", "mpp", "GPU precision", "licence", "gate", "note")


def _row(spec: EncoderSpec) -> tuple[str, ...]:
    dims = ", ".join(f"**{p}: {d}**" if p == spec.pooling else f"{p}: {d}" for p, d in spec.poolings.items())
    tile = str(spec.tile_px)
    if spec.resize_px != spec.tile_px:
        tile += f", resized to {spec.resize_px}"
    if spec.input_px != spec.resize_px:
        tile += f", middle {spec.input_px}"
    note = spec.note
    if spec.trust_remote_code:
        note = f"Needs `trust_remote_code`. {note}".strip()
    return (
        f"`{spec.name}`",
        spec.domain,
        f"[{spec.hub_id}]({spec.url})" if spec.hub_id else spec.family,
        dims,
        tile,
        f"{spec.mpp:g}",
        spec.precision,
        spec.licence,
        "gated" if spec.gated else "open",
        note,
    )


def _order(spec: EncoderSpec) -> tuple[int, str, str]:
    return DOMAINS.index(spec.domain), spec.family.lower(), spec.name


def encoder_table(specs: Iterable[EncoderSpec] | None = None) -> str:
    """One Markdown row per encoder; the pooling in bold is the default. None takes the registry, by domain and family."""
    if specs is None:
        specs = sorted((entry.spec for entry in ENCODERS.values()), key=_order)
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *(_row(spec) for spec in specs)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows) + "\n"
