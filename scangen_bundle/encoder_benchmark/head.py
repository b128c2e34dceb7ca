"""The benchmark's MIL head: trained alike on each encoder's features, it predicts patients that it did not see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from scangen_bundle.data import class_weights, collate_bags
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.tasks import MaskedCrossEntropy


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
    specimen, scanner = (np.unique(manifest[name], return_inverse=True)[1] for name in ("specimen_id", "scanner"))
    items = [
        {
            "image": torch.from_numpy(np.ascontiguousarray(tiles[slide_id], dtype=np.float32)),
            "coords": torch.zeros((len(tiles[slide_id]), 2), dtype=torch.int64),
            "label": int(label[row]),
            "specimen": int(specimen[row]),
            "scanner": int(scanner[row]),
            "slide_id": slide_id,
        }
        for row, slide_id in enumerate(manifest["slide_id"])
    ]
    patient = manifest["patient_id"].to_numpy()
    fewest = min(len(np.unique(patient[label == c])) for c in range(len(classes)))
    fold = deal_folds(label, patient, min(settings.folds, fewest), seed)
    probability = np.empty((len(items), len(classes)))
    for one in np.unique(fold):
        head = train_head([items[i] for i in np.flatnonzero(fold != one)], len(classes), settings, seed, device)
        test = np.flatnonzero(fold == one)
        probability[test] = _predict(head, [items[i] for i in test], settings.batch_size, device)
    table = manifest[["slide_id", "specimen_id", "patient_id", "scanner"]].assign(label=label)
    names = ["probability"] if len(classes) == 2 else [f"probability_{c}" for c in range(len(classes))]
    table[names] = probability[:, -1:] if len(classes) == 2 else probability / probability.sum(axis=1, keepdims=True)
    return table


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


class Head(torch.nn.Module):
    """`networks.MaskedMILModel` on standardised features: encoders differ in scale, and the head should not care.

    Args:
        mean, spread: [D] of the training tiles.
        classes: C.
        width: of projector and attention.
    """

    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor, classes: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.network = MaskedMILModel(
            classes, len(mean), "gated_att", projector_width=width, projector_depth=1, attention_width=width
        )

    def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits [B, C] of image [B, N, D] and mask [B, N]."""
        return self.network((image - self.mean) / self.spread, mask)


def train_head(
    items: Sequence[dict[str, Any]], classes: int, settings: HeadSettings, seed: int = 0, device: str = "cpu"
) -> Head:
    """Train a head on items as `data.BagDataset` gives them. The global random state is left as it was."""
    sizes = torch.tensor([len(item["image"]) for item in items], dtype=torch.float64)
    mean = torch.stack([item["image"].sum(dim=0, dtype=torch.float64) for item in items]).sum(dim=0) / sizes.sum()
    squares = torch.stack([((item["image"] - mean.float()) ** 2).sum(dim=0, dtype=torch.float64) for item in items])
    spread = (squares.sum(dim=0) / sizes.sum()).sqrt()
    spread[spread < 1e-6 * spread.max().clamp_min(1e-12)] = 1.0  # a feature that does not vary stays near 0
    loss_function = MaskedCrossEntropy(class_weights(list(items), classes)).to(device)
    generator = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = Head(mean.float(), spread.float(), classes, settings.width).to(device).train()
        optimizer = torch.optim.AdamW(head.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        for _ in range(settings.max_epochs):
            order = generator.permutation(len(items))
            for start in range(0, len(order), settings.batch_size):
                chosen = [
                    _drawn(items[i], settings.num_tiles, generator) for i in order[start : start + settings.batch_size]
                ]
                batch = collate_bags(chosen)
                logits = head(batch["image"].to(device), batch["mask"].to(device))
                optimizer.zero_grad()
                loss_function(logits, batch["label"].to(device)).backward()
                optimizer.step()
    return head.eval()


def _drawn(item: dict[str, Any], most: int, generator: np.random.Generator) -> dict[str, Any]:
    """The item with at most `most` tiles."""
    count = len(item["image"])
    if count <= most:
        return item
    rows = torch.from_numpy(np.sort(generator.choice(count, most, replace=False)))
    return {**item, "image": item["image"][rows], "coords": item["coords"][rows]}


@torch.inference_mode()
def _predict(head: Head, items: Sequence[dict[str, Any]], batch_size: int, device: str) -> np.ndarray:
    """Probabilities [N, C]."""
    parts = []
    for start in range(0, len(items), batch_size):
        batch = collate_bags(items[start : start + batch_size])
        logits = head(batch["image"].to(device), batch["mask"].to(device))
        parts.append(logits.double().softmax(dim=1).cpu().numpy())
    return np.concatenate(parts)
