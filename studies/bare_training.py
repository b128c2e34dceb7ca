"""A bare training on bags in memory: MONAI's trainer and the library's classes, without config, files and tracking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Events
from monai.engines import SupervisedTrainer
from monai.optimizers import WarmupCosineSchedule
from torch.utils.data import DataLoader

from scangen_bundle.cohort import k_fold
from scangen_bundle.data import PrepareBagBatch, SpecimenScannerSampler, collate_bags
from scangen_bundle.measures import auroc, coefficient_of_variation
from scangen_bundle.methods import create_method
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.tasks import MaskedCrossEntropy
from scangen_bundle.training import EpochSeedHandler, GradientClipHandler, MethodHandler


@dataclass(frozen=True)
class Setting:
    """What one training is.

    Attributes:
        scanners: number of training scanners.
        rotation: which: `scanners` in a row from this one on, around the circle.
        fold, seed: of the cross-validation; of weights and batches.
        weight, alpha: of ScanGen; weight 0 is the baseline.
    """

    scanners: int
    rotation: int
    fold: int
    seed: int
    weight: float
    alpha: float


def training_scanners(names: Sequence[str], setting: Setting) -> list[str]:
    return [names[(setting.rotation + step) % len(names)] for step in range(setting.scanners)]


def choose_rows(
    manifest: pd.DataFrame, setting: Setting, folds: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scans to train on, to choose the epoch on (training scanners only), and to test on (every scanner)."""
    split = k_fold(manifest, folds, seed=0)[setting.fold]
    seen = split[split.scanner.isin(training_scanners(sorted(manifest.scanner.unique()), setting))]
    train, val = seen[seen.split == "train"], seen[seen.split == "val"]
    return train, val, split[split.split == "test"]


def as_items(scans: pd.DataFrame, features: Mapping[str, np.ndarray], numbers: Mapping[str, int]) -> list[dict]:
    items = []
    for row in scans.to_dict("records"):
        image = torch.from_numpy(features[row["slide_id"]])
        items.append(
            {
                "image": image,
                "coords": torch.zeros(len(image), 2, dtype=torch.int64),
                "label": row["label"],
                "specimen": numbers[row["specimen_id"]],
                "scanner": numbers[row["scanner"]],
                "slide_id": row["slide_id"],
            }
        )
    return items


class BestEpoch:
    """Keeps the weights of the epoch with the highest worst-scanner AUROC on validation, ties by the lowest CoV.

    As in configs/train.yaml only every `interval`-th epoch is looked at: the first ones score every slide alike, which would
    win ties for the wrong reason.
    """

    def __init__(self, network: torch.nn.Module, scans: pd.DataFrame, batch: Mapping[str, Any], interval: int) -> None:
        self.network, self.scans, self.batch, self.interval = network, scans, batch, interval
        self.best = (-1.0, 0.0)
        self.weights: dict[str, torch.Tensor] = {}

    def attach(self, engine: Any) -> None:
        engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)

    def __call__(self, engine: Any) -> None:
        worst, cov = validation_figures(self.scans, predict(self.network, self.batch))
        if (worst, -cov) > self.best:
            self.best = (worst, -cov)
            self.weights = {name: value.clone() for name, value in self.network.state_dict().items()}


def predict(network: torch.nn.Module, batch: Mapping[str, Any]) -> np.ndarray:
    """Probability of class 1."""
    network.eval()
    with torch.no_grad():
        return torch.softmax(network(batch["image"], batch["mask"]).double(), dim=1)[:, 1].numpy()


def validation_figures(scans: pd.DataFrame, probability: np.ndarray) -> tuple[float, float]:
    """Worst scanner's AUROC, and mean CoV (0 with one scanner)."""
    table = scans.assign(probability=probability)
    worst = min(auroc(own.label.to_numpy(), own.probability.to_numpy()) for _, own in table.groupby("scanner"))
    wide = table.pivot(index="specimen_id", columns="scanner", values="probability").to_numpy()
    return worst, coefficient_of_variation(wide) if wide.shape[1] > 1 else 0.0


def number_ids(scans: pd.DataFrame) -> dict[str, int]:
    """A number for each specimen and scanner."""
    return {name: n for column in ("specimen_id", "scanner") for n, name in enumerate(sorted(scans[column].unique()))}


def train(
    setting: Setting,
    rows: pd.DataFrame,
    val: pd.DataFrame,
    features: Mapping[str, np.ndarray],
    config: Mapping[str, Any],
) -> tuple[MaskedMILModel, tuple[float, float]]:
    """The network of the best epoch, and its worst scanner's validation AUROC and minus its validation CoV."""
    torch.manual_seed(setting.seed)
    numbers = number_ids(pd.concat([rows, val]))
    items = as_items(rows, features, numbers)
    network = MaskedMILModel(2, items[0]["image"].shape[1])
    sampler = SpecimenScannerSampler(items, config["specimens_per_batch"], min(3, setting.scanners), setting.seed)
    loader = DataLoader(items, batch_sampler=sampler, collate_fn=collate_bags)  # type: ignore[arg-type]
    optimizer = torch.optim.AdamW(network.parameters(), lr=config["learning_rate"], weight_decay=config["weight_decay"])
    total = config["epochs"] * len(loader)
    schedule = WarmupCosineSchedule(optimizer, warmup_steps=2 * len(loader), t_total=total, warmup_multiplier=0.1)
    options = {"alpha": setting.alpha, "weight": setting.weight, "warmup_epochs": config["warmup_epochs"]}
    scangen = create_method("scangen", {"scangen": options})
    best = BestEpoch(network, val, collate_bags(as_items(val, features, numbers)), config["val_interval"])
    trainer = SupervisedTrainer(
        "cpu",
        config["epochs"],
        loader,
        network,
        optimizer,
        MaskedCrossEntropy(),
        train_handlers=[
            EpochSeedHandler(setting.seed, [sampler]),
            MethodHandler(scangen),
            GradientClipHandler(1.0),
            best,
        ],
        prepare_batch=PrepareBagBatch(),
        decollate=False,
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: schedule.step())
    trainer.run()
    network.load_state_dict(best.weights)
    return network, best.best
