"""Which resolution is believed, and which level and field of view is read for a tile."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.slides import plan_read, resolve_mpp

LEVELS = [(1.0, 1.0), (4.0, 4.0), (16.0, 16.0)]


def test_the_users_value_goes_before_the_files() -> None:
    assert resolve_mpp((0.25, 0.25), 0.5) == (0.25, 0.25)
    assert resolve_mpp((0.25, 0.25), 0.5, 0.23) == (0.23, 0.23)
    assert resolve_mpp((1000.0, 1000.0), 0.5, (0.22, 0.44)) == (0.22, 0.44)
    assert resolve_mpp(None, 0.5, [0.22, 0.44]) == (0.22, 0.44)  # as YAML gives it
    assert resolve_mpp(None, 0.5, np.array([0.22, 0.44])) == (0.22, 0.44)
    assert resolve_mpp(None, 0.5, "0.22") == (0.22, 0.22)  # as a table read as text gives it
    assert resolve_mpp((0.25, 0.25), 0.5, math.nan) == (0.25, 0.25)  # an empty cell of the manifest


@pytest.mark.parametrize(
    "metadata", [None, (1000.0, 1000.0), (0.25, 1000.0), (0.01, 0.25), (math.nan, 0.25), (0.0, 0.0), (28.97, 28.97)]
)
def test_a_missing_or_implausible_resolution_is_an_error_naming_the_slide(metadata) -> None:
    with pytest.raises(InputError, match=r"a\.svs.*state the slide's mpp"):
        resolve_mpp(metadata, 0.5, where="a.svs")


@pytest.mark.parametrize("mpp", [0.05, 0.25, 5.0])
def test_the_ends_of_the_plausible_range_are_believed(mpp: float) -> None:
    assert resolve_mpp((mpp, mpp), 0.5) == (mpp, mpp)


def test_a_coarse_slide_is_believed_when_it_is_asked_for_as_such() -> None:
    assert resolve_mpp((28.969, 28.968), 28.97) == (28.969, 28.968)
    with pytest.raises(InputError):
        resolve_mpp((1000.0, 1000.0), 28.97)


@pytest.mark.parametrize("override", [0.0, -0.25, math.inf, (0.25, -1.0), [0.25], "0.25 µm", {}])
def test_a_stated_resolution_has_to_be_a_positive_number(override) -> None:
    with pytest.raises(InputError, match=r"a\.svs.*positive number"):
        resolve_mpp((0.25, 0.25), 0.5, override, "a.svs")


@pytest.mark.parametrize(
    ("source", "target", "level", "extent"),
    [
        (0.25, 0.5, 0, 448.0),
        (0.2465, 0.5, 0, 224 * 0.5 / 0.2465),
        (0.4415, 0.5, 0, 224 * 0.5 / 0.4415),
        (0.25, 1.0, 1, 224.0),
        (0.2465, 1.0, 1, 224 / 0.986),
        (0.2524, 1.0, 0, 224 / 0.2524),  # level 1 has 1.0096: the next finer level is level 0
        (0.5052, 0.5, 0, 224 * 0.5 / 0.5052),  # 1 % too coarse: resampled all the same
        (0.504, 0.5, 0, 224 * 0.5 / 0.504),
        (0.25, 28.0, 2, 224 * 28 / 4),
        (0.250001, 0.5, 0, 448.0),
    ],
)
def test_the_next_finer_level_is_read_over_the_exact_field_of_view(source, target, level, extent) -> None:
    plan = plan_read(LEVELS, (source, source), target, 224)
    assert plan.read_level == level
    assert plan.extent == pytest.approx((extent, extent), abs=0.01)
    assert plan.effective_mpp == pytest.approx((target, target), rel=1e-4)
    # tile_px * mpp µm, in level-0 px
    assert plan.tile_size_level0 == pytest.approx((224 * target / source,) * 2, rel=1e-4)
    assert all(length >= field for length, field in zip(plan.region_size, plan.extent, strict=True))


def test_a_level_that_has_the_resolution_is_not_resampled() -> None:
    plan = plan_read([(1.0, 1.0), (2.0, 2.0)], (0.25, 0.25), 0.5, 224)
    assert (plan.read_level, plan.resampled, plan.region_size) == (1, False, (224, 224))
    assert plan_read([(1.0, 1.0), (2.0, 2.0)], (0.2465, 0.2465), 0.5, 224).resampled


def test_axes_are_planned_apart() -> None:
    plan = plan_read([(1.0, 1.0), (2.0, 2.0)], (0.5, 0.25), 0.5, 100)
    assert plan.read_level == 0  # level 1 would be too coarse across
    assert plan.extent == pytest.approx((100.0, 200.0))
    assert plan.effective_mpp == pytest.approx((0.5, 0.5))


def test_upsampling_by_more_than_five_percent_is_refused_unless_allowed() -> None:
    assert plan_read(LEVELS, (0.524, 0.524), 0.5, 224).effective_mpp == pytest.approx((0.5, 0.5))
    with pytest.raises(InputError, match=r"a\.svs.*0\.53 µm/px.*0\.5 was asked for.*6%"):
        plan_read(LEVELS, (0.5, 0.53), 0.5, 224, where="a.svs")
    plan = plan_read(LEVELS, (1.0, 1.0), 0.5, 224, allow_upsampling=True)
    assert plan.extent == (112.0, 112.0)


@pytest.mark.parametrize(("target", "tile_px"), [(0.0, 224), (-1.0, 224), (math.nan, 224), (0.5, 0)])
def test_a_request_has_to_be_positive(target: float, tile_px: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        plan_read(LEVELS, (0.25, 0.25), target, tile_px)
