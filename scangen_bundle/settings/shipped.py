"""Where the bundle's config files are: beside the package in a clone or a packed bundle, inside it where it was installed."""

from __future__ import annotations

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
