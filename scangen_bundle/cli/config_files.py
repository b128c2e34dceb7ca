"""Where the bundle's config files are: beside the package in a clone or a packed bundle, inside it where it was installed."""

from __future__ import annotations

import difflib
from pathlib import Path

import scangen_bundle
from scangen_bundle.errors import InputError

PACKAGE = Path(scangen_bundle.__file__).parent


def configs_folder() -> Path:
    """The folder with `train.yaml` and the others.

    Raises:
        InputError: it is in neither place.
    """
    places = (PACKAGE.parent / "configs", PACKAGE / "configs")
    for place in places:
        if (place / "train.yaml").is_file():
            return place
    raise InputError(places[0], "the configs of the bundle are missing", "install the package again")


def overlay_names(kind: str) -> list[str]:
    """Names of the overlays of a kind, such as `methods`, `tissue` and `readers`."""
    return sorted(path.stem for path in (configs_folder() / kind).glob("*.yaml"))


def overlay_file(kind: str, name: str) -> Path:
    """The config file of an overlay.

    Args:
        kind: its folder in `configs/`.
        name: of the overlay, or the path of a YAML file of one's own.

    Raises:
        InputError: there is none.
    """
    if name.endswith((".yaml", ".yml", ".json")):
        if not Path(name).is_file():
            raise InputError(name, "there is no such file", "check the path")
        return Path(name).resolve()
    names = overlay_names(kind)
    if name not in names:
        raise InputError(f"{kind} {name}", "there is no such overlay", nearest(name, names))
    return configs_folder() / kind / f"{name}.yaml"


def nearest(name: str, names: list[str]) -> str:
    """A remedy: what was meant, or what there is."""
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
