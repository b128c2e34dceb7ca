from __future__ import annotations

import csv
import io
import json
import math

import pytest

from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.studies.advice import Advice
from scangen_bundle.studies.export import TABLE_COLUMNS, columns_of, latex_table, table_csv, to_json
from scangen_bundle.studies.figures import resample
from scangen_bundle.studies.outcome import SchemeOutcome, StudyOutcome
from scangen_bundle.studies.plan import Scheme
from scangen_bundle.studies.table import Row, tabulate
from tests.studies.test_table import models


@pytest.fixture(scope="module")
def outcome() -> StudyOutcome:
    rows = tabulate(resample(models(), resamples=20), ("plain",), 4)
    scheme = SchemeOutcome(
        Scheme("one out", (("ga",), ("gb",))), rows, Advice("plain", "Keep plain."), {"agree": "no pairs"}
    )
    return StudyOutcome([scheme], [], {"folds": "3"}, "nll", 12, 12)


def test_the_csv_has_every_value_with_its_interval_and_its_differences(outcome):
    lines = list(csv.DictReader(io.StringIO(table_csv(outcome))))
    assert tuple(lines[0]) == TABLE_COLUMNS
    row = next(row for row in outcome.schemes[0].rows if row.label == "steady")
    line = next(line for line in lines if (line["row"], line["measure"]) == ("steady", "flip_rate"))
    assert float(line["value"]) == pytest.approx(row.estimates["flip_rate"].value, abs=1e-5)
    assert float(line["low"]) == pytest.approx(row.estimates["flip_rate"].low, abs=1e-5)
    found = row.against["plain"]["flip_rate"]
    assert (line["reference"], line["clear"]) == ("plain", str(int(found.is_clear)))
    assert float(line["difference_high"]) == pytest.approx(found.comparison.difference.high, abs=1e-5)
    plain = [line for line in lines if line["row"] == "plain"]
    assert len(plain) == len(outcome.schemes[0].rows[0].estimates)
    assert {line["reference"] for line in plain} == {""}


def test_json_is_whole_and_without_costs(outcome):
    content = json.loads(json.dumps(to_json(outcome), allow_nan=False))
    scheme = content["schemes"][0]
    assert scheme["left_out"] == {"agree": "no pairs"}
    assert scheme["rows"][0]["by_hold_out"].keys() == {"ga", "gb"}
    assert "seconds" not in json.dumps(content)


def test_latex_has_a_line_per_row_and_escapes_what_latex_reads(outcome):
    text = latex_table(outcome.schemes[0])
    lines = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len(lines) == 1 + len(outcome.schemes[0].rows)
    assert len({line.count("&") for line in lines}) == 1
    odd = Row("a_b & 5 %", "a_b & 5 %", False, {"flip_rate": Estimate(0.5)}, {})
    assert "a\\_b \\& 5 \\% & 0.500" in latex_table(SchemeOutcome(Scheme("s"), [odd], Advice("", "")))


def test_columns_without_any_value_are_left_out():
    row = Row("plain", "plain", False, {"flip_rate": Estimate(0.5), "auroc/mean": Estimate(math.nan, reason="why")}, {})
    assert columns_of([row]) == ["flip_rate"]
