"""Calibration equals scikit-learn's and a loop over bins."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from scangen_bundle.measures.of_predictions.ece import BINS, equal_width_bins
from scangen_bundle.measures.of_predictions.ece_equal_mass import equal_mass_bins
from scangen_bundle.measures.predictions import check_predictions

from ..tables import cohort, measures_of, multi_class, observed, repeated, statistic_of

NAMES = measures_of("calibration")


def draw(n=400, seed=0):
    generator = np.random.default_rng(seed)
    p = generator.random(n)
    return (generator.random(n) < p**1.5).astype(int), p


def of_one_scanner(label, p):
    """Figures by name of scans of as many patients."""
    ids = [f"s{i}" for i in range(len(p))]
    table = pd.DataFrame({"slide_id": ids, "specimen_id": ids, "patient_id": ids, "scanner": "A", "label": label})
    figures = observed(table.assign(probability=p), NAMES)
    return {key.removesuffix("/A"): value for key, value in figures.items()}


def test_ece_by_hand():
    label, p = np.array([0, 1, 1, 1]), np.array([0.05, 0.05, 0.95, 1.0])
    assert equal_width_bins(p).tolist() == [0, 0, 9, 9]
    expected = 0.5 * abs(0.05 - 0.5) + 0.5 * abs(0.975 - 1)
    assert of_one_scanner(label, p)["ece"] == pytest.approx(expected, abs=1e-15)


def test_ece_equals_scikit_learns_calibration_curve():
    label, p = draw()
    frequency, mean = calibration_curve(label, p, n_bins=BINS)
    share = np.bincount(equal_width_bins(p), minlength=BINS) / len(p)
    expected = (share[share > 0] * np.abs(frequency - mean)).sum()
    assert of_one_scanner(label, p)["ece"] == pytest.approx(expected, abs=1e-12)


def test_equal_mass_bins_have_equal_numbers_and_keep_ties_together():
    _, p = draw(405)
    counts = np.bincount(equal_mass_bins(p))
    assert len(counts) == BINS
    assert counts.max() - counts.min() <= 1
    tied = np.array([0.1, 0.2, 0.2, 0.2, 0.9])
    assert equal_mass_bins(tied).tolist() == [0, 2, 2, 2, 8]


def test_a_resample_whose_classes_are_parted_or_lack_one_has_no_slope():
    p = np.array([0.1, 0.3, 0.6, 0.4, 0.7, 0.9])
    rows = {"slide_id": list("abcdef"), "specimen_id": list("abcdef"), "patient_id": list("abcdef"), "scanner": "A"}
    checked = check_predictions(pd.DataFrame({**rows, "label": [0, 0, 0, 1, 1, 1], "probability": p}))
    drawn = np.array([list(counts) for counts in product(range(3), repeat=6)], dtype=np.int32)
    slopes = statistic_of(checked, ["calibration_slope"])(drawn)["calibration_slope/A"]
    for counts, slope in zip(drawn, slopes, strict=True):
        negative, positive = p[:3][counts[:3] > 0], p[3:][counts[3:] > 0]
        both = len(negative) and len(positive)
        overlap = both and negative.max() > positive.min() and positive.max() > negative.min()
        assert np.isfinite(slope) == bool(overlap), counts


@pytest.mark.parametrize("decimals", [None, 1])
def test_a_weight_is_a_number_of_copies_of_the_patient(decimals):
    table = cohort(80, missing=0.1, decimals=decimals)
    checked = check_predictions(table)
    weights = np.random.default_rng(5).integers(3, size=(1, len(checked.patients))).astype(np.int32)
    weighted = statistic_of(checked, NAMES, validation_sensitivity=0.8)(weights)
    copied = check_predictions(repeated(table, weights[0], checked.patients))
    for key, value in observed(copied, NAMES, validation_sensitivity=0.8).items():
        if not key.startswith("ece_equal_mass"):  # its bins are those of the observed data
            assert weighted[key][0] == pytest.approx(value, abs=1e-9), key


def test_each_scanner_has_its_own_figures():
    table = cohort()
    figures = observed(table, NAMES, validation_sensitivity=0.8)
    for scanner, rows in table.groupby("scanner"):
        label, p = rows.label.to_numpy(), rows.probability.to_numpy()
        alone = of_one_scanner(label, p)
        assert figures[f"brier/{scanner}"] == pytest.approx(brier_score_loss(label, p), abs=1e-12)
        for name, bins in (("ece", equal_width_bins(p)), ("ece_equal_mass", equal_mass_bins(p))):
            expected = sum(abs((p - label)[bins == b].sum()) for b in range(BINS)) / len(p)
            assert figures[f"{name}/{scanner}"] == pytest.approx(expected, abs=1e-12)
        assert figures[f"calibration_slope/{scanner}"] == pytest.approx(alone["calibration_slope"], abs=1e-9)
        assert figures[f"calibration_intercept/{scanner}"] == pytest.approx(alone["calibration_intercept"], abs=1e-9)
        kept = max(t for t in p if (p[label == 1] >= t).mean() >= 0.8)
        assert figures[f"threshold_drift/{scanner}"] == pytest.approx(kept - 0.5, abs=1e-12)
    assert figures["brier/worst"] == max(figures[f"brier/{s}"] for s in "ABC")


def test_more_classes_are_the_mean_of_one_against_the_rest():
    table = multi_class()
    figures = observed(table, NAMES)
    rows = table[table.scanner == "B"]
    columns = [(rows.label == c, rows[f"probability_{c}"]) for c in range(3)]
    assert figures["brier/B"] == pytest.approx(np.mean([((p - y) ** 2).mean() for y, p in columns]), abs=1e-12)
    slopes = [of_one_scanner(y.to_numpy().astype(int), p.to_numpy())["calibration_slope"] for y, p in columns]
    assert figures["calibration_slope/B"] == pytest.approx(np.mean(slopes), abs=1e-9)
    assert not any(key.startswith("threshold_drift") for key in figures)


def test_undefined_figures_have_a_reason():
    table = cohort()
    table.loc[(table.scanner == "B") & (table.label == 1), "label"] = -1
    table.loc[table.scanner == "C", "probability"] = 0.3
    statistic = statistic_of(table, NAMES)
    figures = statistic.observed()
    assert {key for key, value in figures.items() if np.isnan(value)} == set(statistic.reasons)
    assert "lack a class" in statistic.reasons["calibration_slope/B"]
    assert "same score" in statistic.reasons["calibration_slope/C"]
    assert "not given" in statistic.reasons["threshold_drift/A"]
