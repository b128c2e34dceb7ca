"""What a run on the test patients found: metrics.json, MLflow figures, the HTML report, the headline table."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.cohort import confounding_report
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.measures import evaluate_embeddings, evaluate_predictions, sensitivity_at, youden_threshold
from scangen_bundle.methods import Method
from scangen_bundle.networks import named_submodule, unwrap
from scangen_bundle.report.table import headline_table
from scangen_bundle.runs.checkpoint import read_checkpoint
from scangen_bundle.runs.predictions import read_predictions
from scangen_bundle.runs.tracking import RunTracker
from scangen_bundle.training.predictions import PredictionsHandler

logger = logging.getLogger(__name__)


def choose_threshold(validation: pd.DataFrame, where: object) -> tuple[float, float | None, str]:
    """The threshold of class 1 with the largest Youden's J on validation predictions.

    Args:
        validation: predictions with `label` and `probability`; scans without a label do not count.
        where: names the table in messages.

    Returns:
        The threshold, the sensitivity that it has on validation, and how it was chosen. With one class only there is no
        best threshold: 0.5 then, without a sensitivity, and the text says so.
    """
    labelled = validation[validation["label"] >= 0]
    label, score = labelled["label"].to_numpy(), labelled["probability"].to_numpy()
    threshold = youden_threshold(label, score)
    if not np.isfinite(threshold):
        logger.warning("%s: the validation patients are of one class; the threshold is 0.5", where)
        return 0.5, None, "0.5, because the validation patients are of one class"
    return threshold, sensitivity_at(label, score, threshold), "largest Youden's J on the validation patients"


def tracked_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Figures by MLflow name `test/<key>` (`test/embedding/<key>`); pairs of scanners are in metrics.json alone."""
    figures = {**metrics["figures"], **{f"embedding/{k}": v for k, v in metrics.get("embedding", {}).items()}}
    return {
        f"test/{key}": figure["value"]
        for key, figure in figures.items()
        if figure["value"] is not None and " vs " not in key
    }


def read_history(tracker: RunTracker) -> pd.DataFrame | None:
    """The run's training curves from MLflow, a column per `train/` or `val/` metric, indexed by epoch; None without any."""
    from mlflow import MlflowClient

    if tracker.run_id is None:
        return None
    client = MlflowClient(tracking_uri=tracker.uri)
    names = [name for name in client.get_run(tracker.run_id).data.metrics if name.startswith(("train/", "val/"))]
    curves = {
        name: {point.step: point.value for point in client.get_metric_history(tracker.run_id, name)} for name in names
    }
    return pd.DataFrame(curves).sort_index().rename_axis("epoch") if curves else None


class EvaluationHandler:
    """After an evaluator's run: metrics per scanner, written, tracked, reported and printed.

    Args:
        predictions: the handler that collected this run's predictions; attach it first.
        val_predictions: CSV of the validation patients' predictions, which the threshold is chosen on.
        folder: where `metrics.json`, `embeddings.npz` and `report.html` go.
        tracker: the MLflow run; None to track nothing.
        training_scanners: scanners that the network was trained on; others in the predictions are unseen.
        class_names: of the labels.
        network: to read slide embeddings from for the report; None for a report without them.
        embedding: name of its submodule that outputs [B, E].
        resamples: bootstrap resamples of patients.
        seed: of the resamples.
        card: further facts for the report's model card, beside the settings that the checkpoint was trained with.
        records: what the dataset was made of, with `slide_id` and `features_path`; with them the report has the
            resolution audit of these scans.
        colours_dir: colour-statistics bags of the same scans (`run extracting` with that encoder); where all are there, the
            scanner probes of the colours alone stand beside those of the embeddings.
        checkpoint: the file that the network's weights came from; it is tracked with the rest, so that the run can be
            packed from MLflow alone.
    """

    def __init__(
        self,
        predictions: PredictionsHandler,
        val_predictions: str,
        folder: str,
        tracker: RunTracker | None = None,
        training_scanners: Sequence[str] = (),
        class_names: Sequence[str] = ("negative", "positive"),
        network: torch.nn.Module | None = None,
        embedding: str = "embedding",
        resamples: int = 2000,
        seed: int = 0,
        card: Mapping[str, Any] | None = None,
        records: Sequence[Mapping[str, Any]] = (),
        checkpoint: str | None = None,
        colours_dir: str | None = None,
    ) -> None:
        self.predictions, self.val_predictions, self.folder = predictions, Path(val_predictions), Path(folder)
        self.tracker, self.training_scanners, self.class_names = tracker, list(training_scanners), list(class_names)
        self.resamples, self.seed, self.card = resamples, seed, dict(card or {})
        self.features = {record["slide_id"]: record["features_path"] for record in records}
        self.checkpoint, self.colours_dir = checkpoint, colours_dir
        self.metrics: dict[str, Any] = {}
        self.network = network
        self._module = None if network is None else named_submodule(unwrap(network), embedding)
        self._output: torch.Tensor | None = None
        self._embeddings: dict[str, np.ndarray] = {}

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self.check)
        if self._module is not None:
            self._module.register_forward_hook(self._keep)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.COMPLETED, self.report)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    def check(self, engine: Engine) -> None:
        """Find out before the run, not after it, that the threshold cannot be chosen, or would be that of another network."""
        self._embeddings = {}
        if not self.val_predictions.is_file():
            raise InputError(
                self.val_predictions,
                "the validation patients' predictions are not there; the threshold is chosen on them",
                "train this run first, or set val_predictions to the CSV of its training",
            )
        if self.checkpoint is None:
            return
        epochs = set(read_predictions(self.val_predictions).get("epoch", ()))
        of_network = read_checkpoint(self.checkpoint).get("meta", {}).get("epoch")
        if epochs and of_network is not None and epochs != {of_network}:
            found = ", ".join(str(epoch) for epoch in sorted(epochs))
            raise InputError(
                self.val_predictions,
                f"is of epoch {found}, the network of {self.checkpoint} of epoch {of_network}",
                "evaluate best.pt; if it is that, training was killed between the two: give its command again, which goes on",
            )

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._output = output.detach()

    def _collect(self, engine: Engine) -> None:
        assert self._output is not None, "the embedding submodule did not run"
        self._embeddings.update(zip(engine.state.batch["slide_id"], self._output.float().cpu().numpy(), strict=True))

    def report(self, engine: Engine) -> None:
        """Compute, write, track and print."""
        embeddings = self._gathered()
        if idist.get_rank() != 0:
            return
        table = self.predictions.table
        self.metrics = self._evaluate(table)
        if embeddings is not None:
            self.metrics["embedding"] = self._evaluate_embeddings(table, embeddings)
        with write_atomically(self.folder / "metrics.json") as temporary:
            temporary.write_text(json.dumps(self.metrics, indent=1, allow_nan=False), encoding="utf-8")
        if embeddings is not None:
            with write_atomically(self.folder / "embeddings.npz") as temporary:
                np.savez(temporary, slide_id=table["slide_id"].to_numpy(dtype=str), embedding=embeddings)
        if self.tracker is not None:
            self.tracker.start()
            self.tracker.log_metrics(tracked_figures(self.metrics))
        self._write_html(table, embeddings)
        if self.tracker is not None:
            self._track_files(self.tracker)
            self.tracker.finish()
        print(headline_table({self.folder.resolve().name: self.metrics}))
        print(f"wrote {self.folder / 'report.html'} and metrics.json")
        print(RESEARCH_USE_ONLY)

    def _track_files(self, tracker: RunTracker) -> None:
        results = self.predictions.path, self.predictions.path.with_suffix(".parquet"), self.val_predictions
        for path in (*results, self.folder / "metrics.json", self.folder / "report.html"):
            tracker.log_artifact(path)
        splits = self.folder / "splits.csv"  # not there where an evaluation runs by itself, on another cohort
        if splits.is_file():
            tracker.log_artifact(splits)
        if self.checkpoint is not None:
            tracker.log_artifact(self.checkpoint, "models")

    def _evaluate(self, table: pd.DataFrame) -> dict[str, Any]:
        threshold, sensitivity, source = 0.5, None, "largest probability wins"
        if len(self.class_names) == 2:
            validation = read_predictions(self.val_predictions)
            threshold, sensitivity, source = choose_threshold(validation, self.val_predictions)
        try:
            metrics = evaluate_predictions(
                table,
                threshold=threshold,
                validation_sensitivity=sensitivity,
                resamples=self.resamples,
                seed=self.seed,
                unseen_scanners=sorted(set(table["scanner"]) - set(self.training_scanners)),
            )
        except ValueError as error:
            raise InputError(self.predictions.path, str(error), "mend the manifest or the test split") from error
        metrics["settings"].update(threshold_source=source, class_names=self.class_names, **self._method())
        return metrics

    def _method(self) -> dict[str, Any]:
        """The method of the training, and whether it was fitted on scans of scanners that training held out."""
        if self.network is None or self.checkpoint is None:
            return {}
        settings = read_checkpoint(self.checkpoint).get("meta", {}).get("settings", {})
        method = getattr(unwrap(self.network), "method", None)
        if not isinstance(method, Method):
            return {}
        return {"method": settings.get("method", method.name), "fitted_on_held_out": method.needs.new_scans}

    def _evaluate_embeddings(self, table: pd.DataFrame, embeddings: np.ndarray) -> dict[str, Any]:
        estimates = evaluate_embeddings(
            embeddings,
            patient=table["patient_id"].to_numpy(dtype=str),
            specimen=table["specimen_id"].to_numpy(dtype=str),
            scanner=table["scanner"].to_numpy(dtype=str),
            label=table["label"].to_numpy(),
            colours=self._colours(list(table["slide_id"])),
            resamples=self.resamples,
            seed=self.seed,
        )
        return {key: estimate.to_json() for key, estimate in estimates.items()}

    def _colours(self, slide_ids: Sequence[str]) -> np.ndarray | None:
        """Mean colour statistics of each scan's tiles [n, F]; None where not all scans have them."""
        if self.colours_dir is None:
            return None
        paths = [Path(self.colours_dir) / f"{slide_id}.h5" for slide_id in slide_ids]
        missing = sum(not path.is_file() for path in paths)
        if missing:
            logger.info(
                "no scanner probe of colours: %d of %d bags are not in %s", missing, len(paths), self.colours_dir
            )
            return None
        from scangen_bundle.bags import open_bag

        return np.stack([np.asarray(open_bag(path).features, dtype=np.float64).mean(axis=0) for path in paths])

    def _write_html(self, table: pd.DataFrame, embeddings: np.ndarray | None) -> None:
        from scangen_bundle.report.html import write_report

        history = read_history(self.tracker) if self.tracker is not None else None
        write_report(
            self.folder / "report.html",
            metrics=self.metrics,
            predictions=table,
            class_names=self.class_names,
            model=self.folder.resolve().name,
            embeddings=embeddings,
            history=history,
            audit=self._audit(),
            confounding=confounding_report(table),
            card={"training scanners": self.training_scanners, **self.card, **self._trained_with()},
        )

    def _trained_with(self) -> dict[str, str]:
        """The settings that the checkpoint says it was trained with; those of this command say nothing of its weights."""
        settings = read_checkpoint(self.checkpoint)["meta"].get("settings") if self.checkpoint else None
        return {"trained with": ", ".join(f"{name} {value}" for name, value in settings.items())} if settings else {}

    def _audit(self) -> pd.DataFrame | None:
        """The resolution audit of the scans of this run, a row per scanner."""
        if not self.features:
            return None
        from scangen_bundle.bags import open_bag
        from scangen_bundle.extraction import audit_scans
        from scangen_bundle.extraction.tables import bag_row
        from scangen_bundle.progress import with_bar

        scans = self.predictions.manifest.loc[list(self.predictions.table["slide_id"])]
        rows = [
            bag_row(row, open_bag(self.features[row.slide_id]))
            for row in with_bar(list(scans.itertuples()), "looking at bags")
        ]
        return audit_scans(pd.DataFrame(rows)).scanners

    def _gathered(self) -> np.ndarray | None:
        """Embeddings of all processes in the order of the predictions, [n, E]."""
        if self._module is None:
            return None
        found = {name: vector for part in idist.all_gather(self._embeddings) for name, vector in part.items()}
        return np.stack([found[name] for name in self.predictions.table["slide_id"]])

    def _fail(self, engine: Engine, error: BaseException) -> None:
        if self.tracker is not None:
            self.tracker.finish("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
        raise error
