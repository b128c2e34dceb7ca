"""One reader for what people save: commas, semicolons with decimal commas, tabs, .xlsx, also under another name."""

import io

import openpyxl
import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.tables import comma_separated, read_rows

ROWS = [["slide", "mpp", "note"], ["a", "0.25", "x, y"], ["007", "", "two\nlines"]]


def save(path, kind):
    if kind == "xlsx":
        book = openpyxl.Workbook()
        for row in (["slide", "mpp", "note"], ["a", 0.25, "x, y"], ["007", None, "two\nlines"], [None, None, None]):
            book.active.append(row)
        book.save(path)
        return path
    separator = {"comma": ",", "semicolon": ";", "tab": "\t"}[kind]
    text = io.StringIO()
    pd.DataFrame(ROWS[1:], columns=ROWS[0]).to_csv(text, sep=separator, index=False)
    written = text.getvalue().replace("0.25", "0,25") if kind == "semicolon" else text.getvalue()
    path.write_bytes(("\ufeff" + written).encode())
    return path


@pytest.mark.parametrize("kind", ["comma", "semicolon", "tab", "xlsx"])
def test_a_table_reads_alike_however_it_was_saved(tmp_path, kind):
    path = save(tmp_path / "table.csv", kind)
    assert [row for _, row in read_rows(path)] == ROWS
    table = pd.read_csv(comma_separated(path), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert table.to_numpy().tolist() == ROWS[1:]


def test_rows_have_the_line_on_which_they_start(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n\n1,"x\ny"\n2,z\n')
    assert read_rows(tmp_path / "a.csv") == [(1, ["a", "b"]), (3, ["1", "x\ny"]), (5, ["2", "z"])]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfea,b", "not a CSV file in UTF-8"), (b'a,b\n"x', "not a CSV file"), (b"PK\x03\x04nonsense", "as .xlsx")],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path / "a.csv")
