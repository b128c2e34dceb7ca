"""What every section of a report draws from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from scangen_bundle.report.estimates import estimate
from scangen_bundle.report.scores import class_views, usable
from scangen_bundle.report.style import ScannerStyle, scanner_styles

MOST_DRAWN = 24  # scanners with plots of their own


@dataclass(frozen=True)
class Context:
    """One evaluation.

    Attributes:
        metrics: what `metrics.evaluate_predictions` gave.
        predictions: its input, one row per scan.
        class_names: of the labels.
        threshold: above which a scan counts as class 1; None for more than two classes.
        unseen: scanners that the network was not trained on.
        seed: of the bands' resamples and of what is drawn of many.
    """

    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    class_names: Sequence[str]
    threshold: float | None
    unseen: Sequence[str] = ()
    seed: int = 0

    @cached_property
    def scanners(self) -> list[str]:
        """Those that the network was trained on first, then the unseen ones."""
        return sorted(set(self.predictions["scanner"]), key=lambda name: (name in self.unseen, name))

    @cached_property
    def drawn_scanners(self) -> list[str]:
        """Scanners that have plots of their own: all of them, or of very many those with the lowest AUROC."""
        if len(self.scanners) <= MOST_DRAWN:
            return self.scanners
        value = {scanner: estimate(self.metrics, f"auroc/{scanner}").value for scanner in self.scanners}
        lowest = sorted(self.scanners, key=lambda scanner: (math.isnan(value[scanner]), value[scanner]))[:MOST_DRAWN]
        return [scanner for scanner in self.scanners if scanner in lowest]

    @property
    def drawn_note(self) -> str:
        """Which scanners are drawn, where that is not all of them."""
        if len(self.drawn_scanners) == len(self.scanners):
            return ""
        return f" Drawn: of {len(self.scanners)} scanners the {MOST_DRAWN} with the lowest AUROC."

    @cached_property
    def styles(self) -> dict[str, ScannerStyle]:
        return scanner_styles(self.scanners, self.unseen)

    @cached_property
    def drawable(self) -> pd.DataFrame:
        return usable(self.predictions)

    @cached_property
    def views(self) -> dict[str, pd.DataFrame]:
        """One table per class, see `scores.class_views`."""
        return class_views(self.drawable, self.class_names)

    def name(self, scanner: str) -> str:
        """With an asterisk where the scanner is unseen."""
        return self.styles[scanner].name
