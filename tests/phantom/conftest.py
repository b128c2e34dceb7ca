"""One tiny phantom cohort for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scangen_bundle.phantom import make_phantom_cohort

TINY = {"specimens": 4, "seed": 3, "size_um": 300.0, "workers": 1, "progress": False}


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_phantom_cohort(tmp_path_factory.mktemp("phantom"), **TINY).parent
