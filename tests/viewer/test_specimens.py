"""The list shows what the filters leave, flips first, a page at a time."""

import time

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.viewer.inputs import ViewedRun
from scangen_bundle.viewer.specimens import Filters, SpecimenList


def names(page):
    return [row["specimen"] for row in page["rows"]]


@pytest.fixture
def specimens(viewed):
    return SpecimenList(viewed)


def test_flips_come_first_then_the_widest_spread(specimens):
    page = specimens.page(Filters())
    assert names(page) == ["spec001", "spec002", "spec000"]
    assert [row["flips"] for row in page["rows"]] == [True, False, False]
    assert (page["total"], page["flips"]) == (3, 1)
    scan = page["rows"][0]["scans"][1]
    assert scan == {"number": 7, "scanner": 1, "probability": pytest.approx([0.45, 0.55]), "class": 1}


def test_a_choice_of_scanners_compares_these_alone(specimens):
    page = specimens.page(Filters(scanners=(0, 2)))
    assert page["flips"] == 0
    assert [scan["scanner"] for scan in page["rows"][0]["scans"]] == [0, 2]
    assert specimens.page(Filters(scanners=()))["total"] == 0


def test_flips_labels_and_text_leave_out_the_others(specimens, viewed):
    assert names(specimens.page(Filters(flips=True))) == ["spec001"]
    label = int(viewed.labels[1])
    kept = names(specimens.page(Filters(labels=(label,))))
    assert kept[0] == "spec001"
    assert sorted(kept) == [name for name, other in zip(viewed.specimens, viewed.labels, strict=True) if other == label]
    assert names(specimens.page(Filters(text="C002"))) == ["spec002"]
    patient = viewed.scans["patient_id"].iloc[0]
    assert "spec000" in names(specimens.page(Filters(text=patient)))
    assert specimens.page(Filters(text="nobody")) == {"total": 0, "flips": 0, "rows": []}


def test_pages_follow_each_other(specimens):
    assert names(specimens.page(Filters(), 1, 1)) == ["spec002"]
    assert names(specimens.page(Filters(), 5, 1)) == []


def test_a_hundred_thousand_specimens_answer_at_once():
    count = 100_000
    specimen = np.repeat([f"s{n:06d}" for n in range(count)], 4)
    scans = pd.DataFrame(
        {
            "slide_id": [f"x{n}" for n in range(4 * count)],
            "specimen_id": specimen,
            "patient_id": specimen,
            "scanner": ["a", "b", "c", "d"] * count,
            "label": 0,
        }
    )
    score = np.random.default_rng(0).uniform(size=4 * count)
    run = ViewedRun("large", scans, np.column_stack([1 - score, score]), ("no", "yes"), 0.5, frozenset(), {})
    specimens = SpecimenList(run)
    specimens.page(Filters())
    start = time.process_time()
    page = specimens.page(Filters(flips=True, text="s0999"), 20, 100)
    assert time.process_time() - start < 0.5
    assert len(page["rows"]) == page["total"] - 20
