"""What a task is: what the network's outputs mean, how they are trained, and which column of a table they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import nn

from scangen_bundle.registry import Registry


class Task(nn.Module):
    """Base of all tasks. Nothing in it is trained; it is a module so that an exported network can hold it.

    Attributes:
        name: of the command line, `--task name`.
        title: one line for pages and cards.
        measures: which family of measures fits its predictions; "classification" is the only one so far.
        choose_by: figure of validation that chooses the model, see `training.ModelChoiceMetric`.
    """

    name: str = ""
    title: str = ""
    measures: str = "classification"
    choose_by: str = "auroc/worst"

    def outputs(self, classes: int) -> int:
        """Number of the network's outputs for C classes."""
        return classes

    def loss(self, class_weights: Sequence[float] | None = None, gather: bool = False) -> nn.Module:
        """The loss of a batch, called with the network's output [B, C] and labels [B] (-1 = unlabelled)."""
        raise NotImplementedError

    def activation(self, logits: torch.Tensor) -> torch.Tensor:
        """Predictions, float64 [B, K], from the network's output [B, C]. TorchScript compiles it for export."""
        raise NotImplementedError

    def columns(self, predictions: torch.Tensor) -> dict[str, list[float]]:
        """Predictions [B, K] as columns of the predictions table."""
        raise NotImplementedError


PREDICTION = "prediction"


class Predict:
    """Postprocessing of a MONAI engine: adds the task's predictions to each batch's output, where handlers read them.

    Args:
        task: whose activation turns `pred` [B, C] into `prediction` [B, K] float64.
    """

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """The data with the entry `prediction`."""
        with torch.no_grad():
            return {**data, PREDICTION: self.task.activation(data["pred"])}


TASKS: Registry[type[Task]] = Registry("task", package="scangen_bundle.tasks")
AnyTask = TypeVar("AnyTask", bound=type[Task])


def register(task: AnyTask) -> AnyTask:
    """Decorator of a task's class: `--task <its name>` finds it from now on.

    Raises:
        InputError: the name is taken.
    """
    TASKS.add(task.name, task)
    return task


def create_task(name: str) -> Task:
    """The task of this name.

    Raises:
        InputError: there is none; it lists those that there are.
    """
    return TASKS[name]()
