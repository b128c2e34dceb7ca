"""What is predicted: one file for each task."""

from scangen_bundle.tasks.classification import Classification, MaskedCrossEntropy
from scangen_bundle.tasks.task import PREDICTION, TASKS, Predict, Task, create_task, register

__all__ = [
    "PREDICTION",
    "TASKS",
    "Classification",
    "MaskedCrossEntropy",
    "Predict",
    "Task",
    "create_task",
    "register",
]
