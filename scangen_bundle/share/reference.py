"""What a packed model knows of its own validation: the numbers behind the statements that come with each result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scangen_bundle.errors import InputError
from scangen_bundle.share.conformal import conformal_quantile, patient_scores
from scangen_bundle.share.flips import FlipRate, count_flips, decide_left_out
from scangen_bundle.share.novelty import Novelty, fit_novelty
from scangen_bundle.share.recalibrate import fit_platt

VERSION = 2
REFERENCE_FILE = "site_reference.json"


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation scans of the packed model, row by row.

    Attributes:
        probability: [N, C].
        label: [N] int, -1 = unlabelled.
        patient, specimen, scanner: [N] str; the scanner as the manifest names it.
        identified: [N] str, the scanner as the slide's file names it, "" = it does not.
        embedding: [N, E].
    """

    probability: np.ndarray
    label: np.ndarray
    patient: np.ndarray
    specimen: np.ndarray
    scanner: np.ndarray
    identified: np.ndarray
    embedding: np.ndarray


@dataclass(frozen=True)
class ScannerFacts:
    """What validation says about one scanner (or about one not seen in training).

    Attributes:
        identified: names that slide files of this scanner give.
        patients: number of labelled patients behind `quantile`.
        quantile: conformal quantile; infinite where there are too few patients for the level.
        flips: how often a specimen's class on this scanner differs from that on another.
    """

    identified: tuple[str, ...]
    patients: int
    quantile: float
    flips: FlipRate


@dataclass(frozen=True, eq=False)
class SiteReference:
    """All that a result needs beside the network.

    Attributes:
        class_names: C names.
        threshold: of the probability of class 1, for two classes; None: the largest probability wins.
        level: of the prediction sets.
        scanners: facts by scanner of the training.
        unseen: facts for a scanner that training did not know.
        lines: [C or 1, 2] recalibration.
        novelty: of the slide embedding.
    """

    class_names: tuple[str, ...]
    threshold: float | None
    level: float
    scanners: dict[str, ScannerFacts]
    unseen: ScannerFacts
    lines: np.ndarray
    novelty: Novelty

    def to_json(self) -> dict[str, Any]:
        """Plain values; infinite quantiles become None."""
        return {
            "version": VERSION,
            "class_names": list(self.class_names),
            "threshold": self.threshold,
            "level": self.level,
            "scanners": {name: _facts_to_json(facts) for name, facts in self.scanners.items()},
            "unseen": _facts_to_json(self.unseen),
            "recalibration": self.lines.tolist(),
            "novelty": {
                "mean": self.novelty.mean.tolist(),
                "precision": self.novelty.precision.tolist(),
                "threshold": self.novelty.threshold,
            },
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SiteReference:
        """The reverse of `to_json`.

        Raises:
            InputError: it was packed by another version.
        """
        if (found := content.get("version")) != VERSION:
            problem = f"has version {found}, this code reads version {VERSION}"
            raise InputError("the model's validation numbers", problem, "pack the run again with this code")
        novelty = content["novelty"]
        return cls(
            tuple(content["class_names"]),
            content["threshold"],
            content["level"],
            {name: _facts_from_json(facts) for name, facts in content["scanners"].items()},
            _facts_from_json(content["unseen"]),
            np.asarray(content["recalibration"], dtype=np.float64),
            Novelty(np.asarray(novelty["mean"]), np.asarray(novelty["precision"]), novelty["threshold"]),
        )


def build_reference(
    validation: Validation,
    class_names: Sequence[str],
    threshold: float | None,
    level: float = 0.9,
) -> SiteReference:
    """The reference of a model from its validation scans.

    For a scanner that training knew, prediction sets are calibrated on that scanner's scans. For another one they are
    calibrated on each patient's worst scan over all scanners, and the flip rate is that of the worst scanner. The first
    holds for new patients of that scanner; the second is a cautious stand-in without a guarantee.

    Args:
        validation: scans of the patients that the epoch and the threshold were chosen on.
        class_names: C names.
        threshold: of the probability of class 1, chosen on these patients by Youden's J; None with more than two classes.
        level: of the prediction sets.

    Raises:
        ValueError: fewer than two patients, or no labelled scan.
    """
    v = validation
    labelled = v.label >= 0
    if not labelled.any():
        raise ValueError("no validation scan has a label")
    classes = decide_left_out(v.probability, v.label, v.patient, threshold)
    scanners = {}
    for name in sorted(set(v.scanner)):
        mine = v.scanner == name
        chosen = labelled & mine
        scores = patient_scores(v.probability[chosen], v.label[chosen], v.patient[chosen])
        flips = count_flips(classes, v.patient, v.specimen, v.scanner, name)
        spelled = tuple(sorted(set(v.identified[mine]) - {""}))
        scanners[name] = ScannerFacts(spelled, len(scores), conformal_quantile(scores, level), flips)
    scores = patient_scores(v.probability[labelled], v.label[labelled], v.patient[labelled])
    rates = [facts.flips for facts in scanners.values()]
    worst = max(rates, key=lambda rate: rate.value if rate.pairs else -1.0)
    unseen = ScannerFacts((), len(scores), conformal_quantile(scores, level), worst)
    fitted = [1] if len(class_names) == 2 else range(len(class_names))
    lines = [fit_platt(v.probability[labelled, c], (v.label[labelled] == c).astype(int)) for c in fitted]
    novelty = fit_novelty(v.embedding, v.scanner, v.patient)
    return SiteReference(tuple(class_names), threshold, level, scanners, unseen, np.asarray(lines), novelty)


def _facts_to_json(facts: ScannerFacts) -> dict[str, Any]:
    quantile = facts.quantile if math.isfinite(facts.quantile) else None
    return {
        "identified": list(facts.identified),
        "patients": facts.patients,
        "quantile": quantile,
        "flips": asdict(facts.flips),
    }


def _facts_from_json(content: Mapping[str, Any]) -> ScannerFacts:
    quantile = math.inf if content["quantile"] is None else content["quantile"]
    return ScannerFacts(tuple(content["identified"]), content["patients"], quantile, FlipRate(**content["flips"]))
