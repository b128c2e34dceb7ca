"""cuCIM's own way of placing a region, and what it says when it is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.slides import CucimReader
from scangen_bundle.slides.cucim_reader import cucim_location
from tests.slides.generated import picture, write_slide


@pytest.mark.parametrize("scale", [1.0, 2.0, 4.0, float(np.float32(2.0005055)), float(np.float32(4.0055585)), 16.01])
def test_location_leads_back_to_the_corner_when_it_is_divided_and_rounded_down(scale: float) -> None:
    for corner in (0, 1, 2, 99, 1000, 12345):
        x, y = cucim_location([corner, corner + 1], scale)
        assert (int(x / scale), int(y / scale)) == (corner, corner + 1)


def test_without_cucim_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cucim", None)
    path = write_slide(tmp_path / "slide.tif", picture(300, 300), levels=1)
    with pytest.raises(InputError, match="pip install --no-deps cucim"):
        CucimReader(path)


def test_a_missing_resolution_is_missing_and_not_one(tmp_path: Path) -> None:
    cucim = pytest.importorskip("cucim")
    path = write_slide(tmp_path / "slide.tif", picture(300, 300), mpp=None, levels=1)
    assert cucim.CuImage(str(path)).spacing()[:2] == [1.0, 1.0]  # the trap
    with CucimReader(path) as reader:
        assert reader.mpp is None
