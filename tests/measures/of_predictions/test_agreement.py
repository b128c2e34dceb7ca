"""Agreement equals pingouin's, scikit-learn's and hand-computed figures."""

from itertools import combinations

import numpy as np
import pandas as pd
import pingouin
import pytest
from sklearn.metrics import cohen_kappa_score

from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.measures.specimen_spread import coefficient_of_variation, flip_rate, score_table, specimen_spread

from ..tables import cohort, measures_of, multi_class, observed, repeated, statistic_of

NAMES = measures_of("agreement", "pairs")
NAN = np.nan


def figures_of(table, threshold=0.5):
    statistic = statistic_of(table, NAMES, threshold)
    return statistic.observed(), statistic


def wide(table):
    return table.pivot_table(index="specimen_id", columns="scanner", values="probability")


def test_cov_by_hand_with_a_gap():
    scores = np.array([[0.2, 0.4, NAN], [0.5, 0.5, 0.5], [0.9, NAN, NAN]])
    assert coefficient_of_variation(scores) == pytest.approx((np.sqrt(0.02) / 0.3 + 0) / 2, abs=1e-15)
    assert np.isnan(coefficient_of_variation(scores[2:]))


def test_cov_of_zero_scores_is_undefined_not_zero():
    assert np.isnan(coefficient_of_variation(np.zeros((3, 2))))
    assert coefficient_of_variation(np.array([[0.0, 0.0], [0.1, 0.3]])) == pytest.approx(np.sqrt(0.02) / 0.2)


def test_flips_by_hand():
    classes = np.array([[0, 0, 1], [1, 1, NAN], [1, NAN, NAN], [0, 0, 0]])
    assert flip_rate(classes) == pytest.approx(1 / 3)
    assert np.isnan(flip_rate(classes[2:3]))


def test_spread_equals_a_loop_over_pairs():
    generator = np.random.default_rng(0)
    scores = np.where(generator.random((50, 5)) < 0.3, NAN, generator.random((50, 5)))
    spread = specimen_spread(scores)
    for row, values in enumerate(scores):
        values = values[np.isfinite(values)]
        if len(values) < 2:
            assert all(np.isnan(value[row]) for value in spread.values())
            continue
        expected = np.mean([abs(a - b) for a, b in combinations(values, 2)])
        assert spread["abs_difference"][row] == pytest.approx(expected, abs=1e-12)
        assert spread["sd"][row] == pytest.approx(values.std(ddof=1), abs=1e-12)
        assert spread["cov"][row] == pytest.approx(values.std(ddof=1) / values.mean(), abs=1e-12)
        assert spread["score_range"][row] == pytest.approx(np.ptp(values), abs=1e-12)


def test_several_scans_on_one_scanner_count_as_their_mean():
    table = score_table(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), np.array([0.2, 0.4, 0.9, 0.5]), (2, 2))
    np.testing.assert_allclose(table, [[0.3, 0.9], [NAN, 0.5]], atol=1e-15)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_icc_equals_pingouins(missing):
    table = cohort(missing=missing)
    figures, _ = figures_of(table)
    complete = wide(table).dropna().stack().rename("score").reset_index()
    icc = pingouin.intraclass_corr(complete, "specimen_id", "scanner", "score").set_index("Type")["ICC"]
    key = next(name for name in icc.index if name in ("ICC2", "ICC(A,1)"))
    assert figures["icc"] == pytest.approx(icc[key], abs=1e-10)


def test_icc_of_shrout_and_fleiss_own_example():
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    rows = [
        (f"s{m}{s}", f"m{m}", f"p{m}", "ABCD"[s], 0, value / 10)
        for m, row in enumerate(ratings)
        for s, value in enumerate(row)
    ]
    table = pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability"])
    assert figures_of(table)[0]["icc"] == pytest.approx(0.2898, abs=5e-5)  # table 4 of the paper: .29


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_pairs_equal_their_definitions_and_scikit_learns_kappa(missing):
    table = cohort(missing=missing)
    figures, _ = figures_of(table, 0.45)
    for a, b in combinations("ABC", 2):
        both = wide(table)[[a, b]].dropna()
        x, y, d = both[a], both[b], both[a] - both[b]
        ccc = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var(ddof=0) + y.var(ddof=0) + (x.mean() - y.mean()) ** 2)
        expected = {
            "ccc": ccc,
            "abs_difference": d.abs().mean(),
            "flip_rate": ((x >= 0.45) != (y >= 0.45)).mean(),
            "cohen_kappa": cohen_kappa_score(x >= 0.45, y >= 0.45),
            "bland_altman_bias": d.mean(),
            "bland_altman_lower": d.mean() - 1.96 * d.std(ddof=1),
            "bland_altman_upper": d.mean() + 1.96 * d.std(ddof=1),
        }
        for name, value in expected.items():
            assert figures[f"{name}/{a} vs {b}"] == pytest.approx(value, abs=1e-10), name


def test_fleiss_kappa_equals_its_definition_and_fleiss_own_example():
    votes = [[0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1], [7, 7, 0, 0, 0]]
    votes += [[3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7]]  # the published kappa is 0.210
    rows = []
    for m, row in enumerate(votes):
        for rater, category in enumerate(np.repeat(np.arange(5), row)):
            p = np.eye(5)[category]
            rows.append((f"s{m}_{rater}", f"m{m}", f"p{m}", f"scanner{rater:02d}", -1, *p))
    identity = ["slide_id", "specimen_id", "patient_id", "scanner", "label"]
    table = pd.DataFrame(rows, columns=identity + [f"probability_{c}" for c in range(5)])
    assert figures_of(table)[0]["fleiss_kappa"] == pytest.approx(0.210, abs=5e-4)


def test_specimens_on_all_scanners_agree_or_not():
    table = cohort(missing=0.3)
    figures, _ = figures_of(table)
    classes = wide(table) >= 0.5
    seen = wide(table).notna()
    complete = classes[seen.all(axis=1)]
    assert figures["all_scanner_agreement"] == pytest.approx((complete.nunique(axis=1) == 1).mean())
    several = [
        np.unique(row[known]).size > 1
        for row, known in zip(classes.values, seen.values, strict=True)
        if known.sum() > 1
    ]
    assert figures["flip_rate"] == pytest.approx(np.mean(several))


def test_more_classes_average_the_scores_and_vote_with_the_largest():
    table = multi_class()
    figures, _ = figures_of(table)
    covs = []
    for c in range(3):
        scores = table.pivot(index="specimen_id", columns="scanner", values=f"probability_{c}").to_numpy()
        covs.append(coefficient_of_variation(scores))
    assert figures["cov"] == pytest.approx(np.mean(covs), abs=1e-12)
    guess = table.assign(guess=table[[f"probability_{c}" for c in range(3)]].to_numpy().argmax(axis=1))
    classes = guess.pivot(index="specimen_id", columns="scanner", values="guess")
    assert figures["flip_rate"] == pytest.approx((classes.nunique(axis=1) > 1).mean())
    assert figures["cohen_kappa/A vs B"] == pytest.approx(cohen_kappa_score(classes["A"], classes["B"]), abs=1e-12)
    assert not any(key.startswith("bland_altman") for key in figures)


def test_a_weight_is_a_number_of_copies_of_the_patient():
    table = cohort(40, missing=0.2)
    checked = check_predictions(table)
    weights = np.random.default_rng(5).integers(3, size=(1, len(checked.patients))).astype(np.int32)
    weighted = statistic_of(checked, NAMES)(weights)
    copied = check_predictions(repeated(table, weights[0], checked.patients))
    for key, value in observed(copied, NAMES).items():
        assert weighted[key][0] == pytest.approx(value, abs=1e-10), key


def test_specimens_on_one_scanner_only_leave_everything_undefined_with_a_reason():
    table = cohort()
    table["specimen_id"] = table["specimen_id"] + table["scanner"]
    figures, statistic = figures_of(table)
    assert all(np.isnan(value) for value in figures.values())
    assert set(statistic.reasons) == set(figures)
    assert statistic.reasons["cov"] == "no specimen was scanned on two scanners"
    assert statistic.reasons["ccc/A vs B"] == "0 specimens were scanned on both A and B"


def test_constant_scores_leave_ratios_undefined_with_a_reason():
    figures, statistic = figures_of(cohort().assign(probability=0.3))
    for key in ("icc", "logit_icc", "logit_sd_ratio", "fleiss_kappa", "ccc/A vs B", "cohen_kappa/A vs B", "ccc/mean"):
        assert np.isnan(figures[key])
        assert statistic.reasons[key]
    assert figures["cov"] == figures["sd"] == figures["flip_rate"] == figures["specimen_sd"] == 0.0
    assert figures["all_scanner_agreement"] == 1.0


def test_one_scanner_is_undefined_without_an_error():
    figures, statistic = figures_of(cohort(scanners="A"))
    assert set(figures) <= set(NAMES)
    assert all(np.isnan(value) for value in figures.values())
    assert statistic.reasons["icc"] == "there is one scanner only"


def logits(table):
    p = table["probability"].clip(1e-6, 1 - 1e-6)
    return table.assign(logit=np.log(p / (1 - p)))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_logits_icc_equals_pingouins(missing):
    table = logits(cohort(missing=missing))
    complete = table.pivot(index="specimen_id", columns="scanner", values="logit").dropna()
    long = complete.stack().rename("score").reset_index()
    icc = pingouin.intraclass_corr(long, "specimen_id", "scanner", "score").set_index("Type")["ICC"]
    key = next(name for name in icc.index if name in ("ICC2", "ICC(A,1)"))
    assert figures_of(table)[0]["logit_icc"] == pytest.approx(icc[key], abs=1e-10)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_logits_sd_ratio_equals_its_definition(missing):
    table = logits(cohort(missing=missing))
    wide_logits = table.pivot(index="specimen_id", columns="scanner", values="logit")
    several = wide_logits[wide_logits.notna().sum(axis=1) >= 2]
    within = np.sqrt(several.var(axis=1, ddof=1).mean())
    between = several.mean(axis=1).std(ddof=1)
    assert figures_of(table)[0]["logit_sd_ratio"] == pytest.approx(within / between, abs=1e-10)


def test_the_scale_of_the_logits_changes_cov_but_neither_the_logits_icc_nor_their_sd_ratio():
    table = cohort()
    flat = table.assign(probability=1 / (1 + np.exp(-logits(table)["logit"] / 4)))
    before, after = figures_of(table)[0], figures_of(flat)[0]
    for key in ("logit_icc", "logit_sd_ratio", "flip_rate"):
        assert after[key] == pytest.approx(before[key], abs=1e-9)
    assert after["cov"] < 0.5 * before["cov"]


def test_certain_scores_keep_finite_logits():
    figures, _ = figures_of(cohort().assign(probability=lambda table: table["label"].astype(float)))
    assert figures["logit_sd_ratio"] == pytest.approx(0)
    assert figures["logit_icc"] == pytest.approx(1)


def test_the_sd_between_specimens_is_that_of_their_mean_scores():
    table = cohort()
    means = wide(table).mean(axis=1)
    assert figures_of(table)[0]["specimen_sd"] == pytest.approx(means.std(ddof=1), abs=1e-12)


def many_scanners(count):
    return cohort(12, scanners=[f"scanner{number:03d}" for number in range(count)], per_patient=1)


def test_of_very_many_pairs_the_worst_have_values_and_the_others_are_summed_up():
    table = many_scanners(20)
    figures, statistic = figures_of(table)
    pairs = [key for key in figures if key.startswith("ccc/") and " vs " in key]
    assert len(pairs) == 20
    names = sorted(set(table.scanner))
    scores = wide(table)
    differences = {f"{a} vs {b}": (scores[a] - scores[b]).abs().mean() for a, b in combinations(names, 2)}
    worst = sorted(differences, key=differences.get)[-20:]
    assert {key.removeprefix("ccc/") for key in pairs} == set(worst)
    kappas = [cohen_kappa_score(scores[a] >= 0.5, scores[b] >= 0.5) for a, b in combinations(names, 2)]
    assert figures["cohen_kappa/mean"] == pytest.approx(np.nanmean(kappas), abs=1e-10)
    assert figures["cohen_kappa/worst"] == pytest.approx(np.nanmin(kappas), abs=1e-10)
    assert "of 190" in statistic.without_interval["ccc/mean"]
    assert "ccc/mean" not in statistic.reasons
