"""The page: what it says, and in a real browser that it sorts, fits and asks for nothing."""

from __future__ import annotations

import math

import pytest

from scangen_bundle.statistics.compare import Comparison
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.studies.advice import Advice
from scangen_bundle.studies.figures import resample
from scangen_bundle.studies.outcome import MethodFacts, SchemeOutcome, StudyOutcome
from scangen_bundle.studies.page import difference_cell, estimate_cell, write_page
from scangen_bundle.studies.plan import Scheme
from scangen_bundle.studies.table import Difference, tabulate
from tests.report.browser import browser_page
from tests.studies.test_table import models


def outcome() -> StudyOutcome:
    rows = tabulate(resample(models(), resamples=20), ("plain", "scangen"), 4)
    scheme = Scheme("Each scanner left out", (("ga",), ("gb",)))
    first = SchemeOutcome(
        scheme,
        rows,
        Advice("steady", "Train with steady."),
        {"agree": "needs pairs"},
        {"cell-1": "out of memory"},
        {"one_se": rows},
    )
    empty = SchemeOutcome(
        Scheme("Nothing worked", training="once"), [], Advice("", "No advice."), {"agree": "needs pairs"}
    )
    facts = [
        MethodFacts("plain", "the task alone", "", 4, 2.5, 160_515),
        MethodFacts("agree", "never trained", "pairs", 0, math.nan, 0),
    ]
    return StudyOutcome([first, empty], facts, {"folds": "3"}, "nll", 20, 12)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    return write_page(folder, outcome())


def test_it_tells_the_advice_what_is_missing_and_what_it_is_for(page):
    text = page.read_text()
    for words in (
        "Train with steady.",
        "needs pairs",
        "out of memory",
        "8 of 20 trainings have no result",
        "esearch use only",
        "Each held-out scanner",
        "Compared with plain",
        "Compared with scangen",
        "chosen by one_se",
        "160,515",
        "not told apart",
    ):
        assert words in text, words


def test_plots_are_written_as_svg_and_pdf(page):
    names = {path.name for path in (page.parent / "plots").iterdir()}
    assert {"each-scanner-left-out-plane.svg", "each-scanner-left-out-plane.pdf"} <= names
    before = {path: path.read_bytes() for path in (page.parent / "plots").iterdir()}
    write_page(page.parent, outcome())
    assert {path: path.read_bytes() for path in before} == before


def test_cells_say_what_is_undefined_and_what_is_not_told_apart():
    assert estimate_cell(Estimate(reason="one scanner")).detail == "one scanner"
    assert estimate_cell(Estimate(0.5, 0.4, 0.6), 0.01).detail == "0.400 to 0.600; ±0.010"
    found = Comparison(0.5, 0.4, Estimate(-0.1, -0.2, 0.05), 0.05, 0.2, -1.0)
    assert "not told apart" in difference_cell(Difference(found, 0.2)).detail
    clear = Comparison(0.5, 0.4, Estimate(-0.1, -0.2, -0.05), 0.05, 0.001, -3.0)
    assert "not told apart" not in difference_cell(Difference(clear, 0.0005, 0.01, 2)).detail
    assert difference_cell(None).text == ""


LEADERBOARD = "document.querySelectorAll('#each-scanner-left-out-leaderboard {}')"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_fits_fails_nowhere_and_asks_for_nothing(page, tab, width):
    tab.problems.clear()
    tab.requests.clear()
    tab.open(page, width)
    assert tab.problems == []
    assert set(tab.requests) <= {page.resolve().as_uri()}
    assert tab.run("document.documentElement.scrollWidth") == width
    sizes = tab.run("[...document.querySelectorAll('figure svg')].map(svg => svg.getBoundingClientRect().width)")
    assert len(sizes) == 3
    assert min(sizes) > 200
    ids = tab.run("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_the_leaderboard_sorts_by_a_column(page, tab):
    tab.open(page)
    tab.run(f"{LEADERBOARD.format('thead button')}[1].click()")
    values = tab.run(f"[...{LEADERBOARD.format('tbody tr')}].map(row => Number(row.children[1].dataset.value))")
    assert len(values) == 6
    assert values in (sorted(values), sorted(values, reverse=True))
