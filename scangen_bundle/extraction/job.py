"""The extraction job: the slides of a manifest become feature bags."""

from __future__ import annotations

import logging
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from scangen_bundle.bags.open import open_bag
from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoders import Encoder
from scangen_bundle.errors import SOME_FAILED, InputError, grouped, listed
from scangen_bundle.extraction.devices import make_encoders
from scangen_bundle.extraction.folder import BagFolder
from scangen_bundle.extraction.hand import ExtractionSummary
from scangen_bundle.extraction.make_bags import BagMaking
from scangen_bundle.extraction.on_ray import RayBagMaking
from scangen_bundle.extraction.read_slide import find_mask
from scangen_bundle.extraction.request import ExtractionRequest
from scangen_bundle.extraction.shard import parse_shard
from scangen_bundle.extraction.stage import Scratch
from scangen_bundle.extraction.tables import bag_row, update_failures, update_slides, write_table
from scangen_bundle.extraction.work import SlideTask, TilingSettings
from scangen_bundle.locks import lock_file, owner_of
from scangen_bundle.names import is_remote
from scangen_bundle.processes import usable_cores
from scangen_bundle.progress import with_bar

logger = logging.getLogger(__name__)

ENGINES = ("here", "ray")
LISTED = 10  # failures and differences that an error names; failures.csv has all


class ExtractionJob:
    """Make the feature bag of every slide of a manifest: `<output_dir>/<slide_id>.h5`.

    Reader processes cut slides into tiles, the encoders run in threads of this process. Memory does not grow with the
    number or the size of slides. A run can be killed at any time: finished bags stay as they are, and the next run makes
    the missing ones. Several jobs may work on one folder. A slide that fails is written to `failures.csv` with its
    traceback, and the run continues. `slides.csv` has what the audit needs of each finished scan,
    `tissue/<slide_id>.jpg` shows the tissue and the tiles.

    Rows of the manifest without `slide_path` already have features and are skipped.

    Reader processes are started afresh: a script that runs a job needs the usual `if __name__ == "__main__":`.

    Args:
        manifest: path of the manifest, or what `load_manifest` gave.
        output_dir: folder of the bags.
        encoder: makes the vectors; or the function that makes it, which `devices` needs.
        tiles: how slides are cut; None takes the defaults, at the encoder's resolution.
        dtype: "float16" or "float32", of the stored vectors.
        masks_dir: folder with masks of the user, `<slide_id>.png` or `.geojson`, for slides that have one.
        workers: number of reader processes; None takes one per processor, at most 4.
        progress: show a progress bar.
        overwrite: make bags anew that are damaged or not what is asked for, rather than refuse.
        shard: "i/n" or "auto", to make the bags of this shard only, see `parse_shard`; None makes all.
        devices: "auto" encodes on all GPUs of this machine, see `make_encoders`; None where the encoder chooses.
        engine: "here", or "ray" for the nodes of a Ray cluster (`RAY_ADDRESS`; else one is started on this machine). Then
            `encoder` is the function that makes it, and `workers` and `devices` are Ray's to decide.
        cpus_per_worker: processors of a Ray worker; where the cluster has GPUs, each worker has one.
        scratch: where slides of object stores (`s3://`, `gs://`, `az://`, `https://`) are copied to while they are read.

    Raises:
        InputError: the manifest breaks its rules, or an option does not exist.
    """

    def __init__(
        self,
        manifest: str | os.PathLike[str] | pd.DataFrame,
        output_dir: str | os.PathLike[str],
        encoder: Encoder | Callable[..., Encoder],
        tiles: TilingSettings | None = None,
        dtype: str = "float16",
        masks_dir: str | os.PathLike[str] | None = None,
        workers: int | None = None,
        progress: bool = True,
        overwrite: bool = False,
        shard: str | None = None,
        devices: str | Sequence[str] | None = None,
        engine: str = "here",
        cpus_per_worker: float = 2,
        scratch: Scratch | None = None,
    ) -> None:
        self.manifest = manifest if isinstance(manifest, pd.DataFrame) else load_manifest(manifest)
        self.folder = BagFolder(output_dir)
        tiles = tiles or TilingSettings()
        if engine not in ENGINES:
            raise InputError("option engine", f"is {engine!r}", f"take one of {', '.join(ENGINES)}")
        self._ray: RayBagMaking | None = None
        self.scratch = scratch or Scratch()
        if engine == "ray":
            self._ray = RayBagMaking(encoder, tiles, dtype, cpus_per_worker, self.scratch)
        self.encoders = make_encoders(encoder, devices) if self._ray is None else [self._ray.encoder]
        first = self.encoders[0]
        self.request = ExtractionRequest(first, tiles.for_encoder(first.tile_px, first.mpp), dtype)
        if workers is not None and workers < 1:
            remedy = "null takes one per processor, at most 4"
            raise InputError("option workers", f"is {workers}, expected at least 1", remedy)
        self.workers = workers or min(4, usable_cores())
        self.masks_dir = None if masks_dir is None else Path(masks_dir)
        if self.masks_dir is not None and not self.masks_dir.is_dir():
            raise InputError(self.masks_dir, "there is no such folder of masks", "correct masks_dir, or leave it out")
        self.progress = progress
        self.overwrite = overwrite
        self.shard = parse_shard(shard)

    def run(self) -> ExtractionSummary:
        """Extract, and end with an error if slides failed, after all others are finished.

        The error's exit code is 3.

        Raises:
            InputError: a bag of another request is there, the folder cannot be written, or slides failed.
        """
        summary = self.extract()
        if summary.failed:
            title = f"{len(summary.failed)} of {summary.total} slides failed"
            paths = dict(zip(self.manifest["slide_id"], self.manifest["slide_path"], strict=True))
            problems = grouped(
                {slide: text.removeprefix(f"{paths[slide]}: ") for slide, text in summary.failed.items()}
            )
            remedy = "correct or remove what it names and run again; the finished bags are kept"
            error = InputError(self.folder.failures, listed(title, problems, LISTED), remedy)
            error.exit_code = SOME_FAILED
            raise error
        return summary

    def extract(self) -> ExtractionSummary:
        """Extract without an error for slides that fail; they are in the summary and in `failures.csv`.

        Raises:
            InputError: a bag of another request is there, two scans would be the same tiles of one slide file, or the folder
                cannot be written.
        """
        start = time.monotonic()
        rows = list(self.manifest[self.manifest["slide_path"] != ""].itertuples())
        if skipped := len(self.manifest) - len(rows):
            logger.info("%d of %d scans have no slide_path: skipped", skipped, len(self.manifest))
        tasks = {task.slide_id: task for task in map(self._task, rows)}
        _check_shared(tasks.values())
        rows = [row for row in rows if self.shard.has(str(row.slide_id))]
        tasks = {str(row.slide_id): tasks[str(row.slide_id)] for row in rows}
        summary = ExtractionSummary()
        try:
            self._make_missing(rows, tasks, summary)
        except OSError as error:  # slides are read in other processes: this is about writing
            remedy = "free space or change permissions and run again; finished bags are kept"
            raise InputError(self.folder.path, f"cannot be written: {error}", remedy) from error
        summary.seconds = time.monotonic() - start
        print(f"{summary}: {self.folder.path}", file=sys.stderr)
        return summary

    def _task(self, row: Any) -> SlideTask:
        slide_id = str(row.slide_id)
        return SlideTask(
            slide_id,
            str(row.slide_path),
            float(row.mpp),
            find_mask(self.masks_dir, slide_id),
            bag=str(self.folder.bag(slide_id)),
            picture=str(self.folder.picture(slide_id)),
            tissue=str(getattr(row, "tissue", "")),
        )

    def _make_missing(self, rows: Sequence[Any], tasks: Mapping[str, SlideTask], summary: ExtractionSummary) -> None:
        with self._only_jobs_like_this():
            kept = self._check_finished(rows, tasks)
            summary.kept = list(kept)
            missing = [task for slide_id, task in tasks.items() if slide_id not in kept]
            if missing:
                self._make(missing, summary)
            self._write_tables(rows, kept)
        self.folder.remove_locks()

    def _make(self, tasks: Sequence[SlideTask], summary: ExtractionSummary) -> None:
        if self._ray is not None:
            self._ray.run(self.folder, tasks, summary, self.progress)
        else:
            making = BagMaking(self.request, self.encoders, self.folder, self.workers, self.progress, self.scratch)
            making.run(tasks, summary)

    @contextmanager
    def _only_jobs_like_this(self) -> Iterator[None]:
        """Several jobs may share a folder if they ask for the same; this one shows itself, then looks for others.

        Raises:
            InputError: a job that asks for something else is at work here.
        """
        with lock_file(self.folder.job(self.request.digest, self.shard.count, uuid.uuid4().hex)):
            for other in self.folder.jobs():
                with lock_file(other) as its_job_is_gone:  # then its lock goes, too
                    if not its_job_is_gone:
                        self._check_like_this(other)
            yield

    def _check_like_this(self, job: Path) -> None:
        """Refuse to work beside a job, known by its lock, that asks for something else.

        Raises:
            InputError: it has another encoder, other options, or another number of shards.
        """
        digest, shards = self.folder.read_job(job)
        owner = owner_of(job) or "another process"
        if digest != self.request.digest:
            problem = f"a job with another encoder or other options is making bags in it ({owner})"
            raise InputError(self.folder.path, problem, "choose another output folder (features_dir)")
        if shards != self.shard.count:
            problem = f"{owner} makes one of {shards} shards in it, this job is shard {self.shard}"
            raise InputError(
                self.folder.path, problem, "wait until it has ended, or give both the same n in --shard i/n"
            )

    def _check_finished(self, rows: Sequence[Any], tasks: Mapping[str, SlideTask]) -> dict[str, dict[str, Any]]:
        """The slides whose bag is there and is what was asked for: by id, their rows of `slides.csv`.

        Raises:
            InputError: bags that are there are damaged or not what was asked for.
        """
        finished: dict[str, dict[str, Any]] = {}
        refused: list[str] = []
        for row in with_bar(rows, "checking bags that are there", self.progress):
            task = tasks[str(row.slide_id)]
            path = Path(task.bag)
            if not path.exists():
                continue
            try:
                bag = open_bag(path)
                different = list(self.request.differences(bag, task))
                finished[task.slide_id] = bag_row(row, bag)
            except InputError as error:
                different = [error.problem]
            if different and self.overwrite:
                finished.pop(task.slide_id, None)
                path.unlink()
            else:
                refused += [f"{path.name}: {text}" for text in different]
        if refused:
            problem = listed("bags in it are not what is asked for, and were not touched", refused, LISTED)
            remedy = "make them anew (overwrite), choose another output folder (features_dir), or move those bags away"
            raise InputError(self.folder.path, problem, remedy)
        return finished

    def _write_tables(self, rows: Sequence[Any], kept: Mapping[str, dict[str, Any]]) -> None:
        """Bring `failures.csv` and `slides.csv` up to date; rows of `kept` bags are there, the other bags are read."""
        finished: dict[str, dict[str, Any]] = {}
        for row in rows:
            slide_id = str(row.slide_id)
            path = self.folder.bag(slide_id)
            if path.exists():
                finished[slide_id] = kept.get(slide_id) or bag_row(row, open_bag(path))
        update_failures(self.folder.failures, [], finished, self.folder.tables_lock)
        if not finished:
            return
        table = pd.DataFrame(list(finished.values()))
        if self.shard.count == 1:
            write_table(table, self.folder.slides)
        else:
            order = self.manifest["slide_id"].tolist()
            update_slides(self.folder.slides, table, order, self.folder.tables_lock)
        scan: Any
        for scan in table[table["agreement"] == "disagreement"].itertuples():
            logger.warning("%s: the manifest says %s, its file says %s", scan.slide_id, scan.scanner, scan.identified)


def _check_shared(tasks: Iterable[SlideTask]) -> None:
    """Refuse scans that are one file: a slide may hold several specimens, but then each has a mask of its own.

    Raises:
        InputError: it names the scans and the file.
    """
    owners: dict[tuple[str, str], str] = {}
    for task in tasks:
        path = task.path if is_remote(task.path) else os.path.realpath(task.path)
        owner = owners.setdefault((path, task.mask), task.slide_id)
        if owner != task.slide_id:
            problem = f"{task.slide_id} and {owner} have one slide file, {task.path}"
            remedy = (
                "give each scan its own slide; for specimens side by side on one slide, give each a mask in masks_dir"
            )
            raise InputError("manifest", problem, remedy)
