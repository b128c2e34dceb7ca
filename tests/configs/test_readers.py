"""Every shipped reader overlay opens a slide."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigParser

from scangen_bundle.testing import draw_tissue, make_slide
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs" / "readers").glob("*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_each_reader_config_is_a_way_to_open_a_slide(config: Path, tmp_path: Path) -> None:
    if config.stem == "cucim":
        pytest.importorskip("cucim")
    parser = ConfigParser()
    parser.read_config(config)
    open_reader = pickle.loads(pickle.dumps(parser.get_parsed_content("reader")))
    image = draw_tissue(300, 300)
    with open_reader(make_slide(tmp_path / "slide.tif", image, levels=1, coding="deflate")) as reader:
        assert reader.backend in ("tifffile" if config.stem == "auto" else config.stem)
        np.testing.assert_array_equal(reader.read_region(10, 20, 0, 50, 60), image[20:80, 10:60])
