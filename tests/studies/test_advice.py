from __future__ import annotations

from scangen_bundle.statistics.compare import Comparison
from scangen_bundle.statistics.estimate import Estimate
from scangen_bundle.studies.advice import advise
from scangen_bundle.studies.table import Difference, Row


def difference(first, value, half_width=0.02, p_holm=0.001):
    found = Estimate(value, value - half_width, value + half_width)
    return Difference(Comparison(first, first + value, found, half_width / 2, p_holm, 2.0), p_holm)


def row(method, flips, auroc=0.9, flips_p=0.001, auroc_half_width=0.005, auroc_p=0.5, is_ensemble=False):
    estimates = {"flip_rate": Estimate(flips, flips - 0.02, flips + 0.02), "auroc/mean_unseen": Estimate(auroc)}
    against = {}
    if method != "plain":
        against["plain"] = {
            "flip_rate": difference(0.4, flips - 0.4, p_holm=flips_p),
            "auroc/mean_unseen": difference(0.9, auroc - 0.9, auroc_half_width, auroc_p),
        }
    return Row(method, method, is_ensemble, estimates, {}, against)


PLAIN = row("plain", 0.4)


def test_the_method_with_the_fewest_flips_is_advised_with_its_reason():
    advice = advise([PLAIN, row("scangen", 0.3), row("agree", 0.15)], {"agree": "two scans of a specimen"})
    assert advice.method == "agree"
    for word in ("Train with agree", "15%", "40%", "not told apart", "it needs two scans of a specimen"):
        assert word in advice.sentence


def test_equal_methods_are_named():
    sentence = advise([PLAIN, row("shrink", 0.16), row("agree", 0.15), row("scangen", 0.3)], {}).sentence
    assert "not told apart from it: shrink" in sentence
    assert "scangen" not in sentence


def test_a_method_that_may_cost_accuracy_is_not_advised():
    collapsed = row("collapse", 0.0, auroc=0.5)
    assert advise([PLAIN, collapsed, row("scangen", 0.3)], {}).method == "scangen"
    advice = advise([PLAIN, collapsed], {})
    assert advice.method == "plain"
    assert "may cost" in advice.sentence


def test_where_nothing_is_clearly_better_plain_training_is_kept():
    advice = advise([PLAIN, row("scangen", 0.38, flips_p=0.4)], {})
    assert advice.method == "plain"
    assert "no method tried here" in advice.sentence


def test_ensembles_are_not_advised():
    assert advise([PLAIN, row("agree", 0.2), row("agree", 0.1, is_ensemble=True)], {}).method == "agree"


def test_without_the_baseline_there_is_no_advice():
    assert advise([row("agree", 0.2)], {}).method == ""
