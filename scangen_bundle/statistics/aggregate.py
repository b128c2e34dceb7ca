"""Mean, worst and range of a figure over scanners."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np

Worst = Literal["lowest", "highest", "none"]


class OverScanners:
    """Aggregates of one figure over the scanners on which it is defined in the observed data.

    In a resample, one scanner where the figure is undefined makes the aggregate NaN: the set of scanners never changes.

    Args:
        name: the figure; `<name>/<scanner>` are its keys.
        scanners: all scanners.
        reasons: why the figure is undefined on a scanner, by key.
        unseen: scanners not trained on; where there are some, the mean is also given over seen and over unseen ones.
        worst: which end of the figure is the bad one; "none" leaves `worst` out.

    Attributes:
        members: scanners of each aggregate's key.
        reasons: why an aggregate is undefined, by key.
    """

    def __init__(
        self,
        name: str,
        scanners: Sequence[str],
        reasons: Mapping[str, str],
        unseen: Collection[str] = (),
        worst: Worst = "none",
    ) -> None:
        self.name, self.worst = name, worst
        defined = [scanner for scanner in scanners if f"{name}/{scanner}" not in reasons]
        self.members = {f"{name}/mean": defined, f"{name}/range": defined}
        if worst != "none":
            self.members[f"{name}/worst"] = defined
        if unseen:
            self.members[f"{name}/mean_seen"] = [scanner for scanner in defined if scanner not in unseen]
            self.members[f"{name}/mean_unseen"] = [scanner for scanner in defined if scanner in unseen]
        self.reasons: dict[str, str] = {}
        for key, members in self.members.items():
            if not members:
                self.reasons[key] = "defined on no scanner"
        if len(defined) == 1:
            self.reasons[f"{name}/range"] = f"defined on one scanner only ({defined[0]})"

    def trials(self, scanners: Mapping[str, int]) -> dict[str, int]:
        """Trials of each aggregate that is 0 or 1 where its scanners all are: the fewest of theirs, by key (see `exact`)."""
        trials = {}
        for key, members in self.members.items():
            if not members or key.endswith("/range"):
                continue
            fewest = min(scanners.get(f"{self.name}/{scanner}", 0) for scanner in members)
            if fewest:
                trials[key] = fewest
        return trials

    def __call__(self, figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Aggregates [R] by key from the scanners' figures [R] by key."""
        result = {}
        for key, members in self.members.items():
            if key in self.reasons:
                result[key] = np.full(len(next(iter(figures.values()))), np.nan)
                continue
            values = np.stack([figures[f"{self.name}/{scanner}"] for scanner in members])
            if key.endswith("/range"):
                result[key] = values.max(axis=0) - values.min(axis=0)
            elif key.endswith("/worst"):
                result[key] = values.min(axis=0) if self.worst == "lowest" else values.max(axis=0)
            else:
                result[key] = values.mean(axis=0)
        return result
