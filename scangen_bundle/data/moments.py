"""Each scanner's features brought to one mean and one spread, dimension by dimension."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.errors import InputError, some
from scangen_bundle.features import open_bag
from scangen_bundle.features.progress import with_bar

logger = logging.getLogger(__name__)

# Of a scan, evenly spaced tiles that are looked at: moments need no more, and large scans shall not outweigh others.
TILES_PER_SCAN = 1024
FEWEST_SCANS = 5  # of a scanner, below which its moments are a few patients' rather than the scanner's
MOST_GAIN = 10.0  # a feature that hardly varies on a scanner says little there, and is not blown up without bound

Bags = Iterable[np.ndarray]


class ScannerMoments:
    """Mean and standard deviation of each feature on each scanner; calling it makes them those of the training scanners.

    With a feature's mean m and standard deviation s on the scan's scanner, `x -> (x - m) / s * S + M`, where M is the mean of
    the training scanners' means and S the root mean square of their standard deviations: location and scale of each batch made
    equal, as ComBat does (Johnson et al. 2007, Biostatistics 8:118), here without its shrinkage. Labels take no part.

    Without moments (no `fit`, no state loaded) it is false, and features are not to be put through it.

    Args:
        scans: records (`make_records`) of the scans that a loaded state is for; None leaves to each call to find out whether
            the scanner is known.
        new_scanners: take the moments of scanners that a loaded state does not know from their `scans`, if there are
            `FEWEST_SCANS`; otherwise they are refused.
    """

    def __init__(self, scans: Sequence[Mapping[str, Any]] | None = None, new_scanners: bool = False) -> None:
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
            bags: the scans' features [n, D] of each scanner.
            training_scanners: those whose moments all scanners get.

        Raises:
            InputError: a scanner without a row.
        """
        self._moments = {scanner: _moments(scanner, own) for scanner, own in bags.items()}
        means, deviations = (torch.stack([self._moments[name][part] for name in training_scanners]) for part in (0, 1))
        self._target = means.mean(dim=0), deviations.square().mean(dim=0).sqrt()
        self._draw_lines()
        return self

    def __call__(self, image: torch.Tensor, scanner: str) -> torch.Tensor:
        """Features [n, D] of any precision, of a scan on `scanner`: float32 [n, D].

        Raises:
            InputError: a scanner whose moments are not known.
        """
        self.check_known([scanner])
        gain, shift = self._lines[scanner]
        return torch.addcmul(shift, image.float(), gain)

    def check_known(self, scanners: Iterable[str]) -> None:
        """Refuse scanners whose moments are not known.

        Raises:
            InputError: it names them.
        """
        if unknown := sorted(set(scanners) - self._moments.keys()):
            known = f"those of {some(self.scanners)} are"
            problem = f"the mean and spread that its features are to be standardised by are not known, {known}"
            remedy = f"train with scans of it, or infer with --new_scanners True (from {FEWEST_SCANS} scans of it on)"
            raise InputError(f"scanner {some(unknown)}", problem, remedy)

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
            InputError: one of them is on a scanner that the state does not know, or too few are for `new_scanners`.
        """
        self._target, self._moments = None, {}
        if state:
            self._target = state["target"]["mean"], state["target"]["deviation"]
            self._moments = {name: (own["mean"], own["deviation"]) for name, own in state["scanners"].items()}
            if self.new_scanners:
                self._add_new()
            self.check_known(record["scanner_name"] for record in self.scans)
        self._draw_lines()

    def _add_new(self) -> None:
        new: dict[str, list[str]] = {}
        for record in self.scans:
            if record["scanner_name"] not in self._moments:
                new.setdefault(record["scanner_name"], []).append(record["features_path"])
        for scanner, paths in sorted(new.items()):
            if len(paths) < FEWEST_SCANS:
                problem = f"has {len(paths)} scans; its features' mean and spread need {FEWEST_SCANS}"
                raise InputError(f"scanner {scanner}", problem, "give more scans of it, they need no labels")
            logger.warning("scanner %s is new: its moments are those of its %d scans at hand", scanner, len(paths))
            self._moments[scanner] = _moments(scanner, _bags(scanner, paths))

    def _draw_lines(self) -> None:
        self._lines = {}
        if self._target is None:
            return
        mean, deviation = self._target
        for scanner, (own_mean, own_deviation) in self._moments.items():
            least = torch.where(deviation > 0, deviation / MOST_GAIN, torch.ones_like(deviation))
            gain = deviation / torch.maximum(own_deviation, least)
            self._lines[scanner] = gain, mean - own_mean * gain


def fit_moments(manifest: pd.DataFrame, features_dir: str) -> ScannerMoments:
    """Moments of every scanner that training patients were scanned on, from these patients' scans.

    Scans on scanners held out (`unseen_scanners`) count, too: such a scanner is then unseen by the network but for its
    features' mean and spread, as if a lab had scanned some glass on its new scanner. Scans of validation and test patients
    take no part, nor do training scanners' scans that are left out.

    Args:
        manifest: with its column `split` filled.
        features_dir: where `run extracting` wrote the bags; rows with `features_path` name their own.

    Raises:
        InputError: validation has a scanner that no training patient was scanned on, or a scanner's scans have no tile.
    """
    trained = manifest["split"] == "train"
    training = manifest[trained]
    held_out = manifest["patient_id"].isin(training["patient_id"]) & ~manifest["scanner"].isin(training["scanner"])
    paths: dict[str, list[str]] = {}
    for row in manifest[trained | held_out].to_dict("records"):
        path = row["features_path"] or str(Path(features_dir) / f"{row['slide_id']}.h5")
        if row["split"] == "train" or Path(path).exists():
            paths.setdefault(row["scanner"], []).append(path)
    for scanner, own in sorted(paths.items()):
        if len(own) < FEWEST_SCANS:
            logger.warning("the moments of scanner %s are those of %d scans only", scanner, len(own))
    bags = {scanner: _bags(scanner, own) for scanner, own in paths.items()}
    moments = ScannerMoments().fit(bags, sorted(training["scanner"].unique()))
    moments.check_known(manifest.loc[manifest["split"] == "val", "scanner"])
    return moments


def _bags(scanner: str, paths: Sequence[str]) -> Bags:
    """Of each bag at most `TILES_PER_SCAN` evenly spaced rows, float32 [n, D]."""
    for path in with_bar(paths, f"moments of {scanner}"):
        bag = open_bag(path)
        few = len(bag) <= TILES_PER_SCAN
        yield bag.rows() if few else bag.rows(np.linspace(0, len(bag) - 1, TILES_PER_SCAN).astype(np.int64))


def _moments(scanner: str, bags: Bags) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation [D] float32 over the rows of all bags of a scanner, in one pass.

    Two groups of rows are joined by their counts, means and sums of squares about them (Chan, Golub, LeVeque 1979).
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for bag in bags:
        if not len(bag):
            continue
        rows = np.asarray(bag, np.float64)
        own = rows.mean(axis=0)
        total, apart = count + len(rows), own - mean
        squares = squares + ((rows - own) ** 2).sum(axis=0) + apart**2 * count * len(rows) / total
        mean, count = mean + apart * len(rows) / total, total
    if not count:
        raise InputError(f"scanner {scanner}", "none of its scans has a tile", "leave them out of the manifest")
    deviation = np.sqrt(squares / count)
    return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()
