"""The model that MLflow serves: this file is its code (models from code), so nothing is pickled.

A row of the input has a `path` to a feature bag; the answer has the probability per class, the prediction with all that the
site reference says about it, and the attention per tile. Research use only. It opens any path that it is asked for and that
is a feature bag: serve it on loopback or behind a gate.
"""

from __future__ import annotations

import json
from typing import Any

import mlflow
import numpy as np
import torch
from mlflow.pyfunc import PythonModel, PythonModelContext

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.features import open_bag
from scangen_bundle.share.export import DESCRIPTION, load_exported
from scangen_bundle.share.reference import REFERENCE_FILE, SiteReference
from scangen_bundle.share.statement import objections, refuse, state


class ServedClassifier(PythonModel):
    """Feature bag in, statement and attention out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the exported network from the artifact `network`."""
        self.network, metadata, files = load_exported(context.artifacts["network"])
        self.features = metadata[DESCRIPTION]["features"]
        self.reference = SiteReference.from_json(json.loads(files[REFERENCE_FILE]))

    # without types, which MLflow would read as a signature
    def predict(self, context, model_input, params=None):
        """One answer per row of a table with the column `path`.

        Raises:
            InputError: a file is no feature bag, or of another encoder than the model's.
        """
        return [self._answer(str(path)) for path in model_input["path"]]

    def _answer(self, path: str) -> dict[str, Any]:
        bag = open_bag(path)
        refuse(path, objections(bag.attributes, self.features))
        with torch.no_grad():
            probability, attention, embedding = self.network.explain(torch.from_numpy(bag.rows())[None], None)
        told = state(
            probability[0].numpy().astype(np.float64),
            embedding[0].numpy(),
            str(bag.attributes.get("scanner", "")),
            self.reference,
        )
        warnings = list(objections(bag.attributes, self.features, told).values())
        return {"notice": RESEARCH_USE_ONLY, **told, "attention": attention[0].tolist(), "warnings": warnings}


mlflow.models.set_model(ServedClassifier())
