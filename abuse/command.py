"""A command of the bundle in a forked child, as the shell would run it."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from abuse.child import Child

ROOT = Path(__file__).parents[1]


def preload() -> None:
    """Import what commands need, so that children need not. No thread may start here: children are forks."""
    os.environ.setdefault("USER", "abuse")
    import matplotlib

    matplotlib.use("agg")
    import mlflow  # noqa: F401
    import monai.bundle  # noqa: F401
    import onnxruntime  # noqa: F401

    import scangen_bundle.encoder_benchmark
    import scangen_bundle.phantom
    import scangen_bundle.share
    import scangen_bundle.training  # noqa: F401


def bundle(words: Sequence[str], log: Path, before: Callable[[], None] | None = None) -> Child:
    """`python -m monai.bundle run <words>` in a child.

    Args:
        words: after `run`.
        log: where its output goes.
        before: called in the child first; it may replace functions of the system.
    """
    return _start(
        ["monai.bundle", "run", *words], log, before, lambda: runpy.run_module("monai.bundle", run_name="__main__")
    )


def scangen(words: Sequence[str], log: Path, before: Callable[[], None] | None = None) -> Child:
    """The command `scangen` in a child."""
    module = "scangen_bundle.cli"
    return _start([module, *words], log, before, lambda: runpy.run_module(module, run_name="__main__"))


def _start(argv: list[str], log: Path, before: Callable[[], None] | None, main: Callable[[], object]) -> Child:
    def run() -> int:
        os.chdir(ROOT)
        sys.argv = argv
        if before:
            before()
        try:
            main()
        except SystemExit:
            raise
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # an exception is being handled
            return 130 if issubclass(sys.exc_info()[0] or Exception, KeyboardInterrupt) else 1
        return 0

    return Child(run, log)
