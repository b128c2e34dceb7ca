"""The folder of a training whose test scans were predicted, written without network and engine."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from scangen_bundle.runs import RunFolder, RunSettings, save_checkpoint, write_predictions
from scangen_bundle.runs.splits import write_splits
from scangen_bundle.runs.vectors import write_vectors
from tests.conftest import ROOT


def train_settings(**changes):
    """Those of configs/train.yaml, changed."""
    return RunSettings({**yaml.safe_load((ROOT / "configs" / "train.yaml").read_text()), **changes})


def scans(specimens: int, first: int = 0) -> pd.DataFrame:
    """Two scans of each specimen, on A and B; a patient has one specimen, labels alternate."""
    return pd.DataFrame(
        [
            {
                "slide_id": f"s{number}{scanner}",
                "specimen_id": f"g{number}",
                "patient_id": f"00{number}",
                "scanner": scanner,
                "label": number % 2,
            }
            for number in range(first, first + specimens)
            for scanner in "AB"
        ]
    )


def with_probability(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=len(table))
    return table.assign(probability=1 / (1 + np.exp(-(table["label"] - 0.5 + noise))))


def write_finished_run(path: Path, **settings) -> RunFolder:
    """Scanner A alone was trained on; 6 specimens are validated, 8 tested."""
    folder = RunFolder(path)
    train_settings(**settings).write(folder.settings)
    train, val, test = scans(6), scans(6, 10), scans(8, 20)
    train = train[train["scanner"] == "A"]
    splits = [table.assign(split=name) for name, table in (("train", train), ("val", val), ("test", test))]
    write_splits(pd.concat(splits), folder.splits)
    write_predictions(with_probability(val, 1).assign(epoch=3), folder.val_predictions)
    write_predictions(with_probability(test, 2), folder.predictions)
    vectors = np.random.default_rng(3).normal(size=(len(test), 4)).astype(np.float32)
    write_vectors(folder.embeddings, dict(zip(test["slide_id"], vectors, strict=True)))
    save_checkpoint(folder.best, {"network": {}, "meta": {"epoch": 3}})
    return folder
