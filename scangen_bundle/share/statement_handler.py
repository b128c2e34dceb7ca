"""Each prediction with what is to be known of it: class, threshold, known scanner, novelty, prediction set."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import ignite.distributed as idist
import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.bags import open_bag
from scangen_bundle.errors import some
from scangen_bundle.measures.predictions import probability_columns
from scangen_bundle.networks import named_submodule, unwrap
from scangen_bundle.runs.predictions import write_predictions
from scangen_bundle.share.flips import decide
from scangen_bundle.share.run_reference import KnownOfNetwork, read_reference
from scangen_bundle.share.statement import state
from scangen_bundle.training import PredictionsHandler

logger = logging.getLogger(__name__)


class StatementHandler:
    """Completes the table of predictions, and warns of slides that are far from those of the training.

    It stands behind the `PredictionsHandler` whose table it completes. A forward hook on the network's embedding submodule,
    which outputs [B, E], reads the embeddings.

    Args:
        network: that the evaluator runs.
        predictions: has the table, and wrote it.
        records: what the dataset was made of: dictionaries with `slide_id` and `features_path`.
        checkpoint: of the network; see `read_reference`.
        class_names: C names.
        embedding: name of the submodule.

    Attributes:
        captions: a line for each slide, filled when all are predicted.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        predictions: PredictionsHandler,
        records: Sequence[Mapping[str, Any]],
        checkpoint: str,
        class_names: Sequence[str],
        embedding: str = "embedding",
    ) -> None:
        self.predictions, self.checkpoint, self.class_names = predictions, checkpoint, list(class_names)
        self.paths = {record["slide_id"]: record["features_path"] for record in records}
        self.captions: dict[str, str] = {}
        self._module = named_submodule(unwrap(network), embedding)
        self._output: torch.Tensor | None = None
        self._vectors: dict[str, np.ndarray] = {}

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._output = output.detach()

    def collect(self, engine: Engine) -> None:
        """Keep the embeddings of the batch."""
        assert self._output is not None, "the embedding submodule did not run"
        self._vectors.update(zip(engine.state.batch["slide_id"], self._output.float().cpu().numpy(), strict=True))

    def write(self, engine: Engine) -> None:
        """Complete the table and write it again; the first of several processes does."""
        vectors = {slide_id: vector for part in idist.all_gather(self._vectors) for slide_id, vector in part.items()}
        self._vectors = {}
        if idist.get_rank() != 0:
            return
        known = read_reference(self.checkpoint)
        table = complete_table(self.predictions.table, vectors, self.paths, known, self.class_names)
        write_predictions(table, self.predictions.path)
        self.captions.update(captions(table))
        report(table, known)


def complete_table(
    table: pd.DataFrame,
    vectors: Mapping[str, np.ndarray],
    paths: Mapping[str, str],
    known: KnownOfNetwork,
    class_names: Sequence[str],
) -> pd.DataFrame:
    """The predictions with further columns.

    Args:
        table: predictions.
        vectors: embedding [E] by slide id.
        paths: of the bags by slide id.
        known: of the network.
        class_names: C names.

    Returns:
        The table with `predicted_class`, `threshold` (empty with more than two classes), `scanner_known`, `novelty`,
        `far_from_training` and `prediction_set` (class names with `|` between them); the last four are empty without
        validation numbers.
    """
    values = table[probability_columns(table)].to_numpy(np.float64)
    probability = np.hstack([1 - values, values]) if values.shape[1] == 1 else values
    chosen = decide(probability, known.threshold)
    added = pd.DataFrame(
        {
            "predicted_class": [class_names[int(index)] for index in chosen],
            "threshold": math.nan if known.threshold is None else known.threshold,
        },
        index=table.index,
    )
    if known.reference is not None:
        rows = []
        for row, slide_id, scanner in zip(probability, table["slide_id"], table["scanner"], strict=True):
            in_file = str(open_bag(paths[slide_id]).attributes.get("scanner", ""))
            name = scanner if scanner in known.reference.scanners else in_file
            statement = state(row, vectors[slide_id], name, known.reference)
            rows.append(
                {
                    "scanner_known": statement["scanner"]["known_to_training"],
                    "novelty": statement["novelty"]["score"],
                    "far_from_training": statement["novelty"]["far_from_training"],
                    "prediction_set": "|".join(statement["prediction_set"]["classes"]),
                }
            )
        added = pd.concat([added, pd.DataFrame(rows, index=table.index)], axis=1)
    else:
        added = added.assign(scanner_known="", novelty=math.nan, far_from_training="", prediction_set="")
    return pd.concat([table.drop(columns=added.columns, errors="ignore"), added], axis=1)


def captions(table: pd.DataFrame) -> dict[str, str]:
    """A line for each slide: class, probability, scanner, and a warning where one is due."""
    lines = {}
    probabilities = table[probability_columns(table)].to_numpy(np.float64)
    for row, values in zip(table.itertuples(), probabilities, strict=True):
        text = f"{row.predicted_class} ({'probability' if len(values) == 1 else 'largest'} {values.max():.3f}) on {row.scanner}"
        if row.far_from_training is True:
            text += "\nFAR FROM TRAINING: the answer means little"
        elif row.far_from_training == "":
            text += "\nnot known whether it is like the training's slides"
        elif row.scanner_known is False:
            text += "\nscanner not known to training"
        lines[str(row.slide_id)] = text
    return lines


def report(table: pd.DataFrame, known: KnownOfNetwork) -> None:
    """Print the classes' counts, and warn."""
    counts = table["predicted_class"].value_counts()
    print(", ".join(f"{name}: {count}" for name, count in counts.items()) + f" of {len(table)} slides")
    if known.reference is None:
        logger.warning(
            "whether these slides are like the training's is not known (no novelty, no prediction sets): %s",
            known.problem,
        )
    else:
        far = table[table["far_from_training"]]
        if len(far):
            names = some([f"{row.slide_id}, called {row.predicted_class}" for row in far.itertuples()])
            logger.warning(
                "%d of %d slides are far from training: their answers mean little (%s)", len(far), len(table), names
            )
        new = sorted(table.loc[~table["scanner_known"].astype(bool), "scanner"].unique())
        if new:
            logger.warning(
                "scanners that training did not know: %s; their prediction sets have no guarantee", some(new)
            )
    print(RESEARCH_USE_ONLY)
