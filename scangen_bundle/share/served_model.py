"""The model that MLflow serves: this file is its code (models from code), so nothing is pickled.

A row of the input has the `path` of a feature bag or slide on the server's disk, or the `content` of such a file. The answer
has the probability per class, the prediction with all that the site reference says about it, and the attention and place of
each tile. Research use only. A `path` is opened only below the folders that the environment variable
`SCANGEN_SERVED_FOLDERS` names; without it, only `content` is answered.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc import PythonModel, PythonModelContext

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.bags import FeatureBag, open_bag
from scangen_bundle.bags.bag import NO_COORDS
from scangen_bundle.bags.open import HDF5_MAGIC
from scangen_bundle.errors import InputError
from scangen_bundle.share.slide_features import SlideFeatures
from scangen_bundle.share.slide_model import SlideModel

FOLDERS = "SCANGEN_SERVED_FOLDERS"  # joined as those of PATH


def served_path(text: str) -> Path:
    """The file of a request's `path`, symbolic links followed.

    Raises:
        InputError: it is not below a folder of `SCANGEN_SERVED_FOLDERS`, or is no file.
    """
    folders = [os.path.realpath(folder) for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
    path = Path(os.path.realpath(text)) if "\0" not in text else None
    if path is None or not any(path.is_relative_to(folder) for folder in folders):
        problem = f"the path is not below a folder that this server opens ({FOLDERS})"
        raise InputError("request", problem, "send the content of the file, or ask whoever runs the server")
    if not path.is_file():
        raise InputError(text, "there is no such file", "the path is one of the server's disk; or send the content")
    return path


class ServedClassifier(PythonModel):
    """Feature bag or slide in, statement and attention out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the exported network from the artifact `network`."""
        self.model = SlideModel(context.artifacts["network"], frozenset({"far_from_training"}))
        self.slide_features = SlideFeatures(self.model.features)

    # without types, which MLflow would read as a signature
    def predict(self, context, model_input, params=None):
        """One answer per row of a table with the column `path` or `content`.

        Raises:
            InputError: a file is neither bag nor slide, of another encoder than the model's, or of unknown resolution.
        """
        return [self._answer(row) for row in model_input.to_dict("records")]

    def _answer(self, row: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder:
            if isinstance(row.get("path"), str):
                path, where = served_path(row["path"]), row["path"]
            elif isinstance(row.get("content"), bytes):
                path, where = Path(folder) / "content", "content"
                path.write_bytes(row["content"])
            else:
                raise InputError("request", "a row has neither path nor content", "give one of them")
            bag = self._bag(path, Path(folder) / "slide.h5")
            told, attention = self.model(bag, where)
            coords = None if bag.coords_unit == NO_COORDS else bag.coords_level0().tolist()
            tile = bag.tile_size_level0()
        return {
            "notice": RESEARCH_USE_ONLY,
            **told,
            "attention": attention.tolist(),
            "coords": coords,
            "tile_size": None if tile is None else list(tile),
        }

    def _bag(self, path: Path, made: Path) -> FeatureBag:
        """The bag at `path`, or that of the slide at `path`, written to `made`."""
        with open(path, "rb") as file:
            is_bag = file.read(len(HDF5_MAGIC)) == HDF5_MAGIC
        return open_bag(path) if is_bag else self.slide_features.write(path, made)


mlflow.models.set_model(ServedClassifier())
