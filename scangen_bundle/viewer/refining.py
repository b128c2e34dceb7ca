"""Make a registration finer than the overviews that it came from: patches at several times their resolution are compared.

An overview of a large slide has pixels of tens of µm; a shift between two patches is found to a fraction of theirs.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from skimage.measure import ransac
from skimage.registration import phase_cross_correlation
from skimage.transform import SimilarityTransform, estimate_transform, warp

from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.registration import Registration, RegistrationError, tissue_signal

FINER = 6  # times the overview's resolution
PATCH_PX = 256
CELLS = 4  # along each side of the tissue: a patch from each
LEAST_PATCHES = 5
LEAST_CORRELATION = 0.3
TOLERANCE_PX = 4.0  # patches that lie further from one map disagree with it


def refine(
    fixed: SlideReader,
    moving: SlideReader,
    units: tuple[tuple[float, float], tuple[float, float]],
    registration: Registration,
    places: np.ndarray,
    step: float,
) -> Registration:
    """A finer registration; the given one where the patches do not tell a better one.

    Args:
        fixed, moving: the open slides.
        units: of each slide, what a level-0 px counts in the slide's unit, (x, y).
        registration: maps the fixed slide's unit to the moving one's.
        places: [n, 2] places with structure on the fixed slide, in its unit.
        step: size of the overview's pixels in the fixed slide's unit.
    """
    finest = max(*units[0], *(side / registration.scale for side in units[1]))
    fine_step = max(step / FINER, finest)
    if fine_step > step / 2:
        return registration
    source, target = [], []
    for place in choose_places(places):
        patch = read_patch(fixed, place, PATCH_PX, fine_step, units[0])
        mapped = registration.apply(place[None])[0]
        other = _turned_patch(moving, mapped, registration, fine_step, units[1])
        shift = find_shift(patch, other)
        if shift is not None:
            source.append(place)
            target.append(registration.apply((place + shift * fine_step)[None])[0])
    return _fit(registration, np.array(source), np.array(target), TOLERANCE_PX * fine_step * registration.scale)


def choose_places(points: np.ndarray) -> np.ndarray:
    """Of points [n, 2] one in each of the cells of a grid over them that have most: the one nearest the cell's mean."""
    low, high = np.percentile(points, 2, axis=0), np.percentile(points, 98, axis=0)
    cells = np.clip(((points - low) / np.maximum(high - low, 1e-9) * CELLS).astype(int), 0, CELLS - 1)
    number = cells[:, 0] * CELLS + cells[:, 1]
    chosen = []
    for cell in np.unique(number):
        inside = points[number == cell]
        distance = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
        chosen.append(inside[distance.argmin()])
    return np.array(chosen)


def read_patch(
    reader: SlideReader, centre: np.ndarray, side_px: int, step: float, unit: tuple[float, float]
) -> np.ndarray:
    """An upright patch uint8 [side_px, side_px, 3] around `centre`, with pixels of `step`, both in the slide's unit."""
    scale = step / unit[0], step / unit[1]  # level-0 px per px of the patch
    fine = [i for i, (x, y) in enumerate(reader.level_downsamples) if x <= scale[0] and y <= scale[1]]
    level = max(fine, key=lambda i: reader.level_downsamples[i][0], default=0)
    x, y = reader.level_downsamples[level]
    ratio = scale[0] / x, scale[1] / y
    left = centre[0] / unit[0] / x - ratio[0] * side_px / 2
    top = centre[1] / unit[1] / y - ratio[1] * side_px / 2
    corner = math.floor(left), math.floor(top)
    width, height = (math.ceil(r * side_px) + 2 for r in ratio)
    region = reader.read_region(round(corner[0] * x), round(corner[1] * y), level, width, height)
    box = left - corner[0], top - corner[1], left - corner[0] + ratio[0] * side_px, top - corner[1] + ratio[1] * side_px
    return np.asarray(Image.fromarray(region).resize((side_px, side_px), Image.Resampling.BILINEAR, box=box))


def find_shift(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray | None:
    """How far (x, y), in px, the tissue of `moving` lies to the right of and below that of `fixed`; None if they differ."""
    try:
        first, second = tissue_signal(fixed), tissue_signal(moving)
    except RegistrationError:  # glass
        return None
    whole = np.rint(_offset(first, second)).astype(int)
    if np.abs(whole).max() > PATCH_PX / 3:
        return None
    # What both patches show, compared once more: patches that are apart look less shifted than they are.
    first, second = _overlap(first, whole), _overlap(second, -whole)
    rest = _offset(first, second)
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    return whole + rest if correlation > LEAST_CORRELATION and np.abs(rest).max() < 2 else None


def _offset(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far (x, y) the content of the second picture lies to the right of and below that of the first."""
    shift, *_ = phase_cross_correlation(
        first - first.mean(), second - second.mean(), upsample_factor=8, normalization=None
    )
    return -shift[::-1]


def _overlap(picture: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The part of a picture that one shows, too, whose content lies `offset` (x, y) to the right and below."""
    height, width = picture.shape
    (left, top), (right, bottom) = np.maximum(-offset, 0), np.maximum(offset, 0)
    return picture[top : height - bottom, left : width - right]


def _turned_patch(
    reader: SlideReader, centre: np.ndarray, registration: Registration, step: float, unit: tuple[float, float]
) -> np.ndarray:
    """The patch of the moving slide around `centre` as the fixed slide would show it."""
    angle = np.radians(registration.rotation_degrees)
    side = math.ceil(PATCH_PX * (abs(math.cos(angle)) + abs(math.sin(angle)))) + 2
    upright = read_patch(reader, centre, side, step * registration.scale, unit)
    middle = (side - 1) / 2
    to_middle = SimilarityTransform(translation=(-(PATCH_PX - 1) / 2, -(PATCH_PX - 1) / 2))
    turned = to_middle + SimilarityTransform(rotation=angle) + SimilarityTransform(translation=(middle, middle))
    return np.rint(warp(upright, turned, output_shape=(PATCH_PX, PATCH_PX), mode="edge", preserve_range=True))


def _fit(registration: Registration, source: np.ndarray, target: np.ndarray, tolerance: float) -> Registration:
    """A similarity of the patches that agree on one; the given registration where too few do."""
    if len(source) < LEAST_PATCHES:
        return registration
    _, agree = ransac(
        (source, target),
        SimilarityTransform,
        min_samples=2,
        residual_threshold=tolerance,
        max_trials=200,
        rng=np.random.default_rng(0),
    )
    if agree is None or agree.sum() < LEAST_PATCHES:
        return registration
    errors = []
    for left_out in np.flatnonzero(agree):
        others = agree.copy()
        others[left_out] = False
        fit = estimate_transform("similarity", source[others], target[others])
        errors.append(np.linalg.norm(fit(source[left_out]) - target[left_out]))
    fit = estimate_transform("similarity", source[agree], target[agree])
    return Registration(np.asarray(fit.params), float(np.median(errors)))
