"""The benchmark's MIL head: trained in the same way on each encoder's features, tested on other patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.data import class_weights, collate_bags
from scangen_bundle.methods import Method
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.tasks import Classification
from scangen_bundle.training.fit import train_network


@dataclass(frozen=True)
class HeadSettings:
    """The head and its training, the same for every encoder.

    Args:
        folds: of the cross-validation; fewer where a class has fewer patients.
        max_epochs: passes over the training scans.
        batch_size: scans per step.
        num_tiles: tiles drawn of a scan in each step; all are seen in testing.
        width: of the projector and of the gated attention.
        learning_rate, weight_decay: of AdamW.
    """

    folds: int = 5
    max_epochs: int = 20
    batch_size: int = 16
    num_tiles: int = 64
    width: int = 96
    learning_rate: float = 1e-3
    weight_decay: float = 0.01


def cross_validate(
    tiles: Mapping[str, np.ndarray], manifest: pd.DataFrame, settings: HeadSettings, seed: int = 0, device: str = "cpu"
) -> pd.DataFrame:
    """Predictions of each scan by a head that was trained on other patients, in the layout of `check_predictions`.

    Args:
        tiles: float32 [T, D] by slide_id.
        manifest: labelled scans of at least two classes, each of at least two patients.
        settings: of the head.
        seed: of folds, weights and draws.
        device: for the head.
    """
    classes, label = np.unique(manifest["label"], return_inverse=True)
    items = _items(tiles, manifest, label)
    patient = manifest["patient_id"].to_numpy()
    fewest = min(len(np.unique(patient[label == c])) for c in range(len(classes)))
    fold = deal_folds(label, patient, min(settings.folds, fewest), seed)
    probability = np.empty((len(items), len(classes)))
    for number in np.unique(fold):
        training, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        head = train_head([items[row] for row in training], len(classes), settings, seed, device)
        probability[test] = _predict(head, [items[row] for row in test], settings.batch_size, device)
    table = manifest[["slide_id", "specimen_id", "patient_id", "scanner"]].assign(label=label)
    if len(classes) == 2:
        return table.assign(probability=probability[:, 1])
    names = [f"probability_{c}" for c in range(len(classes))]
    table[names] = probability / probability.sum(axis=1, keepdims=True)
    return table


def _items(tiles: Mapping[str, np.ndarray], manifest: pd.DataFrame, label: np.ndarray) -> list[dict[str, Any]]:
    """Scans as `data.BagDataset` gives them."""
    specimen = np.unique(manifest["specimen_id"], return_inverse=True)[1]
    scanner = np.unique(manifest["scanner"], return_inverse=True)[1]
    items = []
    for row, slide_id in enumerate(manifest["slide_id"]):
        vectors = np.ascontiguousarray(tiles[slide_id], dtype=np.float32)
        items.append(
            {
                "image": torch.from_numpy(vectors),
                "coords": torch.zeros((len(vectors), 2), dtype=torch.int64),
                "label": int(label[row]),
                "specimen": int(specimen[row]),
                "scanner": int(scanner[row]),
                "slide_id": slide_id,
            }
        )
    return items


def deal_folds(label: np.ndarray, patient: np.ndarray, folds: int, seed: int = 0) -> np.ndarray:
    """Fold [N] of each scan; a patient is in one fold, and the patients of each class are dealt out evenly.

    A patient with several classes counts for the rarest of them. (Scikit-learn's stratified folds of groups may put all
    patients of a small class into one fold.)

    Args:
        label: [N] int64 from 0.
        patient: [N].
        folds: at most the number of patients of the rarest class.
        seed: of the order.
    """
    names, patient = np.unique(patient, return_inverse=True)
    has = np.zeros((len(names), int(label.max()) + 1), bool)
    has[patient, label] = True
    rarest = np.where(has, has.sum(axis=0), len(names) + 1).argmin(axis=1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(rarest[order], kind="stable")]
    fold = np.empty(len(names), dtype=np.int64)
    fold[order] = np.arange(len(names)) % folds
    return fold[patient]


class ScaledFeatures(Method):
    """Features with mean 0 and standard deviation 1: encoders differ in scale, and the head should not care.

    Args:
        mean, deviation: [D] of the training tiles, whatever the scanner.
    """

    name = "scaled features"

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)

    @classmethod
    def of(cls, items: Sequence[dict[str, Any]]) -> ScaledFeatures:
        """The method for these training items; a feature that does not vary stays near 0."""
        images = [item["image"] for item in items]
        count = sum(map(len, images))
        sums = [image.sum(dim=0, dtype=torch.float64) for image in images]
        mean = torch.stack(sums).sum(dim=0) / count
        squares = [((image - mean.float()) ** 2).sum(dim=0, dtype=torch.float64) for image in images]
        deviation = (torch.stack(squares).sum(dim=0) / count).sqrt()
        deviation[deviation < 1e-6 * deviation.max().clamp_min(1e-12)] = 1.0
        return cls(mean.float(), deviation.float())

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        return (x - self.mean) / self.deviation


class DrawnBatches:
    """Batches of an epoch: the items in a new order each time, at most so many tiles drawn of each.

    Args:
        items: as `data.BagDataset` gives them.
        batch_size: items of a batch.
        num_tiles: tiles drawn of an item.
        seed: of orders and draws.
    """

    def __init__(self, items: Sequence[dict[str, Any]], batch_size: int, num_tiles: int, seed: int) -> None:
        self.items, self.batch_size, self.num_tiles = items, batch_size, num_tiles
        self.generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return -(-len(self.items) // self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        order = self.generator.permutation(len(self.items))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield collate_bags([_drawn(self.items[index], self.num_tiles, self.generator) for index in chosen])


def train_head(
    items: Sequence[dict[str, Any]], classes: int, settings: HeadSettings, seed: int = 0, device: str = "cpu"
) -> MaskedMILModel:
    """Train a head on items as `data.BagDataset` gives them. The global random state is left as it was."""
    scaled = ScaledFeatures.of(items)
    loss = Classification().loss(class_weights(list(items), classes)).to(device)
    batches = DrawnBatches(items, settings.batch_size, settings.num_tiles, seed)
    width = settings.width
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = MaskedMILModel(
            classes,
            len(scaled.mean),
            projector_width=width,
            projector_depth=1,
            attention_width=width,
            method=scaled,
        ).to(device)
        optimizer = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        train_network(head, batches, loss, optimizer, settings.max_epochs, device)
    return head.eval()


def _drawn(item: dict[str, Any], most: int, generator: np.random.Generator) -> dict[str, Any]:
    """The item with at most `most` tiles."""
    count = len(item["image"])
    if count <= most:
        return item
    rows = torch.from_numpy(np.sort(generator.choice(count, most, replace=False)))
    return {**item, "image": item["image"][rows], "coords": item["coords"][rows]}


@torch.inference_mode()
def _predict(head: MaskedMILModel, items: Sequence[dict[str, Any]], batch_size: int, device: str) -> np.ndarray:
    """Probabilities [N, C]."""
    parts = []
    for start in range(0, len(items), batch_size):
        batch = collate_bags(items[start : start + batch_size])
        logits = head(batch["image"].to(device), batch["mask"].to(device))
        parts.append(Classification().activation(logits).cpu().numpy())
    return np.concatenate(parts)
