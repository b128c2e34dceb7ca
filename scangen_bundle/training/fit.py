"""One training of a network by MONAI's trainer: without validation, checkpoint or tracking, which are handlers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from ignite.engine import Engine
from monai.engines import SupervisedTrainer

from scangen_bundle.data import PrepareBagBatch


class Batches(Protocol):
    """The batches of an epoch: an iterable of collated bags with a length."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[dict[str, Any]]: ...


def train_network(
    network: torch.nn.Module,
    batches: Batches,
    loss: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    max_epochs: int,
    device: str | torch.device = "cpu",
    handlers: Sequence[Any] = (),
) -> Engine:
    """Train a network in place.

    Args:
        network: called as `network(image, mask=mask, scanner=scanner)`, on `device`.
        batches: iterated once per epoch, for example a data loader with `data.collate_bags`.
        loss: called with the network's output and the labels.
        optimizer: of the network's parameters.
        max_epochs: number of epochs.
        device: where the batches go.
        handlers: anything with `attach(engine)`, such as `MethodHandler`.

    Returns:
        The trainer after its run.
    """
    trainer = SupervisedTrainer(
        device=device,
        max_epochs=max_epochs,
        train_data_loader=batches,
        epoch_length=len(batches),
        network=network,
        optimizer=optimizer,
        loss_function=loss,
        prepare_batch=PrepareBagBatch(),
        train_handlers=list(handlers),
        decollate=False,
    )
    trainer.run()
    return trainer
