"""The list of specimens: filtered, those that disagree most first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from scangen_bundle.measures.disagreement import Disagreement, disagreement, predicted_class, probability_table
from scangen_bundle.viewer.inputs import ViewedRun

MOST_ROWS = 500  # of a page


@dataclass(frozen=True)
class Filters:
    """What the list shows.

    Attributes:
        scanners: positions of the scanners that are compared; None for all.
        labels: labels of the specimens, -1 for unlabelled ones; None for all.
        flips: only specimens whose class flips.
        text: part of the name of the specimen or patient, in any case.
    """

    scanners: tuple[int, ...] | None = None
    labels: tuple[int, ...] | None = None
    flips: bool = False
    text: str = ""


class SpecimenList:
    """The specimens of a run, ready to be asked for.

    Args:
        run: what is viewed.
    """

    def __init__(self, run: ViewedRun) -> None:
        self.run = run
        self.table = probability_table(run.specimen, run.scanner, run.probability)
        self.classes = predicted_class(run.probability, run.threshold)
        names = zip(run.specimens, run.patients, strict=True)
        self._text = [f"{specimen}\n{patient}".casefold() for specimen, patient in names]
        self._disagreement = lru_cache(maxsize=32)(self._compare)

    def page(self, filters: Filters, offset: int = 0, limit: int = 100) -> dict[str, Any]:
        """Rows `offset` to `offset + limit` of the filtered list.

        Returns:
            `total` and `flips` (numbers of specimens that the filters leave, and of those that flip), and `rows`, each
            with the specimen's number, name, label, flip, spread and scans.
        """
        if filters.scanners == ():
            return {"total": 0, "flips": 0, "rows": []}
        compared, order = self._disagreement(filters.scanners)
        keep = self._keep(filters, compared)
        numbers = order[keep[order]]
        rows = []
        for number in numbers[offset : offset + limit]:
            rows.append(self._row(int(number), compared, filters.scanners))
        return {"total": len(numbers), "flips": int(compared.flips[numbers].sum()), "rows": rows}

    def _compare(self, scanners: tuple[int, ...] | None) -> tuple[Disagreement, np.ndarray]:
        table = self.table if scanners is None else self.table[:, list(scanners)]
        compared = disagreement(table, self.run.threshold)
        return compared, compared.order()

    def _keep(self, filters: Filters, compared: Disagreement) -> np.ndarray:
        keep = np.ones(len(self.run.specimens), dtype=bool)
        if filters.scanners is not None:
            keep &= compared.scanners > 0
        if filters.labels is not None:
            keep &= np.isin(self.run.labels, filters.labels)
        if filters.flips:
            keep &= compared.flips
        if filters.text:
            text = filters.text.casefold()
            keep &= np.array([text in name for name in self._text])
        return keep

    def _row(self, number: int, compared: Disagreement, scanners: Sequence[int] | None) -> dict[str, Any]:
        spread = float(compared.spread[number])
        return {
            "number": number,
            "specimen": self.run.specimens[number],
            "label": int(self.run.labels[number]),
            "flips": bool(compared.flips[number]),
            "spread": spread if np.isfinite(spread) else None,
            "scans": self.scans(number, scanners),
        }

    def scans(self, specimen: int, scanners: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """The scans of a specimen: number, scanner's position, probabilities and class, None where undefined."""
        run = self.run
        scans = []
        for number in run.scans_of(specimen):
            scanner = int(run.scanner[number])
            if scanners is not None and scanner not in scanners:
                continue
            probability = run.probability[number]
            predicted = float(self.classes[number])
            scans.append(
                {
                    "number": number,
                    "scanner": scanner,
                    "probability": probability.tolist() if np.isfinite(probability).all() else None,
                    "class": int(predicted) if np.isfinite(predicted) else None,
                }
            )
        return scans
