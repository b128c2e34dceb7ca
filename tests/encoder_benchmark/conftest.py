"""One small phantom cohort for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scangen_bundle.measures.of_features import performance_drop
from scangen_bundle.phantom import make_phantom_cohort


@pytest.fixture(scope="session", autouse=True)
def few_repeats():
    """The published 20 repeats take seconds of each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(performance_drop, "REPEATS", 3)
        yield


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four specimens of 400 µm on six scanners."""
    folder = tmp_path_factory.mktemp("phantom")
    return make_phantom_cohort(folder, specimens=4, seed=3, size_um=400.0, workers=1, progress=False).parent
