"""Two models that predicted the same scans: the difference of every measure, in the layout of `evaluate.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.measures.evaluate import check_options, document, labelled, longest, tuple_to_json
from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_statistic import PredictionStatistic, unlike_aggregates
from scangen_bundle.measures.predictions import BETWEEN, RESERVED, Predictions, check_predictions
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.compare import Comparison, compare_statistics, holm
from scangen_bundle.statistics.delong import delong_test
from scangen_bundle.statistics.estimate import number_or_none


def compare_predictions(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    threshold: float = 0.5,
    threshold_second: float | None = None,
    validation_sensitivity: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    unseen_scanners: Collection[str] = (),
    confidence: float = 0.95,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Every measure's difference between two models that predicted the same scans, on the same resamples of patients.

    Args:
        first, second: tables as for `evaluate_predictions`, the rows in any order.
        threshold, threshold_second: each model's own; None: both have `threshold`.
        validation_sensitivity, resamples, seed, unseen_scanners, confidence, names: as for `evaluate_predictions`.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes, in the layout of `evaluate.py`.

    Raises:
        ValueError: as for `evaluate_predictions`, or the tables differ in anything but the probabilities.
        InputError: a measure has a name that does not exist.
    """
    checked, checked_second = _aligned(check_predictions(first), check_predictions(second))
    threshold_second = threshold if threshold_second is None else threshold_second
    for value in (threshold, threshold_second):
        check_options(checked, value, validation_sensitivity, unseen_scanners, confidence)
    names = None if names is None else list(names)
    data = PredictionData(checked, threshold, validation_sensitivity, unseen_scanners)
    statistic = PredictionStatistic(data, names)
    pairs = list(data.pairs)
    data_second = PredictionData(checked_second, threshold_second, validation_sensitivity, unseen_scanners, pairs)
    statistic_second = PredictionStatistic(data_second, names)
    bootstrap = PatientBootstrap(checked.strata(), resamples, seed)
    unlike = unlike_aggregates(statistic, statistic_second)
    comparisons = compare_statistics([(statistic, statistic_second)], bootstrap, longest(checked), confidence, unlike)
    settings = {
        "threshold": threshold,
        "threshold_second": threshold_second,
        "validation_sensitivity": validation_sensitivity,
        "resamples": resamples,
        "seed": seed,
        "confidence": confidence,
        "unseen_scanners": sorted(unseen_scanners),
    }
    tests = _delong_tests(checked, checked_second)
    return document(data, _with_holm(comparisons), tests, settings, statistic.measures)


def _with_holm(comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    """Comparisons as JSON, with Holm's p-values within each measure over its scanners, and over its pairs of scanners."""
    figures: dict[str, dict[str, Any]] = {}
    families: dict[tuple[str, bool], list[str]] = {}
    for key, comparison in comparisons.items():
        figures[key] = {**comparison.to_json(), "p_holm": None}
        name, _, scope = key.partition("/")
        if scope and scope not in RESERVED:
            families.setdefault((name, BETWEEN in scope), []).append(key)
    for keys in families.values():
        adjusted = holm([comparisons[key].p_value for key in keys])
        for key, value in zip(keys, adjusted, strict=True):
            figures[key]["p_holm"] = number_or_none(value)
    return figures


def _delong_tests(first: Predictions, second: Predictions) -> dict[str, Any]:
    if first.classes > 2:
        return {}
    tests, p_values = {}, []
    for index, scanner in enumerate(first.scanners):
        rows = labelled(first, index)
        test = delong_test(first.label[rows], first.probability[rows, 1], second.probability[rows, 1])
        tests[scanner] = tuple_to_json(test._asdict())
        p_values.append(test.p_value)
    for entry, value in zip(tests.values(), holm(p_values), strict=True):
        entry["p_holm"] = number_or_none(value)
    return tests


def _aligned(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """The second model's predictions in the first one's order of scans.

    Raises:
        ValueError: other scans, identities, labels or numbers of classes.
    """
    if first.classes != second.classes:
        raise ValueError(f"the first table has {first.classes} classes, the second {second.classes}")
    place = pd.Series(np.arange(len(second.slide_id)), index=second.slide_id)
    missing = [name for name in first.slide_id if name not in place.index]
    extra = sorted(set(second.slide_id) - set(first.slide_id))
    if missing or extra:
        raise ValueError(
            f"the tables must have the same scans: {len(missing)} are only in the first ({', '.join(missing[:3])}), "
            f"{len(extra)} only in the second ({', '.join(extra[:3])})"
        )
    order = place[first.slide_id].to_numpy()
    ours, theirs = _identities(first), _identities(second)
    for name, values in ours.items():
        others = theirs[name][order]
        different = np.flatnonzero(values != others)
        if len(different):
            row = different[0]
            raise ValueError(
                f"the tables disagree on {name} of {len(different)} scans, first {first.slide_id[row]!r}: "
                f"{values[row]} and {others[row]}"
            )
    return first, first.with_probability(second.probability[order])


def _identities(predictions: Predictions) -> dict[str, np.ndarray]:
    """What has to be the same for a scan in both tables, [N] each."""
    return {
        "patient_id": np.array(predictions.patients)[predictions.patient],
        "specimen_id": np.array(predictions.specimens)[predictions.specimen],
        "scanner": np.array(predictions.scanners)[predictions.scanner],
        "label": predictions.label,
    }
