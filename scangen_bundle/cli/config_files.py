"""The overlays that ship with the bundle, by their names."""

from __future__ import annotations

import difflib
from pathlib import Path

import yaml

from scangen_bundle.errors import InputError
from scangen_bundle.settings.shipped import configs_folder


def overlay_names(kind: str) -> list[str]:
    """Names of the overlays of a kind, such as `methods`, `tissue` and `readers`."""
    return sorted(path.stem for path in (configs_folder() / kind).glob("*.yaml"))


def overlay_file(kind: str, name: str) -> Path:
    """The config file of an overlay.

    Args:
        kind: its folder in `configs/`.
        name: of the overlay, or the path of a YAML file of one's own.

    Raises:
        InputError: there is none, or a file of one's own holds no settings.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        if not Path(name).is_file():
            raise InputError(name, "there is no such file", "check the path")
        _check_settings(Path(name))
        return Path(name).resolve()
    names = overlay_names(kind)
    if name not in names:
        raise InputError(f"{kind} {name}", "there is no such overlay", nearest(name, names))
    return configs_folder() / kind / f"{name}.yaml"


def _check_settings(path: Path) -> None:
    """Refuse a file that MONAI's parser would end at in a traceback that does not name it.

    Raises:
        InputError: it is no YAML or JSON, or holds something else than names and values.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(path, f"is no YAML: {' '.join(str(error).split())}", "correct it there") from error
    except (UnicodeDecodeError, RecursionError) as error:
        problem = "is nested too deeply" if isinstance(error, RecursionError) else f"is no text in UTF-8 ({error})"
        raise InputError(path, problem, "write settings as lines of `name: value`") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise InputError(
            path, f"holds a {type(content).__name__}, expected names (texts) and values", "write lines of `name: value`"
        )


def nearest(name: str, names: list[str]) -> str:
    """A remedy: what was meant, or what there is."""
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
