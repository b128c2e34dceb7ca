"""A case's result: what the model says of its bag."""

from __future__ import annotations

from case import Case

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.share.slide_model import SlideModel

SCHEMA_VERSION = 1


class Classifier:
    """Applies the packed model to a case.

    Args:
        model: the exported network with its embedded description.
    """

    def __init__(self, model: SlideModel) -> None:
        self.model = model

    def __call__(self, case: Case) -> None:
        """Fill `result` and `attention`.

        Raises:
            InputError: the slide is refused.
        """
        statement, case.attention = self.model(case.bag, case.paths[0].name)
        metadata = {name: self.model.metadata[name] for name in ("version", "commit", "encoder")}
        case.result = {
            "schema_version": SCHEMA_VERSION,
            "notice": RESEARCH_USE_ONLY,
            "input": {"name": case.name, "kind": case.kind, "tiles": len(case.bag)},
            "model": {"name": self.model.description["name"], **metadata},
            **statement,
        }
