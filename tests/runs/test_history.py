"""The metrics of every epoch are kept, and those of a resumed training replace what it repeats."""

import math

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs.history import add_epoch, read_history


def test_epochs_are_kept_in_full_precision_and_undefined_metrics_left_out(tmp_path):
    path = tmp_path / "history.csv"
    assert read_history(path) is None
    add_epoch(path, 1, {"train/loss": 0.1 + 0.2, "val/auroc/B": math.nan})
    add_epoch(path, 2, {"train/loss": 0.5, "val/auroc/A": 1.0})
    history = read_history(path)
    assert history["train/loss"].to_dict() == {1: 0.1 + 0.2, 2: 0.5}
    assert history["val/auroc/A"].dropna().to_dict() == {2: 1.0}
    assert "val/auroc/B" not in history


def test_a_training_that_resumes_after_epoch_1_replaces_what_came_later(tmp_path):
    for epoch in (1, 2, 3):
        add_epoch(tmp_path / "h.csv", epoch, {"loss": float(epoch)})
    add_epoch(tmp_path / "h.csv", 2, {"loss": 9.0})
    assert read_history(tmp_path / "h.csv")["loss"].to_dict() == {1: 1.0, 2: 9.0}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "h.csv").write_text("nothing\n")
    with pytest.raises(InputError, match="only curves are lost"):
        read_history(tmp_path / "h.csv")
