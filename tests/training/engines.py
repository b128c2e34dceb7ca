"""A small MONAI trainer and evaluator for the handlers' tests."""

from __future__ import annotations

import torch
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from scangen_bundle.tasks import Classification, Predict


class Bags(torch.utils.data.Dataset):
    """Eight scans of four specimens on two scanners, the same draw in every process."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.image = torch.randn(8, 5, 4, generator=generator)
        self.label = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: int) -> dict:
        return {
            "image": self.image[index],
            "label": self.label[index],
            "specimen": index // 2,
            "scanner": index % 2,
            "slide_id": f"s{index}",
        }


class Network(torch.nn.Module):
    """Mean of the tiles, dropout, a linear head."""

    def __init__(self, features: int = 4) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.dropout = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(features, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.head(self.dropout(image.mean(dim=1)))


def make_evaluator(network, handlers=(), key=None, **options):
    options.setdefault("postprocessing", Predict(Classification()))
    loader = torch.utils.data.DataLoader(Bags(), batch_size=3)
    return SupervisedEvaluator(
        "cpu", loader, network, val_handlers=list(handlers), key_val_metric=key, decollate=False, **options
    )


def make_trainer(network, optimizer, handlers, max_epochs=4, **options):
    loader = torch.utils.data.DataLoader(Bags(), batch_size=4)
    loss = torch.nn.CrossEntropyLoss()
    return SupervisedTrainer(
        "cpu", max_epochs, loader, network, optimizer, loss, train_handlers=list(handlers), decollate=False, **options
    )
