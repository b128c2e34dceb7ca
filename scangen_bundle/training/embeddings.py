"""Slide embeddings of every scan of a run, gathered over batches and processes."""

from __future__ import annotations

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events

from scangen_bundle.networks import named_submodule, unwrap
from scangen_bundle.runs.vectors import write_vectors


class EmbeddingsHandler:
    """Write the embeddings that the network gives, for measures and figures of a report.

    A forward hook on the network's embedding submodule, which outputs [B, E], reads them.

    Args:
        network: that the evaluator runs.
        path: `.npz` to write, see `runs.vectors`.
        embedding: name of the submodule.
    """

    def __init__(self, network: torch.nn.Module, path: str, embedding: str = "embedding") -> None:
        self.path = path
        self._module = named_submodule(unwrap(network), embedding)
        self._output: torch.Tensor | None = None
        self._vectors: dict[str, np.ndarray] = {}

    def attach(self, engine: Engine) -> None:
        self._module.register_forward_hook(self._keep)
        engine.add_event_handler(Events.EPOCH_STARTED, self.reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def reset(self, engine: Engine) -> None:
        self._vectors = {}

    def _keep(self, module: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        self._output = output.detach()

    def collect(self, engine: Engine) -> None:
        """Keep the embeddings of the batch."""
        assert self._output is not None, "the embedding submodule did not run"
        vectors = self._output.float().cpu().numpy()
        self._vectors.update(zip(engine.state.batch["slide_id"], vectors, strict=True))

    def write(self, engine: Engine) -> None:
        """Write the vectors of all processes; the first process writes."""
        vectors: dict[str, np.ndarray] = {}
        for of_process in idist.all_gather(self._vectors):
            vectors.update(of_process)
        if idist.get_rank() == 0:
            write_vectors(self.path, vectors)
