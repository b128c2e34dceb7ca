"""Fixtures that more than one room's tests use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Two test processes run side by side, with commands that they start: more threads than cores spend their time waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell's background job ignores Ctrl-C, and so would the commands that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def bundle_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of small real slides, which the project does not carry."""
    folder = Path(os.environ.get("SCANGEN_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real slides are not here: {folder} (set SCANGEN_TEST_DATA)")
    return folder
