"""What is needed of a training run to give its network away, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.data import BagDataset, collate_bags, make_records
from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError
from scangen_bundle.measures.predictions import probability_columns
from scangen_bundle.methods import Method, scanner_keys
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.progress import with_bar
from scangen_bundle.runs import RunFolder, RunSettings, read_checkpoint, read_evaluated_run, read_predictions
from scangen_bundle.runs.store import download_run
from scangen_bundle.share.export import SlideClassifier
from scangen_bundle.share.licences import check_redistribution
from scangen_bundle.share.reference import Validation
from scangen_bundle.share.statement import ENCODER_FIELDS

META_FIELDS = ("encoder", "num_features", "class_names", "training_scanners")
PROBABILITY_TOLERANCE = 1e-3  # a GPU's mixed precision against the CPU's float32


@dataclass(frozen=True)
class TrainedRun:
    """A training run that was evaluated on held-out patients.

    Attributes:
        folder: of the run.
        weights: state of the network.
        meta: the checkpoint's description: encoder, num_features, class_names, training_scanners, epoch.
        settings: what it was trained with.
        metrics: content of `metrics.json`.
        validation: predictions of the validation scans.
        encoder: of the features.
    """

    folder: Path
    weights: dict[str, torch.Tensor]
    meta: dict[str, Any]
    settings: RunSettings
    metrics: dict[str, Any]
    validation: pd.DataFrame
    encoder: EncoderSpec

    @property
    def threshold(self) -> float | None:
        """Of class 1, None with more than two classes."""
        return float(self.metrics["settings"]["threshold"]) if len(self.meta["class_names"]) == 2 else None


def fetch_run(run_id: str, tracking_uri: str, folder: Path) -> Path:
    """Copy the artifacts that training and evaluation left in MLflow into a run folder.

    Args:
        run_id: of the MLflow run.
        tracking_uri: of the store.
        folder: an empty folder to write to.

    Returns:
        `folder`, which `read_trained_run` checks.

    Raises:
        InputError: the store does not know the run, or does not hold what packing needs.
    """
    names = ("models", "settings.yaml", "splits.csv", "val_predictions.csv", "predictions.csv", "metrics.json")
    download_run(run_id, tracking_uri, folder, names)
    return folder


def read_trained_run(folder: Path) -> TrainedRun:
    """Read and check a run.

    Raises:
        InputError: no network, no metrics of held-out patients, a test patient that was trained on, a description that
            misses something, or an encoder whose licence does not allow to share the weights.
    """

    settings = RunSettings.read(RunFolder(folder).settings)
    path = RunFolder(folder).best
    content = read_checkpoint(path)
    meta = dict(content.get("meta", {}))
    missing = [name for name in META_FIELDS if name not in meta]
    if missing:
        raise InputError(
            path, f"does not say its {', '.join(missing)}", "train with configs/train.yaml of this version"
        )
    encoder = check_redistribution(
        str(meta["encoder"]), meta.get("features", {}).get("encoder"), int(meta["num_features"])
    )
    evaluated = read_evaluated_run(folder)
    if evaluated.metrics["figures"].get("auroc/mean", {}).get("value") is None:
        raise InputError(folder / "metrics.json", "has no AUROC of held-out patients", "run evaluating on a test split")
    splits = pd.read_csv(folder / "splits.csv", dtype=str, keep_default_na=False)
    used = set(splits["patient_id"][splits["split"].isin(["train", "val"])])
    if leaked := sorted(used & set(evaluated.predictions["patient_id"])):
        problem = f"{len(leaked)} patients were also trained on or validated on, for example {leaked[0]}"
        raise InputError(folder / "predictions.csv", problem, "evaluate on the test split")
    validation = read_predictions(folder / "val_predictions.csv")
    return TrainedRun(folder, content["network"], meta, settings, evaluated.metrics, validation, encoder)


def names_of_scanners(run: TrainedRun, method: Method, features_dir: str) -> dict[str, list[str]]:
    """The scanners that the network's method knows, each with the names that its slide files give.

    Empty where the method does not need the scanner. Scans of test patients are not looked at; those on scanners that
    training held out are.
    """
    if not method.needs.scanner_name:
        return {}
    splits = pd.read_csv(run.folder / "splits.csv", dtype=str, keep_default_na=False)
    splits = splits[splits["split"] != "test"]
    scanners = sorted(splits["scanner"].unique())
    known = method.knows(scanner_keys(scanners)).tolist()
    names: dict[str, set[str]] = {scanner: set() for scanner, is_known in zip(scanners, known, strict=True) if is_known}
    splits = splits[splits["scanner"].isin(names)]
    scans = list(zip(splits["slide_id"], splits["scanner"], strict=True))
    for slide_id, scanner in with_bar(scans, "names of scanners"):
        path = Path(features_dir) / f"{slide_id}.h5"
        if path.is_file():
            names[scanner].add(str(open_bag(path).attributes.get("scanner", "")))
    return {scanner: sorted(found - {""}) for scanner, found in names.items()}


def validate_again(run: TrainedRun, network: MaskedMILModel, features_dir: str) -> tuple[Validation, dict[str, Any]]:
    """Run the network over the validation bags: embeddings, and a check that these weights made the run's predictions.

    Args:
        run: the run.
        network: with the run's weights, in eval mode, on the CPU.
        features_dir: of the bags.

    Returns:
        The validation scans, and what their features are: the values of `ENCODER_FIELDS`, `settings` and `dtype`.

    Raises:
        InputError: a bag is missing, or the probabilities are not those of the run.
    """
    table = run.validation.assign(split="val", features_path="", slide_path="", mpp=math.nan)
    classes = len(run.meta["class_names"])
    records = make_records(
        table, features_dir, num_features=run.meta["num_features"], num_classes=classes, encoder=run.meta["encoder"]
    )
    model = SlideClassifier(network)
    probabilities, embeddings, identified = [], [], []
    dataset = BagDataset(records)
    for index, record in enumerate(records):
        batch = collate_bags([dataset[index]])
        with torch.no_grad():
            row, _, vector = model.explain(batch["image"], batch["mask"], batch["scanner_key"])
        probabilities.append(row[0].numpy().astype(np.float64))
        embeddings.append(vector[0].numpy())
        identified.append(str(open_bag(record["features_path"]).attributes.get("scanner", "")))
    probability = np.stack(probabilities)
    _compare(run, probability)
    bag = open_bag(records[0]["features_path"])
    features = {name: bag.attributes[name] for name in (*ENCODER_FIELDS, "settings") if name in bag.attributes}
    features["dtype"] = str(bag.features.dtype)
    columns = {name: table[f"{name}_id"].to_numpy(dtype=str) for name in ("patient", "specimen")}
    validation = Validation(
        probability=probability,
        label=table["label"].to_numpy(dtype=np.int64),
        scanner=table["scanner"].to_numpy(dtype=str),
        identified=np.array(identified),
        embedding=np.stack(embeddings),
        **columns,
    )
    return validation, features


def _compare(run: TrainedRun, probability: np.ndarray) -> None:
    names = probability_columns(run.validation)
    stated = run.validation[names].to_numpy(dtype=np.float64)
    gap = np.abs((probability[:, 1:] if len(names) == 1 else probability) - stated).max(axis=1)
    if gap.max() > PROBABILITY_TOLERANCE:
        row = int(gap.argmax())
        raise InputError(
            run.folder / "val_predictions.csv",
            f"the network gives {run.validation['slide_id'].iloc[row]} a probability that is {gap[row]:.3g} away",
            "the weights, the features or the predictions are of another run; train again, or name the right features_dir",
        )
