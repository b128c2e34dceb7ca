from __future__ import annotations

import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.studies.plan import Cell, Split
from scangen_bundle.studies.results import DONE, TEST, CellResult, Cost, cell_folder, is_done, read_result, write_result

CELL = Cell("plain", Split("s", ("ga",), 0), 0)


def result() -> CellResult:
    validation = pd.DataFrame(
        {"slide_id": ["007", "NA"] * 2, "probability": [0.1, 1 / 3, 0.2, 0.7], "epoch": [5, 5, 10, 10]}
    )
    test = pd.DataFrame({"slide_id": ["a", "b"], "probability": [0.123456789012345678, 1e-300], "epoch": [10, 10]})
    return CellResult(CELL, validation, test, {"nll": 10, "last": 10}, Cost(1.5, 1.2, 10, 100.0, "cpu"))


def test_a_result_comes_back_exactly(tmp_path):
    folder = cell_folder(tmp_path, CELL)
    write_result(folder, result())
    found = read_result(folder)
    assert (found.cell, found.epochs, found.cost) == (CELL, {"nll": 10, "last": 10}, result().cost)
    pd.testing.assert_frame_equal(found.validation, result().validation, check_dtype=False)
    pd.testing.assert_frame_equal(found.test, result().test, check_dtype=False)
    assert found.validation_of("nll")["slide_id"].tolist() == ["007", "NA"]


def test_a_cell_is_done_only_when_its_last_file_is_there(tmp_path):
    folder = cell_folder(tmp_path, CELL)
    write_result(folder, result())
    (folder / DONE).unlink()
    assert not is_done(folder)


@pytest.mark.parametrize(
    "damage", [lambda folder: (folder / TEST).unlink(), lambda folder: (folder / DONE).write_text("{")]
)
def test_a_damaged_result_is_refused_with_what_to_do(tmp_path, damage):
    folder = cell_folder(tmp_path, CELL)
    write_result(folder, result())
    damage(folder)
    with pytest.raises(InputError, match="remove the folder"):
        read_result(folder)
