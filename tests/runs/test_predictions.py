"""Tables of predictions: what was written is read, and a damaged table is refused."""

from __future__ import annotations

import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs import read_predictions, write_predictions

TABLE = pd.DataFrame({"slide_id": ["007", "b"], "scanner": ["NA", "AT2"], "probability": [0.1, 0.98765]})


def test_what_was_written_is_read(tmp_path):
    write_predictions(TABLE, tmp_path / "p.csv")
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "p.csv"), TABLE)


DAMAGE = {
    "inside the last number": (lambda text: text[:-4], "ends inside a line"),
    "inside a row": (lambda text: text[: text.index(",AT2")] + "\n", "line 3 has 1 cells, the header has 3"),
    "with commas at the ends": (lambda text: text.replace("0.1\n", "0.1,\n"), "line 2 has 4 cells"),
    "a page": (lambda text: "<html>404</html>\n", "no column of ids"),
    "empty": (lambda text: "", "the file is empty"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_table_is_refused(tmp_path, damage):
    write_predictions(TABLE, tmp_path / "p.csv")
    change, words = DAMAGE[damage]
    (tmp_path / "p.csv").write_text(change((tmp_path / "p.csv").read_text()))
    with pytest.raises(InputError, match=words):
        read_predictions(tmp_path / "p.csv")
