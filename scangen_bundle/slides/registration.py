"""Find how two scans of one specimen lie to each other, from overviews: shift, rotation, scale, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from skimage.feature import SIFT, match_descriptors
from skimage.measure import ransac
from skimage.transform import AffineTransform, SimilarityTransform, estimate_transform

MIN_INLIERS = 12


class RegistrationError(ValueError):
    """Two overviews could not be registered; the message says why."""


@dataclass(frozen=True)
class Registration:
    """A map from µm on the fixed scan to µm on the moving one, both from their scans' top-left corners.

    Attributes:
        matrix: [3, 3] homogeneous, column vectors (x, y, 1).
        error_um: median distance, in µm, of matched points that did not take part in the fit (two-fold).
    """

    matrix: np.ndarray
    error_um: float

    def apply(self, points_um: np.ndarray) -> np.ndarray:
        """Map points [n, 2] (x, y) in µm from the fixed to the moving scan."""
        return points_um @ self.matrix[:2, :2].T + self.matrix[:2, 2]

    @property
    def scale(self) -> float:
        """How much longer a distance is on the moving scan (1: both scans' mpp are right)."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))

    @property
    def rotation_degrees(self) -> float:
        return float(np.degrees(np.arctan2(self.matrix[1, 0], self.matrix[0, 0])))


@dataclass(frozen=True, eq=False)
class OverviewFeatures:
    """Places on an overview that can be recognised on another one.

    Attributes:
        points_um: [n, 2] (x, y) in µm from the scan's top-left corner.
        descriptors: [n, 128].
    """

    points_um: np.ndarray
    descriptors: np.ndarray


def tissue_signal(overview: np.ndarray) -> np.ndarray:
    """Optical density of an overview against its own white, cut to 0..1: float64 [h, w].

    White is each channel's 99th percentile and black the 99th of the density, so that the scanner's white point and
    contrast do not matter to the features found on it.

    Args:
        overview: [h, w, 3], 0 to 255.
    """
    values = np.asarray(overview, dtype=np.float64)
    white = np.maximum(np.percentile(values, 99, axis=(0, 1)), 1.0)
    density = -np.log(np.clip(values / white, 1 / 255, 1.0)).mean(axis=2)
    top = np.percentile(density, 99)
    if top < 0.02:
        raise RegistrationError("the overview holds nothing but glass")
    return np.clip(density / top, 0, 1)


def register(
    fixed: np.ndarray,
    moving: np.ndarray,
    step_um: float,
    tolerance_um: float = 20.0,
    affine: bool = False,
    seed: int = 0,
) -> Registration:
    """Register two overviews by SIFT features (D. Lowe, IJCV 2004) and RANSAC (M. Fischler, R. Bolles, CACM 1981).

    The error is estimated on points that the fit did not see: the agreeing matches are split in two, each half is mapped
    with the fit of the other.

    Args:
        fixed, moving: overviews [h, w, 3], 0 to 255.
        step_um: size of an overview pixel, µm.
        tolerance_um: matched points that lie further apart disagree with the map.
        affine: allow shear and unequal scales; otherwise shift, rotation and one scale.
        seed: of RANSAC's draws.

    Raises:
        RegistrationError: too few features or too few that agree.
    """
    features = overview_features(fixed, step_um), overview_features(moving, step_um)
    return register_features(*features, tolerance_um=tolerance_um, affine=affine, seed=seed)


def register_features(
    fixed: OverviewFeatures,
    moving: OverviewFeatures,
    tolerance_um: float = 20.0,
    affine: bool = False,
    seed: int = 0,
) -> Registration:
    """`register` for features that were detected before: of many scans each needs them once.

    Raises:
        RegistrationError: too few features agree.
    """
    pairs = match_descriptors(fixed.descriptors, moving.descriptors, max_ratio=0.85, cross_check=True)
    source, target = fixed.points_um[pairs[:, 0]], moving.points_um[pairs[:, 1]]
    if len(pairs) < MIN_INLIERS:
        raise RegistrationError(f"only {len(pairs)} features match, at least {MIN_INLIERS} are needed")
    kind = "affine" if affine else "similarity"
    _, agree = ransac(
        (source, target),
        AffineTransform if affine else SimilarityTransform,
        min_samples=3,
        residual_threshold=tolerance_um,
        max_trials=5000,
        rng=np.random.default_rng(seed),
    )
    inliers = int(agree.sum()) if agree is not None else 0
    if inliers < MIN_INLIERS:
        raise RegistrationError(
            f"only {inliers} of {len(pairs)} matches agree on one map, at least {MIN_INLIERS} are needed"
        )
    source, target = source[agree], target[agree]
    order = np.random.default_rng(seed).permutation(inliers)
    distances = np.concatenate(
        [
            np.linalg.norm(estimate_transform(kind, source[train], target[train])(source[test]) - target[test], axis=1)
            for train, test in ((order[::2], order[1::2]), (order[1::2], order[::2]))
        ]
    )
    found = estimate_transform(kind, source, target)
    return Registration(found.params, float(np.median(distances)))


def overview_features(overview: np.ndarray, step_um: float) -> OverviewFeatures:
    """SIFT features of an overview [h, w, 3].

    Raises:
        RegistrationError: there are none.
    """
    detector = SIFT(upsampling=1)
    try:
        detector.detect_and_extract(tissue_signal(overview))
    except RuntimeError as error:
        raise RegistrationError("the overview has no features to match") from error
    keypoints, descriptors = np.asarray(detector.keypoints), np.asarray(detector.descriptors)
    return OverviewFeatures((keypoints[:, ::-1] + 0.5) * step_um, descriptors)
