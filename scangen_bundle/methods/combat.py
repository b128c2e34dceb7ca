"""ComBat: every scanner's location and scale removed, both shrunk by empirical Bayes, the label's effect kept."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from scangen_bundle.methods.method import Scan, register
from scangen_bundle.methods.scanners import ScannerMethod
from scangen_bundle.methods.standardise import by_scanner, check_patients

TILES_PER_SCAN = 64  # location and scale of a scanner need no more, and large scans must not outweigh others
TOLERANCE, MOST_STEPS = 1e-4, 200  # of the empirical Bayes iteration, as in neuroCombat


@register
class Combat(ScannerMethod):
    """Parametric ComBat over tiles (W. E. Johnson et al., Biostatistics 8:118, 2007), fitted as neuroCombat fits it.

    A feature of a tile on scanner s is modelled as `a + label + sigma (gamma_s + delta_s noise)`. gamma and delta^2 get a
    normal and an inverse-gamma prior over the features of a scanner. A tile becomes `(x - m - sigma gamma_s) / delta_s + m`,
    with m the mean over scans, so that no label is needed to apply it. With `keep_label` the labels of the training scans
    are a covariate of the fit: where a scanner has more positive patients, that difference is not taken for the scanner's.
    Scans without a label are their own group.

    Args:
        keep_label: fit with the label as covariate.
        fewest_patients: of each scanner.
    """

    name = "combat"
    title = "every scanner's features brought to one mean and spread by empirical Bayes"

    def __init__(self, keep_label: bool = True, fewest_patients: int = 5) -> None:
        super().__init__(fewest_patients)
        self.mean: torch.Tensor
        self.sigma: torch.Tensor
        self.gamma: torch.Tensor
        self.delta: torch.Tensor
        self.keep_label = keep_label

    def build(self, features: int, embedding: int, classes: int) -> None:
        for name in ("mean", "sigma"):
            self.register_buffer(name, torch.zeros(features))
        for name in ("gamma", "delta"):
            self.register_buffer(name, torch.zeros(0, features))

    def fit(self, scans: Sequence[Scan]) -> None:
        names = sorted({scan.scanner for scan in scans})
        tiles, scanners, labels = [], [], []
        for scan in scans:
            rows = scan.read(TILES_PER_SCAN).double()
            tiles.append(rows)
            scanners += [names.index(scan.scanner)] * len(rows)
            labels += [scan.label if self.keep_label else 0] * len(rows)
        mean, sigma, gamma, delta = fit_combat(torch.cat(tiles), torch.tensor(scanners), torch.tensor(labels))
        self.mean, self.sigma = mean.float(), sigma.float()
        self.gamma, self.delta = gamma.float(), delta.float()
        self.scanners.extend(names)

    def adapt(self, scans: Sequence[Scan]) -> None:
        """Add location and scale of new scanners, whose scans have no label: without covariate.

        Raises:
            InputError: a scanner has scans of fewer than `fewest_patients` patients.
        """
        for scanner, group in by_scanner(scans).items():
            check_patients(group, self.fewest_patients, "location and scale")
            rows = torch.cat([scan.read(TILES_PER_SCAN) for scan in group]).to(self.mean)
            gamma, delta = empirical_bayes(((rows - self.mean) / self.sigma).double())
            self.gamma = torch.cat([self.gamma, gamma.to(self.gamma)[None]])
            self.delta = torch.cat([self.delta, delta.to(self.delta)[None]])
            self.scanners.extend([scanner])

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        shift = self.mean + self.sigma * self.scanners(scanner, self.gamma)
        scale = self.scanners(scanner, self.delta)
        return (x - shift.unsqueeze(1)) / scale.unsqueeze(1) + self.mean


def fit_combat(
    rows: torch.Tensor, scanner: torch.Tensor, label: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Fit the model by least squares, then shrink each scanner's location and scale.

    Args:
        rows: [n, D] float64.
        scanner: [n] int64 from 0; each has rows.
        label: [n] int64, the covariate.

    Returns:
        Grand mean [D], pooled standard deviation [D], and for each scanner its location [S, D] and scale [S, D], both in
        units of the pooled standard deviation.
    """
    batches = torch.nn.functional.one_hot(scanner).to(rows)
    groups = torch.unique(label, return_inverse=True)[1]
    covariates = torch.nn.functional.one_hot(groups).to(rows)[:, 1:]
    design = torch.cat([batches, covariates], dim=1)
    # The driver gelsd takes a label that one scanner alone has, where the columns depend on each other.
    coefficients = torch.linalg.lstsq(design, rows, driver="gelsd").solution
    share = batches.mean(dim=0)
    of_scanners, of_labels = coefficients[: len(share)], coefficients[len(share) :]
    mean = share @ of_scanners
    sigma = (rows - design @ coefficients).square().mean(dim=0).sqrt().clamp_min(1e-8)
    standard = (rows - mean - covariates @ of_labels) / sigma
    gammas, deltas = zip(*(empirical_bayes(standard[scanner == index]) for index in range(len(share))), strict=True)
    grand = mean + covariates.mean(dim=0) @ of_labels
    return grand, sigma, torch.stack(gammas), torch.stack(deltas)


def empirical_bayes(standard: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shrunk location and scale [D] of one scanner's standardised rows [n, D] (Johnson et al. 2007, section 3)."""
    count = len(standard)
    location, variance = standard.mean(dim=0), standard.var(dim=0)
    prior_mean, prior_variance = location.mean(), location.var()
    spread = variance.var()
    shape = (2 * spread + variance.mean().square()) / spread
    rate = (variance.mean() * spread + variance.mean() ** 3) / spread
    gamma, delta = location, variance
    for _ in range(MOST_STEPS):
        new_gamma = (count * prior_variance * location + delta * prior_mean) / (count * prior_variance + delta)
        squares = (standard - new_gamma).square().sum(dim=0)
        new_delta = (rate + squares / 2) / (count / 2 + shape - 1)
        change_of_gamma = ((new_gamma - gamma) / gamma).abs().max()
        change_of_delta = ((new_delta - delta) / delta).abs().max()
        change = torch.maximum(change_of_gamma, change_of_delta)
        gamma, delta = new_gamma, new_delta
        if change < TOLERANCE:
            break
    return gamma, delta.sqrt()
