"""Per-scanner metrics for MONAI's evaluators: over all batches and processes, named by scanner, safe as key metric."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine
from ignite.metrics import Metric

from scangen_bundle.errors import InputError
from scangen_bundle.measures.prediction_data import PredictionData
from scangen_bundle.measures.prediction_measure import find_measure, prediction_measures
from scangen_bundle.measures.prediction_statistic import PredictionStatistic
from scangen_bundle.measures.predictions import IDENTITY, Predictions, check_predictions
from scangen_bundle.runs.tracking import metric_key
from scangen_bundle.tasks import PREDICTION
from scangen_bundle.training.choice import RULES, Candidate

logger = logging.getLogger(__name__)

TIE_BREAK = 1e-6  # what the largest possible CoV takes off the key; smaller differences of the figure count as ties


class _PerScanner(Metric):
    """Collect the probabilities of the scans of an evaluator's run with their place in the manifest.

    Expects `engine.state.output["prediction"]` [B, C] (`tasks.Predict`) and `engine.state.batch["slide_id"]`. A scan that a
    distributed sampler repeats to fill its last batch counts once.

    Args:
        manifest: gives specimen, patient, scanner and label of each slide.
    """

    def __init__(self, manifest: pd.DataFrame) -> None:
        self.manifest = manifest[list(IDENTITY)].reset_index(drop=True)
        self._row = pd.Series(self.manifest.index, index=self.manifest["slide_id"])
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []
        super().__init__(metrics_result_mode="flatten")  # a dictionary's entries are metrics of their own

    def reset(self) -> None:
        self._batches = []

    def update(self, output: tuple[Sequence[str], torch.Tensor]) -> None:
        """Add a batch: slide ids (B of them) and probabilities [B, C]."""
        slide_ids, probability = output
        self._batches.append((self._row[list(slide_ids)].to_numpy(), probability.cpu().numpy()))

    def iteration_completed(self, engine: Engine) -> None:
        self.update((engine.state.batch["slide_id"], engine.state.output[PREDICTION]))

    def predictions(self) -> Predictions | None:
        """All scans of the run; None where there is none, or where a probability is not finite."""
        batches = list(chain.from_iterable(idist.all_gather(self._batches)))
        if not batches:
            logger.warning("no scan was evaluated: the per-scanner metrics are undefined")
            return None
        all_rows, probabilities = (np.concatenate(column) for column in zip(*batches, strict=True))
        rows, first = np.unique(all_rows, return_index=True)
        probability = probabilities[first]
        if not np.isfinite(probability).all():
            count = int((~np.isfinite(probability)).any(axis=1).sum())
            logger.warning("the network gave %d of %d scans no finite score: metrics are undefined", count, len(rows))
            return None
        return self._predictions_of(rows, probability)

    def _predictions_of(self, rows: np.ndarray, probability: np.ndarray) -> Predictions:
        """Predictions of the manifest's `rows` [n] with probabilities [n, C]."""
        columns = {f"probability_{c}": probability[:, c] for c in range(probability.shape[1])}
        table = self.manifest.iloc[rows].reset_index(drop=True).assign(**columns)
        return check_predictions(table)


def observed_values(predictions: Predictions, names: Sequence[str], threshold: float = 0.5) -> dict[str, float]:
    """The values of the measures called `names` on the observed data by key, NaN where undefined."""
    return PredictionStatistic(PredictionData(predictions, threshold), dict.fromkeys(names)).observed()


class PerScannerMetrics(_PerScanner):
    """Figures per scanner and over scanners, for `additional_metrics` of an evaluator.

    Each comes under its own key in `engine.state.metrics`: `auroc/<scanner>`, `auroc/mean`, `auroc/worst`, `auroc/range`,
    `cov`, `flip_rate`, ... (keys of `measures.of_predictions`).

    Args:
        manifest: gives specimen, patient, scanner and label of each slide.
        names: keys of measures; None: those of the headline.
        threshold: of the probability of class 1, for figures of the class.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        names: Sequence[str] | None = None,
        threshold: float = 0.5,
    ) -> None:
        if names is None:
            names = [key for key, measure in prediction_measures().items() if measure.headline]
        for name in names:
            find_measure(name)
        scanners = manifest["scanner"].unique()
        if len({metric_key(scanner) for scanner in scanners}) < len(scanners):
            raise ValueError(
                f"scanners' names differ only in characters that a metric's key cannot have: {list(scanners)}"
            )
        super().__init__(manifest)
        self.names, self.threshold = tuple(names), threshold

    def compute(self) -> dict[str, float]:
        predictions = self.predictions()
        if predictions is None:
            return {}
        values = observed_values(predictions, self.names, self.threshold)
        return {metric_key(key): value for key, value in values.items()}


class ModelChoiceMetric(_PerScanner):
    """One number to choose a model by, higher is better: a figure of `PerScannerMetrics`, equal ones ordered by lower CoV.

    For `key_val_metric` of an evaluator. A metric of which less is better is negated; one that should be near 0 or 1 becomes
    minus its distance from there. An undefined metric gives minus infinity, since MONAI keeps a NaN that came first as the
    best for ever. For "auroc/worst" a scanner with one class only is left out.

    Args:
        manifest: gives specimen, patient, scanner and label of each slide.
        metric: key of the figure, such as "auroc/worst", "auroc/mean", "auroc/<scanner>", "icc" or "brier/worst"; or a rule of
            `choice.RULES` that looks at all epochs so far, such as "one_se": the number is then how many there were, where
            the rule takes the last of them, and minus infinity where it does not.
        threshold: of the probability of class 1, for figures of the class.
        break_ties: take up to a millionth off for the CoV, so that of two equal figures the steadier model is better.
        records: of the evaluator's dataset, dictionaries with `slide_id`; with them a metric that these scans do not have is
            refused here, before training, and not by the first run.

    Raises:
        InputError: there is no such figure of these scans; it names those that there are.
    """

    def __init__(
        self,
        manifest: pd.DataFrame,
        metric: str = "auroc/worst",
        threshold: float = 0.5,
        break_ties: bool = True,
        records: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        is_rule = metric in RULES and "/" not in metric
        self.rule = RULES[metric] if is_rule else None
        self.figure = "" if is_rule else metric.split("/")[0]
        if not is_rule:
            find_measure(self.figure)
        super().__init__(manifest)
        self.metric, self.threshold, self.break_ties = metric, threshold, break_ties
        self.candidates: list[Candidate] = []
        if records and not is_rule:
            scans = self.manifest.iloc[self._row[[record["slide_id"] for record in records]]]
            classes = max(2, int(self.manifest["label"].max()) + 1)
            # The set of metrics depends on the scans alone, so dummy probabilities suffice.
            even = {f"probability_{c}": 1 / classes for c in range(classes)}
            predictions = check_predictions(scans.assign(**even))
            self._check_figure(observed_values(predictions, (self.figure,), threshold))

    def _check_figure(self, keys: Iterable[str]) -> None:
        if self.metric not in keys:
            existing = ", ".join(key for key in keys if key.split("/")[0] == self.figure)
            raise InputError("model choice", f"there is no figure {self.metric!r} here", f"take one of: {existing}")

    def compute(self) -> float:
        predictions = self.predictions()
        if predictions is None:
            return -math.inf
        if self.rule is not None:
            return self._by_rule(predictions)
        values = observed_values(predictions, (self.figure, "cov"), self.threshold)
        self._check_figure(values)
        value, cov = values[self.metric], values.get("cov", math.nan)
        if not math.isfinite(value):
            return -math.inf
        score = _higher_is_better(value, self.figure)
        if not self.break_ties:
            return score
        return score - TIE_BREAK * (cov / (1 + cov) if math.isfinite(cov) else 1.0)

    def _by_rule(self, predictions: Predictions) -> float:
        assert self.rule is not None
        self.candidates.append(Candidate(predictions))
        is_chosen = self.rule(self.candidates) == len(self.candidates) - 1
        return float(len(self.candidates)) if is_chosen else -math.inf

    def state_dict(self) -> dict[str, Any]:
        """Predictions of the epochs so far, which a rule needs again when training resumes."""
        tables = [candidate.predictions for candidate in self.candidates]
        return {
            "slide_id": list(tables[0].slide_id) if tables else [],
            "probability": [torch.from_numpy(table.probability) for table in tables],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.candidates = []
        for probability in state["probability"]:
            rows = self._row[state["slide_id"]].to_numpy()
            self.candidates.append(Candidate(self._predictions_of(rows, probability.numpy())))


def is_better(current: float, best: float) -> bool:
    """For `metric_cmp_fn` of an evaluator whose key is a `ModelChoiceMetric`: a larger number is better.

    Of two undefined ones (minus infinity) the later is: where validation can never choose, as with patients of one class, the
    first network that was validated must not stay the best for ever, nor end training early.
    """
    return current > best or current == best == -math.inf


def _higher_is_better(value: float, figure: str) -> float:
    better = find_measure(figure).better
    target = {"zero": 0.0, "one": 1.0}.get(better)
    if target is not None:
        return -abs(value - target)
    return value if better == "higher" else -value
