"""The extraction job: slides to feature bags."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.bags.open import open_bag
from scangen_bundle.bags.writer import BagWriter, open_writer
from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import InputError, listed
from scangen_bundle.extraction.pool import Failure, Message, ReaderPool, SlideEnd
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.tables import FailureLog, bag_row, update_failures, write_table
from scangen_bundle.extraction.tiling import SlideFacts, SlideTask, TilingSettings, find_mask
from scangen_bundle.files import write_atomically
from scangen_bundle.locks import lock_file
from scangen_bundle.progress import ExtractionProgress, with_bar
from scangen_bundle.slides import SlideReader

logger = logging.getLogger(__name__)

LISTED = 10  # of what failures.csv and the folder tell in full
PICTURES = "tissue"  # folder below that of the bags


@dataclass
class ExtractionSummary:
    """What a run did, as ids of slides.

    Attributes:
        made: bags that this run made.
        kept: bags that were there before.
        elsewhere: slides that another job has in hand or has finished meanwhile.
        failed: slides that failed, with their problem.
        readers: how many slides each reader read.
        tiles: number of tiles that this run encoded.
        seconds: duration.
    """

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    readers: Counter[str] = field(default_factory=Counter)
    tiles: int = 0
    seconds: float = 0.0


@dataclass
class _Slide:
    """A slide in hand: its lock and its bag in the making."""

    task: SlideTask
    held: ExitStack
    writer: BagWriter | None = None


class ExtractionJob:
    """Make the feature bag of every slide of a manifest: `<output_dir>/<slide_id>.h5`.

    Reader processes cut slides into tiles, the encoder runs in this process. Memory does not grow with the number or the
    size of slides. A run can be killed at any time: finished bags stay as they are, and the next run makes the missing
    ones. Several jobs may work on one folder. A slide that fails is written to `failures.csv` with its traceback, and the
    run goes on. `slides.csv` tells of each finished scan what the audit needs, `tissue/<slide_id>.jpg` shows which tissue was
    found and which tiles were cut.

    Rows of the manifest without `slide_path` have their features already and are passed over.

    Reader processes are started afresh: a script that runs a job needs the usual `if __name__ == "__main__":`.

    Args:
        manifest: path of the manifest, or what `load_manifest` gave.
        output_dir: folder of the bags.
        encoder: makes the vectors.
        reader: a backend of `slides.open_slide`, or a function from a path to an open slide (it is sent to other
            processes, so no lambda).
        mpp: resolution of the tiles, µm/px; None takes the encoder's.
        batch_size: tiles per call of the encoder.
        workers: reader processes; None takes one per processor, at most 4.
        dtype: "float16" or "float32", of the stored vectors.
        allow_upsampling: allow an mpp finer than a slide's level 0 by more than 5 %.
        tissue: options of `slides.tissue_mask`.
        tiling: options of `slides.tile_grid`.
        masks_dir: folder with masks of the user, `<slide_id>.png` or `.geojson`, for slides that have one.
        progress: show a progress bar.

    Raises:
        InputError: the manifest breaks its rules, or an option does not exist.
    """

    def __init__(
        self,
        manifest: str | os.PathLike[str] | pd.DataFrame,
        output_dir: str | os.PathLike[str],
        encoder: Encoder,
        reader: str | Callable[[str], SlideReader] = "auto",
        mpp: float | None = None,
        batch_size: int = 64,
        workers: int | None = None,
        dtype: str = "float16",
        allow_upsampling: bool = False,
        tissue: Mapping[str, Any] | None = None,
        tiling: Mapping[str, Any] | None = None,
        masks_dir: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        self.manifest = manifest if isinstance(manifest, pd.DataFrame) else load_manifest(manifest)
        self.output_dir = Path(output_dir)
        settings = TilingSettings(
            mpp=encoder.mpp if mpp is None else float(mpp),
            tile_px=encoder.tile_px,
            batch_size=batch_size,
            reader=reader,
            allow_upsampling=allow_upsampling,
            tissue=dict(tissue or {}),
            tiling=dict(tiling or {}),
            picture=True,
        )
        self.request = ExtractionRequest(encoder, settings, dtype)
        if workers is not None and workers < 1:
            raise InputError(
                "option workers", f"is {workers}, expected at least 1", "null takes one per processor, at most 4"
            )
        self.workers = workers or min(4, os.cpu_count() or 1)
        self.masks_dir = None if masks_dir is None else Path(masks_dir)
        if self.masks_dir is not None and not self.masks_dir.is_dir():
            raise InputError(self.masks_dir, "there is no such folder of masks", "correct masks_dir, or leave it out")
        self.progress = progress
        self._locks = self.output_dir / ".locks"

    def run(self) -> ExtractionSummary:
        """Extract, and end with an error if slides failed, after all others are finished.

        The error's exit code is the number of failed slides, at most 100.

        Raises:
            InputError: a bag of another request is there, the folder cannot be written, or slides failed.
        """
        summary = self.extract()
        if summary.failed:
            total = sum(map(len, (summary.made, summary.kept, summary.elsewhere, summary.failed)))
            error = InputError(
                self.output_dir / "failures.csv",
                listed(
                    f"{len(summary.failed)} of {total} slides failed",
                    [f"{slide}: {problem}" for slide, problem in summary.failed.items()],
                    LISTED,
                ),
                "mend or take out what it names and run again; the finished bags are kept",
            )
            error.exit_code = min(len(summary.failed), 100)  # shells have meanings of their own for codes above 125
            raise error
        return summary

    def extract(self) -> ExtractionSummary:
        """Extract without an error for slides that fail; they are in the summary and in `failures.csv`.

        Raises:
            InputError: a bag of another request is there, two scans would be the same tiles of one slide file, or the folder
                cannot be written.
        """
        start = time.monotonic()
        slides = self.manifest[self.manifest["slide_path"] != ""]
        if passed := len(self.manifest) - len(slides):
            logger.info("%d of %d scans have no slide_path: passed over", passed, len(self.manifest))
        self._check_shared(slides)
        summary = ExtractionSummary()
        try:
            with self._only_jobs_like_this():
                kept = self._check_finished(slides)
                summary.kept = list(kept)
                todo = slides[~slides["slide_id"].isin(summary.kept)]
                if len(todo):
                    self._extract(todo, summary)
                self._write_tables(slides, kept)
            with suppress(OSError):  # another job is using it
                self._locks.rmdir()
        except OSError as error:  # slides are read in other processes: this is about writing
            raise InputError(
                self.output_dir,
                f"cannot be written: {error}",
                "free space or change permissions and run again; finished bags are kept",
            ) from error
        summary.seconds = time.monotonic() - start
        rate = summary.tiles / max(summary.seconds, 1e-9)
        readers = "".join(f", {count} read with {reader}" for reader, count in summary.readers.most_common())
        print(
            f"{len(summary.made)} bags made ({summary.tiles} tiles, {rate:.0f}/s{readers}), {len(summary.kept)} were there, "
            f"{len(summary.elsewhere)} with another job, {len(summary.failed)} failed: {self.output_dir}",
            file=sys.stderr,
        )
        return summary

    def _check_shared(self, slides: pd.DataFrame) -> None:
        """Refuse scans that are one file: a slide may hold several specimens, but then each has a mask of its own.

        Raises:
            InputError: it names the scans and the file.
        """
        owner: dict[tuple[str, str], str] = {}
        row: Any
        for row in slides.itertuples():
            task = self._task(row)
            first = owner.setdefault((os.path.realpath(task.path), task.mask), task.slide_id)
            if first != task.slide_id:
                problem = f"{task.slide_id} and {first} have one slide file, {task.path}"
                remedy = "give each scan its own slide; for specimens side by side on one slide, give each a mask in masks_dir"
                raise InputError("manifest", problem, remedy)

    @contextmanager
    def _only_jobs_like_this(self) -> Iterator[None]:
        """Several jobs may share a folder if they ask for the same; this one shows itself, then looks for others.

        Raises:
            InputError: a job that asks for something else is at work here.
        """
        with lock_file(self._locks / f"{self.request.digest}.{uuid.uuid4().hex}.job"):
            for other in self._locks.glob("*.job"):
                with lock_file(other) as its_job_is_gone:  # then its lock goes, too
                    if not (its_job_is_gone or other.name.startswith(self.request.digest)):
                        problem = "a job with another encoder or other options is making bags in it"
                        raise InputError(self.output_dir, problem, "choose another output folder (features_dir)")
            yield

    def _check_finished(self, slides: pd.DataFrame) -> dict[str, dict[str, Any]]:
        """The slides whose bag is there and is what was asked for: by id, their rows of `slides.csv`.

        Raises:
            InputError: bags that are there are damaged or not what was asked for.
        """
        finished: dict[str, dict[str, Any]] = {}
        refused: list[str] = []
        row: Any
        for row in with_bar(list(slides.itertuples()), "checking bags that are there", self.progress):
            path = self._path(row.slide_id)
            if path.exists():
                try:
                    bag = open_bag(path)
                    refused += [f"{path.name}: {text}" for text in self.request.differences(bag, self._task(row))]
                    finished[str(row.slide_id)] = bag_row(row, bag)
                except InputError as error:
                    refused.append(f"{path.name}: {error.problem}")
        if refused:
            raise InputError(
                self.output_dir,
                listed("bags in it are not what is asked for, and were not touched", refused, LISTED),
                "choose another output folder (features_dir), or move those bags away",
            )
        return finished

    def _task(self, row: Any) -> SlideTask:
        slide_id = str(row.slide_id)
        return SlideTask(slide_id, str(row.slide_path), float(row.mpp), find_mask(self.masks_dir, slide_id))

    def _path(self, slide_id: object) -> Path:
        return self.output_dir / f"{slide_id}.h5"

    def _extract(self, todo: pd.DataFrame, summary: ExtractionSummary) -> None:
        in_hand: dict[str, _Slide] = {}
        workers = min(self.workers, len(todo))
        with (
            ExitStack() as unfinished,
            ExtractionProgress(len(todo), shown=self.progress) as progress,
            ReaderPool(workers, self.request.tiling) as pool,
        ):
            failures = FailureLog(self.output_dir / "failures.csv", self._locks / "failures.csv.lock")
            unfinished.callback(failures.write)
            unfinished.callback(_abandon_all, in_hand)
            for reader, task, part in pool.run(self._claim(todo, in_hand, summary, progress)):
                slide = in_hand[task.slide_id]
                try:
                    self._take(slide, part, progress)
                except InputError as error:  # the slide's vectors are not fit to be kept
                    reader.stop()
                    part = Failure(str(error), traceback.format_exc())
                if isinstance(part, SlideFacts):
                    summary.readers[part.backend] += 1
                    logger.debug("%s: read with %s", task.slide_id, part.backend)
                elif isinstance(part, SlideEnd):
                    summary.made.append(task.slide_id)
                elif isinstance(part, Failure):
                    _abandon(slide)
                    self._record(task, part, summary, failures)
                if isinstance(part, (SlideEnd, Failure)):
                    del in_hand[task.slide_id]
                    progress.end_slide(task.slide_id, failed=isinstance(part, Failure))
        summary.tiles = progress.tiles

    def _claim(
        self,
        todo: pd.DataFrame,
        in_hand: dict[str, _Slide],
        summary: ExtractionSummary,
        progress: ExtractionProgress,
    ) -> Iterator[SlideTask]:
        """The slides that no other job has, each locked when its turn comes."""
        halves = _halves(self.output_dir)
        row: Any
        for row in todo.itertuples():
            slide_id = str(row.slide_id)
            held = ExitStack()
            got = held.enter_context(lock_file(self._locks / f"{slide_id}.lock"))
            if not got or self._path(slide_id).exists():
                held.close()
                summary.elsewhere.append(slide_id)
                progress.end_slide(slide_id)
                continue
            for half in halves.get(slide_id, []):
                half.unlink(missing_ok=True)
            task = self._task(row)
            in_hand[slide_id] = _Slide(task, held)
            yield task

    def _take(self, slide: _Slide, part: Message, progress: ExtractionProgress) -> None:
        """Encode and store a part of a slide.

        Raises:
            InputError: the encoder's vectors are not finite.
        """
        if isinstance(part, bytes):
            with write_atomically(self.output_dir / PICTURES / f"{slide.task.slide_id}.jpg") as temporary:
                temporary.write_bytes(part)
        elif isinstance(part, SlideFacts):
            attributes = self.request.attributes(slide.task, part)
            writer = open_writer(self._path(slide.task.slide_id), part.coords, attributes, self.request.dtype)
            slide.writer = slide.held.enter_context(writer)
            progress.begin_slide(slide.task.slide_id, len(part.coords))
        elif isinstance(part, np.ndarray):
            assert slide.writer is not None
            slide.writer.append(self.request.encoder.encode(part))
            progress.advance(slide.task.slide_id, len(part))
        elif isinstance(part, SlideEnd):
            assert slide.writer is not None
            slide.writer.sharpness = part.sharpness
            slide.held.close()

    def _record(self, task: SlideTask, failure: Failure, summary: ExtractionSummary, failures: FailureLog) -> None:
        """Write a failure down while the run goes on, so that it survives whatever comes."""
        summary.failed[task.slide_id] = failure.problem
        logger.error("%s failed: %s", task.slide_id, failure.problem)
        row = {
            "slide_id": task.slide_id,
            "slide_path": task.path,
            "problem": failure.problem,
            "traceback": failure.trace,
        }
        failures.add(row)

    def _write_tables(self, slides: pd.DataFrame, kept: Mapping[str, dict[str, Any]]) -> None:
        """Bring `failures.csv` and `slides.csv` up to date; the rows of `kept` bags are known, the others' are read."""
        finished = [row for row in slides.itertuples() if self._path(row.slide_id).exists()]
        update_failures(
            self.output_dir / "failures.csv",
            [],
            [str(row.slide_id) for row in finished],
            self._locks / "failures.csv.lock",
        )
        table = pd.DataFrame(
            [kept.get(str(row.slide_id)) or bag_row(row, open_bag(self._path(row.slide_id))) for row in finished]
        )
        if len(table):
            write_table(table, self.output_dir / "slides.csv")
            for row in table[table["agreement"] == "disagreement"].itertuples():
                logger.warning("%s: the manifest says %s, its file says %s", row.slide_id, row.scanner, row.identified)


def _abandon(slide: _Slide) -> None:
    """Drop a bag in the making and let go of its lock."""
    error = RuntimeError("abandoned")
    slide.held.__exit__(RuntimeError, error, None)


def _abandon_all(in_hand: Mapping[str, _Slide]) -> None:
    for slide in in_hand.values():
        _abandon(slide)


def _halves(folder: Path) -> dict[str, list[Path]]:
    """Bags and pictures in the making by slide: those of other jobs, and those that killed jobs left behind."""
    found: dict[str, list[Path]] = {}
    for path in (*folder.glob(".*.tmp.h5"), *(folder / PICTURES).glob(".*.tmp.jpg")):
        found.setdefault(path.name[1:].rsplit(".", 3)[0], []).append(path)
    return found
