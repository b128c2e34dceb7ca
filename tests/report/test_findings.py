"""The sentences and titles of a page say what the figures are of."""

import numpy as np
import pytest

from scangen_bundle.measures import compare_predictions
from scangen_bundle.report.estimates import text
from scangen_bundle.report.html import make_context
from scangen_bundle.report.sections.comparison import comparison_section
from scangen_bundle.report.sections.headline import findings, percent
from scangen_bundle.report.words import title_of
from scangen_bundle.statistics.estimate import Estimate

from .cohort import SCANNERS, evaluate, simulate


def said(table, class_names=("negative", "positive")):
    return " ".join(findings(make_context(evaluate(table), table, class_names)))


def test_a_mean_says_how_many_scanners_it_is_over():
    table = simulate()
    assert "Averaged over scanners, a positive scan" in said(table)
    one_class = table[(table["scanner"] != SCANNERS[0]) | (table["label"] == 1)]
    sentences = said(one_class)
    assert "Averaged over the 2 scanners where it is defined, a positive scan" in sentences
    assert f"The AUROC on {SCANNERS[0]} is undefined: all labelled scans are of class 1" in sentences


def test_of_three_classes_no_scan_is_called_positive():
    table = simulate().drop(columns="probability")
    table["label"] = table["specimen_id"].str[1:].astype(int) // 2 % 3
    score = np.random.default_rng(0).dirichlet(np.ones(3), len(table))
    table[["probability_0", "probability_1", "probability_2"]] = score
    text = said(table, ("a", "b", "c"))
    assert "Averaged over scanners and classes, a scan of a class scores higher for it" in text
    assert "positive" not in text


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("auroc/worst", "AUROC, worst scanner"),
        ("ccc/mean", "Lin's CCC, mean over pairs of scanners"),
        ("cohen_kappa/worst", "Cohen's kappa, worst pair of scanners"),
        ("cov", "CoV"),
    ],
)
def test_aggregates_are_called_after_what_they_are_over(key, title):
    assert title_of(evaluate(simulate(specimens=8)), key) == title


def test_a_comparison_shows_flips_and_effects():
    table = simulate(specimens=20)
    other = table.assign(probability=table["probability"] ** 2)
    both = tuple(make_context(evaluate(t), t, ("negative", "positive")) for t in (table, other))
    section = comparison_section(compare_predictions(table, other, resamples=40), ("before", "after"), both)
    panels = {panel.key for panel in section.blocks[1].panels}
    assert {"comparison-auroc", "comparison-difference", "comparison-flips"} <= panels
    columns = [column.name for column in section.blocks[2].columns]
    assert columns == ["metric", "before", "after", "difference", "effect", "p", "p, Holm"]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.12, "12 %"),
        (0.0031, "0.3 %"),
        (0.00004, "0.004 %"),
        (0.996, "99.6 %"),
        (1.4, "140 %"),
    ],
)
def test_only_nothing_is_zero_and_only_all_is_a_hundred_percent(share, text):
    assert percent(share) == text.replace(" ", "\N{NO-BREAK SPACE}")


def test_a_zero_has_no_sign():
    assert text(Estimate(-1e-9, -1e-9, 0.5)) == "0.000 (0.000–0.500)"
    assert text(Estimate(0.1, -0.25, 0.5), 2) == "0.10 (-0.25 to 0.50)"


def test_a_network_that_scores_all_specimens_alike_is_called_out():
    table = simulate()
    flat = table.assign(probability=0.5 + 0.02 * (table["probability"] - 0.5))
    assert "so agreement between scanners means nothing." in said(flat)
    assert "means nothing" not in said(table)
