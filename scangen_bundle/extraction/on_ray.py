"""Bags made on the nodes of a Ray cluster: paths go to a worker, which reads, encodes and writes; a number of tiles comes back.

A worker is a process with one GPU or some cores that keeps its encoder from slide to slide.
"""

from __future__ import annotations

import hashlib
import pickle
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError
from scangen_bundle.extraction.extract_slide import SlideResult, extract_slide
from scangen_bundle.extraction.folder import BagFolder
from scangen_bundle.extraction.hand import ExtractionSummary, SlidesInHand
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.ring import isolate_tiles
from scangen_bundle.extraction.stage import Scratch, local_copy
from scangen_bundle.extraction.work import Failure, SlideTask, TilingSettings
from scangen_bundle.plugins import load_plugins, loaded_plugins
from scangen_bundle.processes import UnfitMachine, WorkerDied
from scangen_bundle.ray_engine import RayEngine


@dataclass(frozen=True)
class EncoderFacts:
    """What an encoder is, for a process that has none; the attributes of `Encoder` that bags record."""

    name: str
    revision: str
    pooling: str
    dim: int
    tile_px: int
    mpp: float


@dataclass(frozen=True)
class Recipe:
    """What a worker needs besides the slide; it is small and picklable.

    Attributes:
        encoder: makes the encoder.
        tiling: as in the job's request.
        dtype: of the stored vectors.
        plugins: files that declare encoders.
        scratch: for copies of slides of object stores, on each node.
    """

    encoder: Callable[..., Encoder]
    tiling: TilingSettings
    dtype: str
    plugins: tuple[Path, ...] = ()
    scratch: Scratch = field(default_factory=Scratch)

    @property
    def key(self) -> str:
        """Recipes with one key make one encoder."""
        return hashlib.sha256(pickle.dumps(self)).hexdigest()


_kept: dict[str, ExtractionRequest] = {}  # of the worker process: the request of the last recipe


def _request_of(recipe: Recipe) -> ExtractionRequest:
    """The request with its encoder, which this process makes once.

    Raises:
        UnfitMachine: it cannot be made here: weights, package or GPU are missing.
    """
    if (key := recipe.key) not in _kept:
        try:
            load_plugins(recipe.plugins)
            encoder = recipe.encoder()
        except InputError as error:
            raise UnfitMachine(str(error)) from error
        isolate_tiles(encoder, recipe.tiling.batch_size)  # as the encoders of a job on one machine
        _kept.clear()
        _kept[key] = ExtractionRequest(encoder, recipe.tiling.for_encoder(encoder.tile_px, encoder.mpp), recipe.dtype)
    return _kept[key]


def describe_encoder(recipe: Recipe) -> EncoderFacts:
    """What the recipe's encoder is; runs on a worker."""
    encoder = _request_of(recipe).encoder
    return EncoderFacts(encoder.name, str(encoder.revision), encoder.pooling, encoder.dim, encoder.tile_px, encoder.mpp)


def make_bag(recipe: Recipe, task: SlideTask) -> SlideResult | Failure:
    """Make the bag of a slide; runs on a worker."""
    request = _request_of(recipe)
    try:
        with ExitStack() as stack:
            return extract_slide(local_copy(task, recipe.scratch, stack), request)
    except (InputError, OSError) as error:
        return Failure(str(error), traceback.format_exc())


class RayBagMaking:
    """Makes bags as `BagMaking` does, on a Ray cluster.

    Args:
        encoder: the function that makes the encoder on a worker.
        tiling: how slides are cut.
        dtype: of the stored vectors.
        cpus: processors of a worker.
        scratch: for copies of slides of object stores, on each node.

    Attributes:
        encoder: what the encoder is; it cannot encode.

    Raises:
        InputError: no cluster answers, or no node can make the encoder.
    """

    def __init__(
        self,
        encoder: Encoder | Callable[..., Encoder],
        tiling: TilingSettings,
        dtype: str,
        cpus: float,
        scratch: Scratch,
    ) -> None:
        if not callable(encoder):
            problem = "the encoder is made already, and cannot travel to other machines"
            raise InputError("engine ray", problem, "give the function that makes it")
        self._engine = RayEngine(cpus=cpus)
        self._engine.gpus = 1 if self._engine.has_gpus() else 0
        self._recipe = Recipe(encoder, tiling, dtype, loaded_plugins(), scratch)
        answers: list[EncoderFacts | WorkerDied] = []
        self._engine.run(describe_encoder, [self._recipe], lambda recipe, answer: answers.append(answer))
        (answer,) = answers
        if isinstance(answer, WorkerDied):
            raise InputError("engine ray", f"the encoder cannot be made: {answer.reason}")
        self.encoder: Any = answer

    def run(self, folder: BagFolder, tasks: Sequence[SlideTask], summary: ExtractionSummary, shown: bool) -> None:
        """Make the bags of slides; the summary is filled.

        Args:
            folder: of the bags.
            tasks: the slides.
            summary: is filled.
            shown: show a progress bar.
        """
        with SlidesInHand(folder, summary, len(tasks), shown) as hand:
            report = partial(_note, hand)
            while tasks:
                self._engine.run(partial(make_bag, self._recipe), hand.claim(tasks), report)
                tasks = hand.wait_for_others()


def _note(hand: SlidesInHand, task: SlideTask, result: SlideResult | Failure | WorkerDied) -> None:
    if isinstance(result, WorkerDied):
        hand.fail(task, Failure(result.reason, ""))
    elif isinstance(result, Failure):
        hand.fail(task, result)
    else:
        hand.begin(task, result.tiles, result.reader)
        hand.advance(task, result.tiles)
        hand.finish(task)
