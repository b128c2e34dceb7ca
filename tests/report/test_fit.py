"""Tables that are wider than the page are split into parts that repeat the first column."""

from scangen_bundle.report.fit import split
from scangen_bundle.report.page import Cell, Column, Row, Table


def table_of(columns: int) -> Table:
    names = [Column("encoder"), *(Column(f"measure {i}") for i in range(columns))]
    cells = [Cell("uni"), *(Cell(f"0.{i:03d}", detail="0.100 to 0.900") for i in range(columns))]
    return Table("t", "Overview", names, [Row(cells)], ["A note."])


def test_a_table_that_fits_stays_whole():
    table = table_of(4)
    assert split(table) == [table]


def test_parts_have_every_column_once_and_the_first_in_each():
    parts = split(table_of(20))
    assert len(parts) > 2
    assert all(part.columns[0].name == "encoder" and part.rows[0].cells[0].text == "uni" for part in parts)
    names = [column.name for part in parts for column in part.columns[1:]]
    assert names == [f"measure {i}" for i in range(20)]
    assert [part.key for part in parts[:2]] == ["t", "t-part-2"]
    assert [part.notes for part in parts] == [()] * (len(parts) - 1) + [["A note."]]
    assert parts[0].caption == f"Overview (1 of {len(parts)})"
