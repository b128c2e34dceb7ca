"""Each scanner's features brought to one mean and one spread, dimension by dimension."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from scangen_bundle.errors import InputError
from scangen_bundle.methods.method import Scan, register
from scangen_bundle.methods.scanners import ScannerMethod

logger = logging.getLogger(__name__)

TILES_PER_SCAN = 1024  # moments need no more, and large scans must not outweigh others
MOST_GAIN = 10.0  # a feature that hardly varies on a scanner says little there; its gain is bounded


@register
class Standardise(ScannerMethod):
    """Location and scale of every scanner made those of the training scanners.

    With a feature's mean m and standard deviation s on the scan's scanner, `x -> (x - m) / s * S + M`, where M is the mean of
    the training scanners' means and S the root mean square of their standard deviations. ComBat does this with each batch
    (Johnson et al. 2007, Biostatistics 8:118), and shrinks, which this does not. Labels take no part.

    Scanners held out of training get the mean and spread of training patients' scans on them, as if a lab had scanned some
    glass on its new scanner; they do not change M and S.

    Args:
        fewest_patients: of each scanner; the moments of fewer would be these patients' rather than the scanner's.
    """

    name = "standardise"
    title = "every scanner's features brought to one mean and spread"

    def __init__(self, fewest_patients: int = 5) -> None:
        super().__init__(fewest_patients)
        self.most_gain = MOST_GAIN
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        self.target_mean: torch.Tensor
        self.target_deviation: torch.Tensor

    def build(self, features: int, embedding: int, classes: int) -> None:
        """Buffers `mean, deviation` [S, D] by scanner and `target_mean, target_deviation` [D]."""
        for name in ("mean", "deviation"):
            self.register_buffer(name, torch.zeros(0, features))
            self.register_buffer(f"target_{name}", torch.zeros(features))

    def fit(self, scans: Sequence[Scan]) -> None:
        """Take the moments of all scanners; those of the training scanners make the target."""
        self._add(scans)
        trained = {scan.scanner for scan in scans if not scan.held_out}
        rows = [row for row, scanner in enumerate(by_scanner(scans)) if scanner in trained]
        self.target_mean = self.mean[rows].mean(dim=0)
        self.target_deviation = self.deviation[rows].square().mean(dim=0).sqrt()

    def adapt(self, scans: Sequence[Scan]) -> None:
        """Add the moments of new scanners.

        Raises:
            InputError: a scanner has scans of fewer than `fewest_patients` patients.
        """
        for scanner, of_scanner in by_scanner(scans).items():
            check_patients(of_scanner, self.fewest_patients, "mean and spread")
            logger.warning("scanner %s is new: its moments are those of its %d scans at hand", scanner, len(of_scanner))
        self._add(scans)

    def _add(self, scans: Sequence[Scan]) -> None:
        for scanner, of_scanner in by_scanner(scans).items():
            mean, deviation = moments(of_scanner, TILES_PER_SCAN)
            self.mean = torch.cat([self.mean, mean.to(self.mean)[None]])
            self.deviation = torch.cat([self.deviation, deviation.to(self.deviation)[None]])
            self.scanners.extend([scanner])

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        least = torch.where(self.target_deviation > 0, self.target_deviation / self.most_gain, 1.0)
        gain = self.target_deviation / torch.maximum(self.scanners(scanner, self.deviation), least)
        shift = self.target_mean - self.scanners(scanner, self.mean) * gain
        return torch.addcmul(shift.unsqueeze(1), x, gain.unsqueeze(1))


def by_scanner(scans: Sequence[Scan]) -> dict[str, list[Scan]]:
    """Scans of each scanner, scanners in the order of their names."""
    groups: dict[str, list[Scan]] = {}
    for scan in sorted(scans, key=lambda scan: scan.scanner):
        groups.setdefault(scan.scanner, []).append(scan)
    return groups


def check_patients(scans: Sequence[Scan], fewest: int, moments: str) -> None:
    """Refuse scans of a new scanner that are of too few patients.

    Args:
        scans: of one scanner.
        fewest: patients needed.
        moments: of the features, for the message, such as "mean and spread".

    Raises:
        InputError: there are fewer.
    """
    patients = len({scan.patient for scan in scans})
    if patients < fewest:
        problem = f"has scans of {patients} patients; its features' {moments} need {fewest}"
        raise InputError(f"scanner {scans[0].scanner}", problem, "give more scans of it, they need no labels")


def moments(scans: Sequence[Scan], tiles: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation [D] float32 over the tiles of all scans, in one pass.

    Two groups of rows are joined by their counts, means and sums of squares about them (Chan, Golub, LeVeque 1979).

    Args:
        scans: at least one.
        tiles: evenly spaced tiles that are read of each.
    """
    count, mean, squares = 0, torch.zeros(1), torch.zeros(1)
    for scan in scans:
        rows = scan.read(tiles).double()
        new_mean = rows.mean(dim=0)
        new_squares = (rows - new_mean).square().sum(dim=0)
        total, difference = count + len(rows), new_mean - mean
        squares = squares + new_squares + difference.square() * (count * len(rows) / total)
        mean = mean + difference * (len(rows) / total)
        count = total
    return mean.float(), (squares / count).sqrt().float()
