"""Small stand-ins for the published files: the same layouts, random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from skimage import data

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def histology() -> np.ndarray:
    """Two tiles of real immunohistochemistry, uint8 [2, 224, 224, 3]."""
    image = data.immunohistochemistry()
    return np.stack([image[:224, :224], image[260:484, 260:484]])


@pytest.fixture
def hub_cache(tmp_path, monkeypatch) -> Path:
    """An empty Hugging Face cache."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def add_to_cache(cache: Path, hub_id: str, commit: str = COMMIT) -> Path:
    """Make the folder of a snapshot as `hf download` would, and give it."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    return snapshot


def seeded(build, *args, **kwargs):
    """Call `build` with seeded random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build(*args, **kwargs).eval()
