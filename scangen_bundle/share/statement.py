"""What is said about one slide beside its probability, and whether a result may be given at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.share.conformal import prediction_set
from scangen_bundle.share.flips import decide
from scangen_bundle.share.recalibrate import recalibrate
from scangen_bundle.share.reference import SiteReference

KINDS = ("other_encoder", "unknown_mpp", "far_from_training")
ENCODER_FIELDS = ("encoder", "revision", "pooling", "tile_px", "mpp")


def match_scanners(identified: str, reference: SiteReference) -> list[str]:
    """The scanners of the training whose slide files name themselves like this one; two of one model have one name."""
    return [
        name for name, facts in reference.scanners.items() if identified and identified in (name, *facts.identified)
    ]


def state(probability: np.ndarray, embedding: np.ndarray, identified: str, reference: SiteReference) -> dict[str, Any]:
    """Everything about one slide, as plain values for JSON (the app's documented schema).

    Args:
        probability: [C] of the network.
        embedding: [E] of the slide.
        identified: the scanner as the slide's file names it, "" = it does not.
        reference: of the packed model.
    """
    names = reference.class_names
    matching = match_scanners(identified, reference)
    scanner = matching[0] if len(matching) == 1 else None
    facts = reference.unseen if scanner is None else reference.scanners[scanner]
    calibrated = recalibrate(probability[None], reference.lines)[0]
    score = float(reference.novelty.score(embedding[None])[0])
    if scanner is not None:
        guarantee = "holds on average over new patients on this scanner, if they are like the validation patients"
    else:
        why = f"{len(matching)} training scanners have this name" if matching else "training did not know this scanner"
        guarantee = f"none: {why}; calibrated on each validation patient's worst scan"
    return {
        "predicted_class": names[int(decide(probability[None], reference.threshold)[0])],
        "threshold": reference.threshold,
        "probability": {name: float(p) for name, p in zip(names, probability, strict=True)},
        "calibrated_probability": {name: float(p) for name, p in zip(names, calibrated, strict=True)},
        "scanner": {"identified": identified, "known_to_training": bool(matching), "training_name": scanner},
        "novelty": {
            "score": score,
            "threshold": reference.novelty.threshold,
            "far_from_training": score > reference.novelty.threshold,
        },
        "expected_flip_rate": {
            "value": facts.flips.value if facts.flips.pairs else None,
            "interval": list(facts.flips.interval()) if facts.flips.pairs else None,
            "pairs": facts.flips.pairs,
            "patients": facts.flips.patients,
            "of": scanner or "the training scanner with the highest rate",
        },
        "prediction_set": {
            "level": reference.level,
            "classes": [names[c] for c in prediction_set(probability, facts.quantile)],
            "patients": facts.patients,
            "guarantee": guarantee,
        },
    }


def objections(
    attributes: Mapping[str, Any], expected: Mapping[str, Any], statement: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Why a slide's result should not be relied on, by kind (one of `KINDS`).

    Args:
        attributes: of the slide's feature bag.
        expected: of the features that the model was trained on, by the names in `ENCODER_FIELDS`.
        statement: what `state` gave; None checks what can be checked before the network runs.
    """
    found = {}
    different = [
        f"{name} is {attributes.get(name)!r}, the model was trained on {expected[name]!r}"
        for name in ENCODER_FIELDS
        if name in expected and attributes.get(name) != expected[name]
    ]
    if different:
        found["other_encoder"] = "the features are not those of the model's training: " + "; ".join(different)
    effective = [attributes.get(f"effective_mpp_{axis}") for axis in "xy"]
    if not all(value is not None and math.isfinite(value) and value > 0 for value in effective):
        found["unknown_mpp"] = "the resolution (mpp) of the tiles is not known"
    if statement is not None and statement["novelty"]["far_from_training"]:
        novelty = statement["novelty"]
        found["far_from_training"] = (
            f"the slide is far from the validation slides: {novelty['score']:.3g} above {novelty['threshold']:.3g}"
        )
    return found


def refuse(where: object, found: Mapping[str, str], allowed: frozenset[str] = frozenset()) -> list[str]:
    """Warnings for the objections that the site allows.

    Raises:
        InputError: there is one that it does not allow.
    """
    for kind, text in found.items():
        if kind not in allowed:
            raise InputError(where, text, f"no result is given; to get one with a warning, allow {kind}")
    return [f"{kind}: {text}" for kind, text in found.items()]
