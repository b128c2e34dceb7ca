"""A user's own encoders, methods, measures and tasks: python files whose import registers what their decorators declare."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from scangen_bundle.errors import InputError

_loaded: list[Path] = []


def loaded_plugins() -> tuple[Path, ...]:
    """The files that were imported: what another process has to `load_plugins` to know what this one knows."""
    return tuple(_loaded)


def load_plugins(paths: Sequence[str | Path] | str | Path) -> None:
    """Import python files, each once per process.

    Args:
        paths: of the files, relative to the working directory; a single path may stand without a list.

    Raises:
        InputError: a path is no python file, or importing the file fails; the message names its line.
    """
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        _load(Path(path).expanduser().resolve())


def _load(path: Path) -> None:
    name = f"scangen_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    if path.suffix != ".py" or not path.is_file():
        raise InputError(f"plugin {path}", "there is no python file here", "name an existing .py file in --plugins")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a .py file has a spec and a loader
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and pickle look a class's module up
    try:
        spec.loader.exec_module(module)
    except InputError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"plugin {path}{_line_of(error, path)}", f"{type(error).__name__}: {error}") from error
    _loaded.append(path)


def _line_of(error: Exception, path: Path) -> str:
    """`, line <n>` of the plugin's own line that failed, "" where none did."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""
