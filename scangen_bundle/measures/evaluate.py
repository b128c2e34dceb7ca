"""The whole evaluation of a table of predictions: what `metrics.json` holds.

Layout, `SCHEMA_VERSION` 2, as JSON Schema in `docs/metrics.schema.json`. Every number may be null; a `reason` beside it then
says why.

- `schema_version`, `notice`.
- `settings`: `classes`, `threshold`, `validation_sensitivity`, `resamples`, `seed`, `confidence`, `unseen_scanners`; where they
  are known also `threshold_source` (how the threshold was chosen), `class_names`, `method` (what made scanners agree) and
  `fitted_on_held_out` (whether it was fitted on training patients' scans of scanners that training held out).
- `cohort`: `scans`, `unlabelled_scans`, `specimens`, `patients`, and `scanners`: by name `scans`, `specimens`, `patients`,
  `labels` (scans by label), `seen`.
- `figures`: by key `value`; `low`, `high` (percentile interval); `bca_low`, `bca_high` (BCa interval); `defined` (share of
  the resamples in which it is defined); `scanners` (those that enter it); `reason` (why the value is null);
  `interval_reason` (why an interval is null); `interval_method` ("bootstrap", "exact", or "exact, perfect separation" for an
  AUROC at 0 or 1, see `exact`; low and high are then the same for both kinds). A key is `<figure>/<scanner>`,
  `<figure>/<a> vs <b>`, `<figure>/mean|worst|range|mean_seen|mean_unseen`, or `<figure>`.
- `delong`: by scanner `auroc`, `standard_error`, `low`, `high`, `reason`, `method`; two classes only.
- `embedding` (of a run): what `evaluate_embeddings` gives.
- `definitions`: by figure `title`, `meaning`, `better`.

`compare_predictions` gives the same with `settings.threshold_second`, and in `figures` by key `first`, `second`,
`difference` (second - first), `low`, `high`, `bca_low`, `bca_high`, `standard_error`, `effect`, `p_value`, `p_holm` (within
a figure over its scanners or pairs), `reason`, `caution` (what the interval leaves out); in
`delong` by scanner `difference`, `standard_error`, `z`, `p_value`,
`p_holm`, `reason`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.measures.agreement import Agreement, pair_name
from scangen_bundle.measures.calibration import Calibration
from scangen_bundle.measures.definitions import DEFINITIONS
from scangen_bundle.measures.discrimination import Discrimination
from scangen_bundle.measures.predictions import RESERVED, UNLABELLED, Predictions, check_predictions
from scangen_bundle.statistics.bootstrap import Interval, PatientBootstrap
from scangen_bundle.statistics.compare import compare_statistics, holm, holm_by_figure
from scangen_bundle.statistics.delong import delong_interval, delong_test
from scangen_bundle.statistics.exact import EXACT

SCHEMA_VERSION = 2
NOTICE = "Research use only. Not a medical device."

Family = Discrimination | Agreement | Calibration


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    threshold: float = 0.5,
    validation_sensitivity: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    unseen_scanners: Collection[str] = (),
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Every figure of a model per scanner, over scanners and per specimen, with intervals that resample patients.

    Args:
        predictions: one row per scan, see `check_predictions`.
        threshold: of the probability of class 1, chosen on validation patients; unused with more than two classes.
        validation_sensitivity: what the threshold had on validation, for the threshold drift.
        resamples: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
        unseen_scanners: scanners that the model was not trained on.
        confidence: of the intervals.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes, in the module's layout.

    Raises:
        ValueError: the table is wrong (see `check_predictions`), an unseen scanner is not in it, or an option is out of range.
    """
    checked = check_predictions(predictions)
    _check_options(checked, threshold, validation_sensitivity, unseen_scanners, confidence)
    families = _families(checked, threshold, validation_sensitivity, unseen_scanners)
    bootstrap = PatientBootstrap(checked.strata(), resamples, seed)
    result = bootstrap.run(families, _longest(checked))
    members = _members(families, checked.scanners)
    figures = {}
    for key, value in result.observed.items():
        interval = result.interval(key, confidence)
        figures[key] = {
            "value": _number(value),
            **_ends(interval),
            "interval_reason": interval.reason or interval.bca_reason or None,
            "interval_method": _method(interval, key),
            "scanners": members.get(key, list(checked.scanners)),
            "reason": result.reasons.get(key, "undefined on these data") if math.isnan(value) else None,
        }
    return _document(
        checked,
        figures,
        _delong(checked, confidence),
        threshold=threshold,
        validation_sensitivity=validation_sensitivity,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
        unseen_scanners=sorted(unseen_scanners),
    )


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
) -> dict[str, Any]:
    """Every figure's difference between two models that predicted the same scans, on the same resamples of patients.

    Args:
        first, second: tables as for `evaluate_predictions`, the rows in any order.
        threshold, threshold_second: each model's own; None: both have `threshold`.
        validation_sensitivity, resamples, seed, unseen_scanners, confidence: as for `evaluate_predictions`.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes, in the module's layout.

    Raises:
        ValueError: as for `evaluate_predictions`, or the tables differ in anything but the probabilities.
    """
    one, other = _aligned(check_predictions(first), check_predictions(second))
    threshold_second = threshold if threshold_second is None else threshold_second
    for value in (threshold, threshold_second):
        _check_options(one, value, validation_sensitivity, unseen_scanners, confidence)
    families = _families(one, threshold, validation_sensitivity, unseen_scanners)
    others = _families(other, threshold_second, validation_sensitivity, unseen_scanners)
    bootstrap = PatientBootstrap(one.strata(), resamples, seed)
    pairs = list(zip(families, others, strict=True))
    comparisons = compare_statistics(pairs, bootstrap, _longest(one), confidence, _unlike_aggregates(pairs))
    tests: dict[str, list[str]] = {}
    for key in comparisons:
        name, _, scope = key.partition("/")
        if scope and scope not in RESERVED:
            tests.setdefault(f"{name}, pairs" if " vs " in scope else name, []).append(key)
    adjusted = holm_by_figure(comparisons, tests)
    figures = {}
    for key, found in comparisons.items():
        figures[key] = {
            "first": _number(found.first),
            "second": _number(found.second),
            "difference": _number(found.difference),
            **_ends(found.interval),
            "standard_error": _number(found.standard_error),
            "effect": _number(found.effect),
            "p_value": _number(found.p_value),
            "p_holm": _number(adjusted.get(key, math.nan)),
            "reason": found.reason or None,
            "caution": found.caution or None,
        }
    return _document(
        one,
        figures,
        _delong_tests(one, other),
        threshold=threshold,
        threshold_second=threshold_second,
        validation_sensitivity=validation_sensitivity,
        resamples=resamples,
        seed=seed,
        confidence=confidence,
        unseen_scanners=sorted(unseen_scanners),
    )


def _document(
    predictions: Predictions, figures: dict[str, Any], delong: dict[str, Any], **settings: Any
) -> dict[str, Any]:
    """What is written, in the module's layout."""
    if predictions.classes > 2:  # the class of the highest probability is predicted: there is no threshold
        settings.update(dict.fromkeys(name for name in settings if name.startswith("threshold")))
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": NOTICE,
        "settings": {"classes": predictions.classes, **settings},
        "cohort": _cohort(predictions, settings["unseen_scanners"]),
        "figures": figures,
        "delong": delong,
        "definitions": {name: asdict(definition) for name, definition in DEFINITIONS.items()},
    }


def _check_options(
    predictions: Predictions,
    threshold: float,
    validation_sensitivity: float | None,
    unseen: Collection[str],
    confidence: float,
) -> None:
    unknown = sorted(set(unseen) - set(predictions.scanners))
    if unknown:
        known = ", ".join(predictions.scanners)
        raise ValueError(f"no scan is of the unseen scanner {unknown[0]!r}; the table has {known}")
    for name, value in (("threshold", threshold), ("validation_sensitivity", validation_sensitivity)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"expected {name} from 0 to 1, got {value}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected confidence between 0 and 1, got {confidence}")


def _families(
    predictions: Predictions, threshold: float, validation_sensitivity: float | None, unseen: Collection[str]
) -> list[Family]:
    return [
        Discrimination(predictions, threshold, unseen),
        Calibration(predictions, threshold, validation_sensitivity, unseen),
        Agreement(predictions, threshold),
    ]


def _longest(predictions: Predictions) -> int:
    return int(np.bincount(predictions.scanner).max())


def _members(families: Collection[Family], scanners: tuple[str, ...]) -> dict[str, list[str]]:
    """Scanners that enter each figure of a scanner, a pair or an aggregate, by key."""
    pairs = {pair_name(a, b): [a, b] for a, b in combinations(scanners, 2)}
    scopes = {**pairs, **{scanner: [scanner] for scanner in scanners}}
    members = {f"{name}/{scope}": names for name in DEFINITIONS for scope, names in scopes.items()}
    for family in families:
        for aggregate in family.aggregates:
            for key, parts in aggregate.members.items():
                members[key] = sorted({scanner for part in parts for scanner in scopes[part]})
    return members


def _unlike_aggregates(pairs: Collection[tuple[Family, Family]]) -> dict[str, str]:
    """Why two models' aggregates cannot be compared, by key: a figure is undefined on other scanners (or pairs of them)."""
    return {
        key: f"the first model's is over {', '.join(own) or 'none'}, the second's over {', '.join(others) or 'none'}"
        for first, second in pairs
        for one, other in zip(first.aggregates, second.aggregates, strict=True)
        for (key, own), others in zip(one.members.items(), other.members.values(), strict=True)
        if own != others
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _ends(found: Interval) -> dict[str, float | None]:
    return {name: _number(getattr(found, name)) for name in ("low", "high", "bca_low", "bca_high", "defined")}


def _method(found: Interval, key: str) -> str | None:
    parted = found.method == EXACT and key.partition("/")[0] == "auroc"
    return f"{EXACT}, perfect separation" if parted else found.method or None


def _cohort(predictions: Predictions, unseen: Collection[str]) -> dict[str, Any]:
    scanners = {}
    for index, scanner in enumerate(predictions.scanners):
        rows = predictions.scanner == index
        labels, counts = np.unique(predictions.label[rows], return_counts=True)
        scanners[scanner] = {
            "scans": int(rows.sum()),
            "specimens": len(np.unique(predictions.specimen[rows])),
            "patients": len(np.unique(predictions.patient[rows])),
            "labels": {str(label): int(n) for label, n in zip(labels, counts, strict=True) if label != UNLABELLED},
            "seen": scanner not in unseen,
        }
    return {
        "scans": len(predictions.label),
        "unlabelled_scans": int((predictions.label == UNLABELLED).sum()),
        "specimens": len(predictions.specimens),
        "patients": len(predictions.patients),
        "scanners": scanners,
    }


def _labelled(predictions: Predictions, scanner: int) -> np.ndarray:
    return np.flatnonzero((predictions.scanner == scanner) & (predictions.label != UNLABELLED))


def _delong(predictions: Predictions, confidence: float) -> dict[str, Any]:
    found = {}
    for index, scanner in enumerate(predictions.scanners if predictions.classes == 2 else ()):
        rows = _labelled(predictions, index)
        entry = delong_interval(predictions.label[rows], predictions.probability[rows, 1], confidence)
        found[scanner] = _tuple_entries(entry._asdict())
    return found


def _delong_tests(first: Predictions, second: Predictions) -> dict[str, Any]:
    found = {}
    for index, scanner in enumerate(first.scanners if first.classes == 2 else ()):
        rows = _labelled(first, index)
        test = delong_test(first.label[rows], first.probability[rows, 1], second.probability[rows, 1])
        found[scanner] = _tuple_entries(test._asdict())
    adjusted = holm([math.nan if entry["p_value"] is None else entry["p_value"] for entry in found.values()])
    for entry, value in zip(found.values(), adjusted, strict=True):
        entry["p_holm"] = _number(value)
    return found


def _tuple_entries(values: dict[str, Any]) -> dict[str, Any]:
    """The numbers, then the texts, as JSON takes them."""
    return {name: (value or None) if isinstance(value, str) else _number(value) for name, value in values.items()}


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
    for name, own, other in (
        ("patient_id", np.array(first.patients)[first.patient], np.array(second.patients)[second.patient][order]),
        ("specimen_id", np.array(first.specimens)[first.specimen], np.array(second.specimens)[second.specimen][order]),
        ("scanner", np.array(first.scanners)[first.scanner], np.array(second.scanners)[second.scanner][order]),
        ("label", first.label, second.label[order]),
    ):
        different = np.flatnonzero(own != other)
        if len(different):
            row = different[0]
            raise ValueError(
                f"the tables disagree on {name} of {len(different)} scans, first {first.slide_id[row]!r}: "
                f"{own[row]} and {other[row]}"
            )
    return first, first.with_probability(second.probability[order])
