"""A cohort of feature bags by the virtual scanners' own effect on features, learnt from the pixel phantom.

The pixel phantom (`scangen phantom`) digitises one virtual glass on each of its scanners, so a tile of it is
at the same micrometres in every scan. From these pairs the effect of a scanner on an encoder's vector is fitted, and then
applied to any number of new specimens, which would take hours to draw and encode as pixels.

With r the principal components of a tile, averaged over its scanners, a scan on scanner s gives

    x_s = A_s r + b_s + e_s

A_s, b_s: ridge regression towards the identity on the paired tiles; e_s: normal, with the residuals' covariance. A specimen is
r = label * effect * delta + specimen + tile, two normal terms with the covariances found between and within the phantom's
specimens; delta is the difference of the phantom's class means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scangen_bundle.bags import open_bag
from scangen_bundle.errors import InputError

SAME_PLACE_UM = 2.0


@dataclass(frozen=True)
class ScannerModel:
    """Parameters of the module's formulas; D components, S scanners.

    Attributes:
        scanners: names.
        maps: [S, D, D] A_s. shifts: [S, D] b_s. residuals: [S, D, D] Cholesky factors of e_s.
        between, within: [D, D] Cholesky factors of specimens and of tiles within a specimen.
        delta: [D] difference of the class means.
    """

    scanners: tuple[str, ...]
    maps: np.ndarray
    shifts: np.ndarray
    residuals: np.ndarray
    between: np.ndarray
    within: np.ndarray
    delta: np.ndarray


def paired_tiles(manifest: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tiles that lie at one place of a specimen on all of its scanners.

    Returns:
        Features [M, S, F] float32, and the specimen's number and label [M].
    """
    scanners = sorted(manifest.scanner.unique())
    found, specimens, labels = [], [], []
    for number, (_, scans) in enumerate(manifest.groupby("specimen_id")):
        if set(scans.scanner) != set(scanners):
            continue
        bags = [open_bag(path) for path in scans.sort_values("scanner").features_path]
        places = [bag.coords * np.asarray(bag.source_mpp) for bag in bags]
        nearest = [((places[0][:, None] - other[None]) ** 2).sum(axis=2) for other in places]
        shared = np.all([distance.min(axis=1) < SAME_PLACE_UM**2 for distance in nearest], axis=0)
        rows = [distance.argmin(axis=1)[shared] for distance in nearest]
        tiles = [np.asarray(bag.features, np.float32)[own] for bag, own in zip(bags, rows, strict=True)]
        found.append(np.stack(tiles, axis=1))
        specimens += [number] * len(found[-1])
        labels += [int(scans.label.iloc[0])] * len(found[-1])
    if not found:
        raise InputError(
            "evidence", "no specimen of the phantom was scanned on every scanner", "make the phantom again"
        )
    return np.concatenate(found), np.asarray(specimens), np.asarray(labels)


def fit_scanner_model(manifest: pd.DataFrame, components: int) -> ScannerModel:
    """Fit the virtual scanners' effect on features.

    Args:
        manifest: of the phantom, with `features_path` of every scan.
        components: D.
    """
    tiles, specimen, label = paired_tiles(manifest)
    mean = tiles.mean(axis=(0, 1))
    axes = np.linalg.svd((tiles - mean).reshape(-1, tiles.shape[2]), full_matrices=False)[2][:components]
    x = ((tiles - mean) @ axes.T).astype(np.float64)
    x /= x.std()
    r = x.mean(axis=1)
    maps, shifts, residuals = [], [], []
    ridge = 0.05 * len(r) * np.diag(r.var(axis=0) + r.var(axis=0).mean())
    for scanner in range(x.shape[1]):
        change = x[:, scanner] - r
        shift = change.mean(axis=0)
        slope = np.linalg.solve(r.T @ r + ridge, r.T @ (change - shift)).T
        maps.append(np.eye(components) + slope)
        shifts.append(shift)
        residuals.append(_factor(change - shift - r @ slope.T))
    means = np.stack([r[specimen == number].mean(axis=0) for number in np.unique(specimen)])
    classes = np.stack([label[specimen == number][0] for number in np.unique(specimen)])
    delta = means[classes == 1].mean(axis=0) - means[classes == 0].mean(axis=0)
    centred = means - np.stack([means[classes == c].mean(axis=0) for c in classes])
    inside = r - means[np.searchsorted(np.unique(specimen), specimen)]
    return ScannerModel(
        tuple(sorted(manifest.scanner.unique())),
        np.stack(maps),
        np.stack(shifts),
        np.stack(residuals),
        _factor(centred),
        _factor(inside),
        delta,
    )


def _factor(samples: np.ndarray) -> np.ndarray:
    """Cholesky factor of the covariance, shrunk a tenth of the way to its diagonal so that few samples suffice."""
    covariance = samples.T @ samples / len(samples)
    return np.linalg.cholesky(0.9 * covariance + 0.1 * np.diag(np.diag(covariance)) + 1e-9 * np.eye(len(covariance)))


def draw_cohort(
    model: ScannerModel, specimens: int, tiles: int, effect: float, seed: int
) -> tuple[pd.DataFrame, Mapping[str, np.ndarray]]:
    """Draw specimens, half of each class, one per patient, and scan each on every scanner.

    Args:
        model: from `fit_scanner_model`.
        specimens, tiles: how many, and tiles of each.
        effect: multiplies the class difference.
        seed: of the draw.

    Returns:
        A manifest without files, and features [tiles, D] float32 by `slide_id`.
    """
    rng = np.random.default_rng(seed)
    size = len(model.delta)
    rows, features = [], {}
    for number in range(specimens):
        label = number % 2
        own = label * effect * model.delta + model.between @ rng.standard_normal(size)
        r = own + rng.standard_normal((tiles, size)) @ model.within.T
        for index, scanner in enumerate(model.scanners):
            noise = rng.standard_normal((tiles, size)) @ model.residuals[index].T
            slide_id = f"spec{number:03d}_{scanner}"
            features[slide_id] = (r @ model.maps[index].T + model.shifts[index] + noise).astype(np.float32)
            rows.append([slide_id, f"spec{number:03d}", f"pat{number:03d}", scanner, label, ""])
    names = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "split"]
    return pd.DataFrame(rows, columns=names), features
