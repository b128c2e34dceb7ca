"""Each scanner's features brought to one mean and one spread, dimension by dimension."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.data.records import make_records
from scangen_bundle.errors import InputError, some
from scangen_bundle.progress import with_bar

logger = logging.getLogger(__name__)

# Of a scan, evenly spaced tiles that are looked at: moments need no more, and large scans shall not outweigh others.
TILES_PER_SCAN = 1024
FEWEST_PATIENTS = 5  # of a scanner, below which its moments are these patients' rather than the scanner's
MOST_GAIN = 10.0  # a feature that hardly varies on a scanner says little there, and is not blown up without bound

Bags = Iterable[np.ndarray]
Record = Mapping[str, Any]


class ScannerMoments:
    """Mean and standard deviation of each feature on each scanner; calling it makes them those of the training scanners.

    With a feature's mean m and standard deviation s on the scan's scanner, `x -> (x - m) / s * S + M`, where M is the mean of
    the training scanners' means and S the root mean square of their standard deviations: location and scale of each batch made
    equal, as ComBat does (Johnson et al. 2007, Biostatistics 8:118), here without its shrinkage. Labels take no part.

    Without moments (no `fit`, no state loaded) it is false, and features are not to be put through it.

    Args:
        scans: records (`make_records`) of the scans that a loaded state is for; None leaves to each call to find out whether
            the scanner is known.
        new_scanners: take the moments of scanners that a loaded state does not know from their `scans`, if these are of
            `FEWEST_PATIENTS`; otherwise they are refused.
    """

    def __init__(self, scans: Sequence[Record] | None = None, new_scanners: bool = False) -> None:
        self.scans = list(scans or ())
        self.new_scanners = new_scanners
        self._target: tuple[torch.Tensor, torch.Tensor] | None = None
        self._moments: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._lines: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def __bool__(self) -> bool:
        return self._target is not None

    @property
    def scanners(self) -> list[str]:
        """The scanners whose moments are known."""
        return sorted(self._moments)

    def fit(self, bags: Mapping[str, Bags], training_scanners: Sequence[str]) -> ScannerMoments:
        """Take the moments of scanners.

        Args:
            bags: the scans' features [n, D] of each scanner; n is at least 1.
            training_scanners: those whose moments all scanners get.
        """
        self._moments = {scanner: _moments(own) for scanner, own in bags.items()}
        means, deviations = (torch.stack([self._moments[name][part] for name in training_scanners]) for part in (0, 1))
        self._target = means.mean(dim=0), deviations.square().mean(dim=0).sqrt()
        self._draw_lines()
        return self

    def __call__(self, image: torch.Tensor, scanner: str) -> torch.Tensor:
        """Features [n, D] of any precision, of a scan on `scanner`: float32 [n, D].

        Raises:
            InputError: a scanner whose moments are not known.
        """
        _check_known([scanner], self._moments)
        gain, shift = self._lines[scanner]
        return torch.addcmul(shift, image.float(), gain)

    def state_dict(self) -> dict[str, Any]:
        """Tensors by name; empty without moments."""
        if self._target is None:
            return {}
        named = {
            scanner: {"mean": mean, "deviation": deviation} for scanner, (mean, deviation) in self._moments.items()
        }
        return {"target": {"mean": self._target[0], "deviation": self._target[1]}, "scanners": named}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state, and see to it that all of `scans` can be standardised.

        Raises:
            InputError: one of them is on a scanner that the state does not know, or too few patients are for `new_scanners`.
        """
        self._target, self._moments = None, {}
        if state:
            self._target = state["target"]["mean"], state["target"]["deviation"]
            self._moments = {name: (own["mean"], own["deviation"]) for name, own in state["scanners"].items()}
            if self.new_scanners:
                self._add_new()
            _check_known((record["scanner_name"] for record in self.scans), self._moments)
        self._draw_lines()

    def _add_new(self) -> None:
        new = [record for record in self.scans if record["scanner_name"] not in self._moments]
        for scanner, records in _by_scanner(new).items():
            if (patients := _count_patients(records)) < FEWEST_PATIENTS:
                problem = f"has scans of {patients} patients; its features' mean and spread need {FEWEST_PATIENTS}"
                raise InputError(f"scanner {scanner}", problem, "give more scans of it, they need no labels")
            logger.warning("scanner %s is new: its moments are those of its %d scans at hand", scanner, len(records))
            self._moments[scanner] = _moments(_bags(scanner, records))

    def _draw_lines(self) -> None:
        self._lines = {}
        if self._target is None:
            return
        mean, deviation = self._target
        for scanner, (own_mean, own_deviation) in self._moments.items():
            least = torch.where(deviation > 0, deviation / MOST_GAIN, torch.ones_like(deviation))
            gain = deviation / torch.maximum(own_deviation, least)
            self._lines[scanner] = gain, mean - own_mean * gain


def fit_moments(manifest: pd.DataFrame, features_dir: str, *, num_features: int, num_classes: int) -> ScannerMoments:
    """Moments of every scanner that training patients were scanned on, from these patients' scans.

    Scans on scanners held out (`unseen_scanners`) count, too: such a scanner is then unseen by the network but for its
    features' mean and spread, as if a lab had scanned some glass on its new scanner. Scans of validation and test patients
    take no part, nor do training scanners' scans that are left out.

    Args:
        manifest: with its column `split` filled.
        features_dir, num_features, num_classes: as `make_records` takes them.

    Raises:
        InputError: what `make_records` finds, or validation has a scanner that no training patient was scanned on.
    """
    trained = manifest["split"] == "train"
    training = manifest[trained]
    held_out = manifest["patient_id"].isin(training["patient_id"]) & ~manifest["scanner"].isin(training["scanner"])
    scans = manifest[trained | held_out]
    known = sorted(scans["scanner"].unique())
    _check_known(manifest.loc[manifest["split"] == "val", "scanner"], known)
    if lost := sorted(set(manifest.loc[manifest["split"] == "test", "scanner"]) - set(known)):
        logger.warning("no training patient was scanned on %s: `run evaluating` will refuse these scans", some(lost))
    records = _by_scanner(make_records(scans, features_dir, num_features=num_features, num_classes=num_classes))
    for scanner, own in records.items():
        if (patients := _count_patients(own)) < FEWEST_PATIENTS:
            logger.warning("the moments of scanner %s are those of %d patients only", scanner, patients)
    bags = {scanner: _bags(scanner, own) for scanner, own in records.items()}
    return ScannerMoments().fit(bags, sorted(training["scanner"].unique()))


def _check_known(scanners: Iterable[str], known: Iterable[str]) -> None:
    """Refuse scanners whose moments are not known.

    Raises:
        InputError: it names them.
    """
    if unknown := sorted(set(scanners) - set(known)):
        there = f"those of {some(sorted(known))} are"
        problem = f"the mean and spread that its features are to be standardised by are not known, {there}"
        remedy = f"train with scans of it, or infer with --new_scanners True (from {FEWEST_PATIENTS} patients on)"
        raise InputError(f"scanner {some(unknown)}", problem, remedy)


def _by_scanner(records: Sequence[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record["scanner_name"]):
        found.setdefault(record["scanner_name"], []).append(record)
    return found


def _count_patients(records: Sequence[Record]) -> int:
    return len({record["patient_id"] for record in records})


def _bags(scanner: str, records: Sequence[Record]) -> Bags:
    """Of each scan at most `TILES_PER_SCAN` evenly spaced rows, float32 [n, D]."""
    for record in with_bar(records, f"moments of {scanner}"):
        bag = open_bag(record["features_path"])
        few = len(bag) <= TILES_PER_SCAN
        yield bag.rows() if few else bag.rows(np.linspace(0, len(bag) - 1, TILES_PER_SCAN).astype(np.int64))


def _moments(bags: Bags) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation [D] float32 over the rows of all bags of a scanner, in one pass.

    Two groups of rows are joined by their counts, means and sums of squares about them (Chan, Golub, LeVeque 1979).
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for bag in bags:
        rows = np.asarray(bag, np.float64)
        own = rows.mean(axis=0)
        total, apart = count + len(rows), own - mean
        squares = squares + ((rows - own) ** 2).sum(axis=0) + apart**2 * count * len(rows) / total
        mean, count = mean + apart * len(rows) / total, total
    deviation = np.sqrt(squares / count)
    return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()
