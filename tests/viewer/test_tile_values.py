"""Values of tiles come from the network where it is there, else from attention maps, else a reason says why not."""

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.scan_files import ScanFile
from scangen_bundle.viewer.tile_values import read_attention_map, read_tile_values


def test_an_attention_map_comes_back_as_it_was_written(run_folder):
    tiles = read_attention_map(run_folder / "inference" / "attention" / "spec000_scanner-1.geojson")
    assert tiles.attention == pytest.approx(np.arange(1, 10) / 45)
    side = 80 / 0.346
    assert tiles.side == pytest.approx((side, side), abs=0.02)
    assert tiles.corners[4] == pytest.approx([round(2 * side)] * 2)
    assert tiles.probability is None


@pytest.mark.parametrize("text", ["", "{}", '{"features": []}', '{"features": [{"geometry": 1}]}', "[1, 2]"])
def test_a_file_that_is_no_map_is_refused(tmp_path, text):
    path = tmp_path / "x.geojson"
    path.write_text(text)
    with pytest.raises(InputError, match="no attention map"):
        read_attention_map(path)
    tiles, reason = read_tile_values(ScanFile(), "x", "scanner", None, tmp_path)
    assert tiles is None
    assert "no attention map" in reason


def test_nothing_at_all_has_a_reason():
    assert read_tile_values(ScanFile(), "x", "scanner", None, None) == (
        None,
        "it has no feature bag and no attention map",
    )


def test_a_missing_bag_leaves_the_attention_map(run_folder, tmp_path):
    checkpoint = tmp_path / "best.pt"
    checkpoint.write_bytes(b"")
    file = ScanFile("", str(tmp_path / "none.h5"))
    attention = run_folder / "inference" / "attention"
    tiles, reason = read_tile_values(file, "spec000_scanner-1", "scanner-1", checkpoint, attention)
    assert reason == ""
    assert len(tiles.corners) == 9
