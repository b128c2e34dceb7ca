"""The whole evaluation of a table of predictions: what `metrics.json` holds.

Layout, `SCHEMA_VERSION` 3, as JSON Schema in `docs/metrics.schema.json`. Every number may be null; a `reason` beside it then
says why.

- `schema_version`, `notice`.
- `settings`: `classes`, `threshold`, `validation_sensitivity`, `resamples`, `seed`, `confidence`, `unseen_scanners`; where they
  are known also `threshold_source` (how the threshold was chosen), `class_names`, `method` (what made scanners agree) and
  `fitted_on_held_out` (whether it was fitted on training patients' scans of scanners that training held out).
- `cohort`: `scans`, `unlabelled_scans`, `specimens`, `patients`, and `scanners`: by name `scans`, `specimens`, `patients`,
  `labels` (scans by label), `seen`; `pairs` (of scanners), `pairs_with_values` (fewer where scanners are very many);
  `alike`: where the network scores all specimens alike, a sentence that says so, else null.
- `figures`: by key a `statistics.Estimate`. A key is `<measure>/<scanner>`, `<measure>/<a> vs <b>`,
  `<measure>/mean|worst|range|mean_seen|mean_unseen`, or `<measure>`.
- `delong`: by scanner `auroc`, `standard_error`, `low`, `high`, `reason`, `method`; two classes only.
- `embedding` (of a run): what `evaluate_embeddings` gives.
- `definitions`: by measure its words and places, see `PredictionMeasure`.

`compare_predictions` gives the same with `settings.threshold_second`, and in `figures` by key a `statistics.compare.Comparison`
with `p_holm` (within a measure over its scanners or pairs); in `delong` by scanner `difference`, `standard_error`, `z`,
`p_value`, `p_holm`, `reason`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_measure import PredictionMeasure
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import UNLABELLED, Predictions, check_predictions
from scangen_bundle.statistics.bootstrap import PatientBootstrap
from scangen_bundle.statistics.delong import delong_interval
from scangen_bundle.statistics.estimate import NAN, number_or_none

SCHEMA_VERSION = 3
NOTICE = "Research use only. Not a medical device."
ALIKE = 0.25  # sd of the specimens' mean logits below which all specimens score alike; 0.25 is .44 beside .50


def evaluate_predictions(
    predictions: pd.DataFrame,
    *,
    threshold: float = 0.5,
    validation_sensitivity: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    unseen_scanners: Collection[str] = (),
    confidence: float = 0.95,
    names: Iterable[str] | None = None,
) -> dict[str, Any]:
    """Every measure of a model per scanner, over scanners and per specimen, with intervals that resample patients.

    Args:
        predictions: one row per scan, see `check_predictions`.
        threshold: of the probability of class 1, chosen on validation patients; unused with more than two classes.
        validation_sensitivity: what the threshold had on validation, for the threshold drift.
        resamples: bootstrap resamples; 0 for no intervals.
        seed: of the resamples.
        unseen_scanners: scanners that the model was not trained on.
        confidence: of the intervals.
        names: keys of the measures; None: all that are registered.

    Returns:
        A dictionary that `json.dumps(..., allow_nan=False)` takes, in the module's layout.

    Raises:
        ValueError: the table is wrong (see `check_predictions`), an unseen scanner is not in it, or an option is out of range.
        InputError: a measure has a name that does not exist.
    """
    checked = check_predictions(predictions)
    check_options(checked, threshold, validation_sensitivity, unseen_scanners, confidence)
    data = PredictionData(checked, threshold, validation_sensitivity, unseen_scanners)
    statistic = PredictionStatistic(data, names)
    result = PatientBootstrap(checked.strata(), resamples, seed).run([statistic], longest(checked))
    alike = scores_alike(data)
    figures = {}
    for key in result.observed:
        measure = statistic.measures[key.partition("/")[0]]
        baseline = NAN if key.endswith("/range") else measure.chance
        scanners = statistic.members.get(key, checked.scanners)
        note = alike if measure.group in MEANINGLESS_IF_ALIKE else ""
        estimate = result.estimate(key, confidence, baseline=baseline, scanners=scanners, note=note)
        figures[key] = estimate.to_json()
    settings = {
        "threshold": threshold,
        "validation_sensitivity": validation_sensitivity,
        "resamples": resamples,
        "seed": seed,
        "confidence": confidence,
        "unseen_scanners": sorted(unseen_scanners),
    }
    return document(data, figures, _delong(checked, confidence), settings, statistic.measures)


MEANINGLESS_IF_ALIKE = ("agreement", "pairs")


def scores_alike(data: PredictionData) -> str:
    """Where the network scores all specimens alike, a sentence that says so; "" where it tells specimens apart.

    The criterion is the sd of the specimens' mean logits, since probabilities of a rare class are all small and need not be
    alike.
    """
    ranges, spreads = [], []
    for specimens in data.specimens:
        if len(specimens.scores) < 2:
            return ""
        spreads.append(np.nanmean(specimens.logits, axis=1).std(ddof=1))
        means = np.nanmean(specimens.scores, axis=1)
        ranges.append((float(means.min()), float(means.max())))
    if max(spreads) >= ALIKE:
        return ""
    low, high = max(ranges, key=lambda ends: ends[1] - ends[0])
    return f"scores of all specimens lie within {low:.3f} to {high:.3f}, so agreement between scanners means nothing"


def document(
    data: PredictionData,
    figures: dict[str, Any],
    delong: dict[str, Any],
    settings: dict[str, Any],
    measures: Mapping[str, PredictionMeasure],
) -> dict[str, Any]:
    """What is written, in the module's layout."""
    if data.predictions.classes > 2:  # the class of the highest probability is predicted: there is no threshold
        settings = settings | dict.fromkeys([name for name in settings if name.startswith("threshold")])
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": NOTICE,
        "settings": {"classes": data.predictions.classes, **settings},
        "cohort": _cohort(data),
        "figures": figures,
        "delong": delong,
        "definitions": {key: measure.to_json() for key, measure in measures.items()},
    }


def check_options(
    predictions: Predictions,
    threshold: float,
    validation_sensitivity: float | None,
    unseen: Collection[str],
    confidence: float,
) -> None:
    """Refuse options that are out of range.

    Raises:
        ValueError: one is, or an unseen scanner is not in the table.
    """
    missing = sorted(set(unseen) - set(predictions.scanners))
    if missing:
        names = ", ".join(predictions.scanners)
        raise ValueError(f"no scan is of the unseen scanner {missing[0]!r}; the table has {names}")
    for name, value in (("threshold", threshold), ("validation_sensitivity", validation_sensitivity)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"expected {name} from 0 to 1, got {value}")
    if not 0 < confidence < 1:
        raise ValueError(f"expected confidence between 0 and 1, got {confidence}")


def longest(predictions: Predictions) -> int:
    """Scans of the scanner that has most."""
    return int(np.bincount(predictions.scanner).max())


def labelled(predictions: Predictions, scanner: int) -> np.ndarray:
    """Rows of a scanner's labelled scans."""
    return np.flatnonzero((predictions.scanner == scanner) & (predictions.label != UNLABELLED))


def tuple_to_json(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers and texts as JSON takes them: NaN and "" are null."""
    return {
        name: (value or None) if isinstance(value, str) else number_or_none(value) for name, value in values.items()
    }


def _cohort(data: PredictionData) -> dict[str, Any]:
    predictions = data.predictions
    scanners = {}
    for index, scanner in enumerate(predictions.scanners):
        rows = predictions.scanner == index
        labels, counts = np.unique(predictions.label[rows], return_counts=True)
        scanners[scanner] = {
            "scans": int(rows.sum()),
            "specimens": len(np.unique(predictions.specimen[rows])),
            "patients": len(np.unique(predictions.patient[rows])),
            "labels": {str(label): int(n) for label, n in zip(labels, counts, strict=True) if label != UNLABELLED},
            "seen": scanner not in data.unseen,
        }
    return {
        "scans": len(predictions.label),
        "unlabelled_scans": int((predictions.label == UNLABELLED).sum()),
        "specimens": len(predictions.specimens),
        "patients": len(predictions.patients),
        "scanners": scanners,
        "pairs": data.pair_count,
        "pairs_with_values": len(data.pairs),
        "alike": scores_alike(data) or None,
    }


def _delong(predictions: Predictions, confidence: float) -> dict[str, Any]:
    tests = {}
    for index, scanner in enumerate(predictions.scanners if predictions.classes == 2 else ()):
        rows = labelled(predictions, index)
        interval = delong_interval(predictions.label[rows], predictions.probability[rows, 1], confidence)
        tests[scanner] = tuple_to_json(interval._asdict())
    return tests
