"""The commands that are abused, what each needs, and what each leaves."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import torch

from abuse.child import Child
from abuse.command import bundle, scangen

SPECIMENS, EPOCHS = "6", "4"
LOGGING = ["--logging_file", "configs/logging.conf"]


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
        name: of the command.
        start: runs it on a folder that holds what the jobs before it made.
        results: what it leaves, as digests by name; empty where it has not finished.
        clear: removes what it leaves.
    """

    name: str
    start: Callable[[Path, Path, Callable[[], None] | None], Child]
    results: Callable[[Path], dict[str, str]]
    clear: Callable[[Path], None]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path, pattern: str) -> dict[str, str]:
    return {path.name: digest(path) for path in sorted(folder.glob(pattern))}


def _bags(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted((folder / "data" / "features" / "efficientnet-lite0").glob("*.h5")):
        with h5py.File(path) as file:
            digests[path.name] = hashlib.sha256(file["features"][:].tobytes() + file["coords"][:].tobytes()).hexdigest()
    return digests


def _weights(folder: Path) -> dict[str, str]:
    path = folder / "outputs" / "run" / "models" / "best.pt"
    if not path.is_file():
        return {}
    network = torch.load(path, weights_only=True)["network"]
    return {name: hashlib.sha256(value.numpy().tobytes()).hexdigest() for name, value in network.items()}


def _evaluation(folder: Path) -> dict[str, str]:
    run = folder / "outputs" / "run"
    return {name: digest(run / name) for name in ("predictions.csv", "metrics.json") if (run / name).is_file()}


def _step(words: Sequence[str]) -> Callable[[Path, Path, Callable[[], None] | None], Child]:
    def start(folder: Path, log: Path, before: Callable[[], None] | None) -> Child:
        places = ["--dataset_dir", str(folder / "data"), *LOGGING]
        return bundle([word.replace("{out}", str(folder / "outputs")) for word in words] + places, log, before)

    return start


def _phantom(folder: Path, log: Path, before: Callable[[], None] | None) -> Child:
    return scangen(["phantom", str(folder / "data"), "--specimens", SPECIMENS], log, before)


def _remove(*names: str) -> Callable[[Path], None]:
    def clear(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    return clear


RUN = ["--output_dir", "{out}", "--run_name", "run", "--max_epochs", EPOCHS]
STORED = ["--run_dir", "{out}/run"]  # the training's folder
JOBS = (
    Job("phantom", _phantom, lambda folder: files(folder / "data" / "slides", "*.tif"), _remove("data")),
    Job(
        "extracting",
        _step(["extracting", "--config_file", "configs/extract_features.yaml"]),
        _bags,
        _remove("data/features"),
    ),
    Job("training", _step(["training", "--config_file", "configs/train.yaml", *RUN]), _weights, _remove("outputs")),
    Job(
        "evaluating",
        _step(["evaluating", "--config_file", "configs/evaluate.yaml", *STORED, "--resamples", "200"]),
        _evaluation,
        _remove("outputs/run/predictions.csv", "outputs/run/metrics.json", "outputs/run/report.html"),
    ),
    Job(
        "inferring",
        _step(["inferring", "--config_file", "configs/inference.yaml", *STORED]),
        lambda folder: files(folder / "outputs" / "run" / "inference", "predictions.csv"),
        _remove("outputs/run/inference"),
    ),
    Job(
        "banking",
        _step(["banking", "--config_file", "configs/bank.yaml", "--scanners", "3", "--max_scans", "12"]),
        lambda folder: files(folder / "data" / "features" / "efficientnet-lite0" / "virtual", "*.npz"),
        _remove("data/features/efficientnet-lite0/virtual"),
    ),
)
