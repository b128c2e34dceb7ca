"""Make a registration finer than the overviews that it came from: patches at several times their resolution are compared.

An overview of a large slide has pixels of tens of µm; a shift between two patches is found to a fraction of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.measure import ransac
from skimage.registration import phase_cross_correlation
from skimage.transform import SimilarityTransform, estimate_transform, warp

from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.slides.registration import Registration, RegistrationError, tissue_signal

FINER = 6  # times the overview's resolution
PATCH_PX = 192
CELLS = 4  # along each side of the tissue: a patch from each
LEAST_PATCHES = 5
LEAST_CORRELATION = 0.3
TOLERANCE_PX = 4.0  # patches that lie further from one map disagree with it
NO_PIXELS = np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class Patch:
    """A place of the fixed slide with its surroundings.

    Attributes:
        place: [2] (x, y) in the slide's unit.
        signal: [PATCH_PX, PATCH_PX] of the tissue around it.
        step: size of its pixels in the slide's unit.
    """

    place: np.ndarray
    signal: np.ndarray
    step: float


def cut_patches(reader: SlideReader, unit: tuple[float, float], points: np.ndarray, step: float) -> list[Patch]:
    """Patches of the fixed slide, spread over its tissue; none where its overview is nearly as fine as the slide.

    Args:
        reader: the open slide.
        unit: what a level-0 px counts in the slide's unit, (x, y).
        points: [n, 2] places with structure, in the slide's unit.
        step: size of the overview's pixels in the slide's unit.
    """
    fine_step = max(step / FINER, *unit)
    if fine_step > step / 2:
        return []
    patches = []
    for place in choose_places(points):
        signal = _signal(read_patch(reader, place, PATCH_PX, fine_step, unit))
        if signal.size:
            patches.append(Patch(place, signal, fine_step))
    return patches


def refine(
    registration: Registration, patches: Sequence[Patch], moving: SlideReader, unit: tuple[float, float]
) -> Registration:
    """A finer registration; the given one where the patches do not tell a better one.

    Args:
        registration: maps the fixed slide's unit to the moving one's.
        patches: of the fixed slide.
        moving: the other open slide.
        unit: what a level-0 px of it counts in its unit, (x, y).
    """
    source, target = [], []
    for patch in patches:
        signal = _signal_below(patch, registration, moving, unit)
        shift = find_shift(patch.signal, signal) if signal.size else None
        if shift is not None:
            source.append(patch.place)
            target.append(patch.place + shift * patch.step)
    if len(source) < LEAST_PATCHES:
        return registration
    tolerance = TOLERANCE_PX * patches[0].step * registration.scale
    return _fit(registration, np.array(source), registration.apply(np.array(target)), tolerance)


def choose_places(points: np.ndarray) -> np.ndarray:
    """Of points [n, 2] one in each cell of a grid over them: the one nearest to the cell's mean."""
    low, high = np.percentile(points, (2, 98), axis=0)
    share = (points - low) / np.maximum(high - low, 1e-9)
    column, row = np.clip(share * CELLS, 0, CELLS - 1).astype(int).T
    number = column * CELLS + row
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
    scale = np.array([step / unit[0], step / unit[1]])  # level-0 px per px of the patch
    level = 0
    for number, pair in enumerate(reader.level_downsamples):
        if (pair <= scale).all():
            level = number
    downsample = np.array(reader.level_downsamples[level])
    ratio = scale / downsample
    start = centre / unit / downsample - ratio * side_px / 2
    corner = np.floor(start).astype(int)
    width, height = np.ceil(ratio * side_px).astype(int) + 2
    x, y = np.rint(corner * downsample).astype(int)
    region = reader.read_region(int(x), int(y), level, int(width), int(height))
    left, top = start - corner
    right, bottom = start - corner + ratio * side_px
    image = Image.fromarray(region)
    return np.asarray(image.resize((side_px, side_px), Image.Resampling.BILINEAR, box=(left, top, right, bottom)))


def find_shift(first: np.ndarray, second: np.ndarray) -> np.ndarray | None:
    """How far (x, y), in px, the second signal lies to the right of and below the first; None where they differ."""
    coarse = np.rint(_offset(first, second)).astype(int)
    if np.abs(coarse).max() > PATCH_PX / 3:
        return None
    # What both patches show, compared once more: patches that are apart look less shifted than they are.
    first, second = _overlap(first, coarse), _overlap(second, -coarse)
    fine = _offset(first, second)
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    if correlation < LEAST_CORRELATION or np.abs(fine).max() > 2:
        return None
    return coarse + fine


def _offset(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far (x, y) the content of the second picture lies to the right of and below that of the first."""
    # Windowed, since the edges of a patch, which do not move, would pull the shift towards 0.
    window = np.outer(np.hanning(first.shape[0]), np.hanning(first.shape[1]))
    first, second = (first - first.mean()) * window, (second - second.mean()) * window
    shift, *_ = phase_cross_correlation(first, second, upsample_factor=8, normalization=None)
    return -shift[::-1]


def _overlap(picture: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The part of a picture that one shows, too, whose content lies `offset` (x, y) to the right and below."""
    height, width = picture.shape
    left, top = np.maximum(-offset, 0)
    right, bottom = np.maximum(offset, 0)
    return picture[top : height - bottom, left : width - right]


def _signal(patch: np.ndarray) -> np.ndarray:
    """The patch's tissue signal; without pixels where it is glass."""
    try:
        return tissue_signal(patch)
    except RegistrationError:
        return NO_PIXELS


def _signal_below(
    patch: Patch, registration: Registration, reader: SlideReader, unit: tuple[float, float]
) -> np.ndarray:
    """The moving slide's signal where a patch of the fixed one is expected, turned as the fixed slide has it."""
    centre = registration.apply(patch.place[None])[0]
    angle = np.radians(registration.rotation_degrees)
    side = math.ceil(PATCH_PX * (abs(math.cos(angle)) + abs(math.sin(angle)))) + 2
    signal = _signal(read_patch(reader, centre, side, patch.step * registration.scale, unit))
    if not signal.size:
        return signal
    own_middle, middle = (PATCH_PX - 1) / 2, (side - 1) / 2
    turn = SimilarityTransform(translation=(-own_middle, -own_middle))
    turn += SimilarityTransform(rotation=angle)
    turn += SimilarityTransform(translation=(middle, middle))
    return warp(signal, turn, output_shape=(PATCH_PX, PATCH_PX), mode="edge")


def _fit(registration: Registration, source: np.ndarray, target: np.ndarray, tolerance: float) -> Registration:
    """A similarity of the patches that agree on one; the given registration where too few do."""
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
    source, target = source[agree], target[agree]
    errors = []
    for left_out in range(len(source)):
        others = np.arange(len(source)) != left_out
        fit = estimate_transform("similarity", source[others], target[others])
        errors.append(np.linalg.norm(fit(source[left_out]) - target[left_out]))
    fit = estimate_transform("similarity", source, target)
    return Registration(np.asarray(fit.params), float(np.median(errors)))
