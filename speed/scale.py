"""Extraction at scale, as one table; `make bench-scale` runs it (`--quick` for a first look).

A stand-in encoder sleeps as a GPU would, stand-in slides cost next to nothing, so the figures are those of the machinery:
how well receiving, encoding and writing overlap, what shards and Ray add, and whether time per slide and memory stay constant.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scangen_bundle.cohort import load_manifest, write_manifest
from scangen_bundle.extraction import ExtractionJob, TilingSettings

TILE_PX, BATCH, LEVEL = 224, 64, 16
SLEEPS = (0.025, 0.050, 0.100)
SLOWER = 1.0
Row = tuple[str, float, str]


class StandInSlide:
    """A slide without pixels: tissue for as many tiles as its file's name says after the last dash, in a rim of glass."""

    backend = "stand-in"
    properties: dict[str, str] = {}  # noqa: RUF012
    mpp = (0.5, 0.5)

    def __init__(self, path: str, seconds: float = 0.0) -> None:
        self.path, self.seconds = Path(path), seconds
        columns = max(1, round(math.sqrt(int(self.path.stem.rpartition("-")[2]))))
        side = (columns + 2) * TILE_PX
        self.level_dimensions = [(side, side), (-(-side // LEVEL), -(-side // LEVEL))]
        self.level_downsamples = [(1.0, 1.0), (float(LEVEL), float(LEVEL))]

    def read_region(self, x: int, y: int, level: int, width: int, height: int) -> np.ndarray:
        pixels = np.full((height, width, 3), 240, np.uint8)
        scale = self.level_downsamples[level][0]
        end = self.level_dimensions[0][0] - TILE_PX
        inside = [(first + scale * np.arange(count) + scale / 2) for first, count in ((y, height), (x, width))]
        rows, columns = ((place >= TILE_PX) & (place < end) for place in inside)
        pixels[np.outer(rows, columns)] = (180, 90, 160)
        return pixels

    def read_regions(
        self, xy: np.ndarray, level: int, width: int, height: int, out: np.ndarray | None = None
    ) -> np.ndarray:
        time.sleep(self.seconds * len(xy) / BATCH)
        out = np.empty((len(xy), height, width, 3), np.uint8) if out is None else out
        out[:] = 120
        return out

    def close(self) -> None: ...

    def __enter__(self) -> StandInSlide:
        return self

    def __exit__(self, *exception: object) -> None: ...


class StandInEncoder:
    """Sleeps for each batch, as a process does whose GPU works, and notes when."""

    name, revision, pooling, dim, tile_px, mpp, licence = "stand-in", "1", "none", 3, TILE_PX, 0.5, "Apache-2.0"

    def __init__(self, seconds: float = 0.0, device: str = "") -> None:
        self.seconds = seconds
        self.times: list[tuple[float, int]] = []

    def isolate_tiles(self, batch_size: int) -> bool:
        return True

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        self.times.append((time.perf_counter(), len(tiles)))
        time.sleep(self.seconds * (len(tiles) / BATCH if self.seconds else 0))
        return tiles[:, 0, 0].astype(np.float32)

    def rate(self) -> float:
        """Tiles per second between the third batch, when all is running, and the last."""
        steady = self.times[2:]
        return sum(count for _, count in steady[:-1]) / (steady[-1][0] - steady[0][0])


def make_manifest(slides: int, tiles: int, folder: Path) -> pd.DataFrame:
    """A manifest of stand-in slides."""
    names = [f"s{number:05d}-{tiles}" for number in range(slides)]
    blank = {"label": -1, "features_path": "", "mpp": np.nan, "split": "", "scanner": "a"}
    rows = [
        {
            "slide_id": name,
            "specimen_id": name,
            "patient_id": name,
            "slide_path": str(folder / f"{name}.slide"),
            **blank,
        }
        for name in names
    ]
    return pd.DataFrame(rows)


def extract(request: dict[str, Any]) -> dict[str, float]:
    """One extraction in this process, as a request from `in_process` says."""
    folder = Path(request["folder"])
    manifest = make_manifest(request["slides"], request["tiles"], folder)
    reader = partial(StandInSlide, seconds=request.get("reader_seconds", 0.0))
    tiling = TilingSettings(batch_size=BATCH, reader=reader)
    options = request.get("options", {})
    make = partial(StandInEncoder, request.get("seconds", 0.0))
    encoder = make if options.get("engine") == "ray" else make()
    begin = time.perf_counter()
    job = ExtractionJob(manifest, folder / "bags", encoder, tiling, progress=False, **options)  # type: ignore[arg-type]
    starting = time.perf_counter() - begin
    summary = job.extract()
    assert not summary.failed, summary.failed
    answer = {"seconds": summary.seconds, "starting": starting, "tiles": float(summary.tiles)}
    answer["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if isinstance(encoder, StandInEncoder):
        counts = [count for _, count in encoder.times]
        answer |= {"rate": encoder.rate() if len(counts) > 4 else math.nan, "full": np.mean(np.equal(counts, BATCH))}
    return answer


def begin(folder: Path, slides: int, tiles: int, **request: Any) -> subprocess.Popen[str]:
    """Begin an extraction in a process of its own."""
    text = json.dumps({"folder": str(folder), "slides": slides, "tiles": tiles, **request})
    return subprocess.Popen([sys.executable, "-m", "speed.scale", "--extract", text], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """What an extraction answered."""
    printed, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "speed.scale")
    return json.loads(printed.splitlines()[-1])


def run(folder: Path, slides: int, tiles: int, **request: Any) -> dict[str, float]:
    """An extraction in a process of its own."""
    return finish(begin(folder, slides, tiles, **request))


def bench_overlap(folder: Path, quick: bool) -> Iterator[Row]:
    """Rate beside the encoder's own, and beside the readers' own where those are slower."""
    for seconds in (SLOWER * seconds for seconds in SLEEPS):
        tiles = 64 * (16 if quick else 49)
        answer = run(folder / f"overlap{seconds}", 4, tiles, seconds=seconds, options={"workers": 2})
        share = answer["rate"] * seconds / BATCH
        yield f"encoder of {1e3 * seconds:.0f} ms per 64: share of its own rate, %", 100 * share, "at least 95"
    slow = {"reader_seconds": SLOWER * 0.2, "options": {"workers": 2}}
    alone = run(folder / "readers", 4, 64 * 16, **slow)["rate"]
    both = run(folder / "both", 4, 64 * 16, seconds=SLOWER * 0.05, **slow)["rate"]
    name = f"readers of {SLOWER * 200:.0f} ms per 64, encoder of {SLOWER * 50:.0f} ms: share of the readers' rate, %"
    yield name, 100 * both / alone, "at least 95"


def bench_number(folder: Path, quick: bool) -> Iterator[Row]:
    """Time per slide, memory and full batches by the number of slides."""
    for slides in (100, 1_000) if quick else (100, 1_000, 10_000):
        answer = run(folder / f"slides{slides}", slides, 25, options={"workers": 2})
        yield f"{slides:,} slides of 25 tiles: ms per slide", 1e3 * answer["seconds"] / slides, "constant within 10 %"
        yield f"{slides:,} slides of 25 tiles: memory of the job, MB", answer["memory"], "constant"
        yield f"{slides:,} slides of 25 tiles: full batches, %", 100 * answer["full"], "at least 98"


def bench_shards(folder: Path, quick: bool) -> Iterator[Row]:
    """Shards at once on this machine, each with an encoder of its own."""
    slides = 16 if quick else 32
    for count in (1, 2, 4):
        start = time.perf_counter()
        jobs = [
            begin(
                folder / f"shards{count}", slides, 256, seconds=0.1, options={"shard": f"{index}/{count}", "workers": 1}
            )
            for index in range(count)
        ]
        answers = [finish(job) for job in jobs]
        assert sum(answer["tiles"] for answer in answers) == slides * 256
        yield f"{count} shards at once, {slides} slides: s with start-up", time.perf_counter() - start, ""


def bench_ray(folder: Path, quick: bool) -> Iterator[Row]:
    """What Ray adds to a slide."""
    try:
        import ray  # noqa: F401
    except ImportError:
        return
    slides = 100 if quick else 400
    single = run(folder / "single", slides, 25, options={"workers": 1})
    on_ray = run(folder / "ray", slides, 25, options={"engine": "ray", "cpus_per_worker": os.cpu_count()})
    yield "Ray: start-up, s", on_ray["starting"], ""
    per_slide = 1e3 * (on_ray["seconds"] - single["seconds"]) / slides
    yield f"Ray, one worker: ms per slide beyond a single process ({slides} slides)", per_slide, "under 50"


def bench_cohort(folder: Path, quick: bool) -> Iterator[Row]:
    """A manifest that grows tenfold: read, split, and the check of a run that has nothing to do; with exponents."""
    from scangen_bundle.cohort.splits import split_patients

    sizes = (200, 2_000) if quick else (200, 2_000, 20_000)
    works: dict[str, Callable[[pd.DataFrame, Path], object]] = {
        "manifest read": lambda table, path: load_manifest(path, allow_outside=True),
        "split": lambda table, path: split_patients(table.assign(label=np.arange(len(table)) % 2)),
    }
    for name, work in works.items():
        seconds = []
        for size in sizes:
            table, path = make_manifest(size, 25, folder), folder / f"manifest{size}.csv"
            write_manifest(table, path)
            start = time.perf_counter()
            work(table, path)
            seconds.append(time.perf_counter() - start)
            yield f"{size:,} scans: {name}, s", seconds[-1], ""
        yield f"{name}: exponent", math.log10(seconds[-1] / seconds[-2]), "at most 1.1"
    for size in (100, 1_000) if quick else (100, 1_000, 10_000):
        again = run(folder / f"slides{size}", size, 25)  # `bench_number` made the bags
        yield f"{size:,} bags: resume check, ms a bag", 1e3 * again["seconds"] / size, "constant"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer slides")
    parser.add_argument(
        "--slower", type=float, default=1, help="factor of the stand-ins' sleeps, where others use the machine"
    )
    parser.add_argument("--only", default="", help="one of overlap, number, shards, ray, cohort")
    parser.add_argument("--extract", help=argparse.SUPPRESS)  # what this program calls itself with
    arguments = parser.parse_args()
    global SLOWER
    SLOWER = arguments.slower
    if arguments.extract:
        print(json.dumps({name: float(value) for name, value in extract(json.loads(arguments.extract)).items()}))
        return
    benches = (bench_overlap, bench_number, bench_shards, bench_ray, bench_cohort)
    with tempfile.TemporaryDirectory() as folder:
        for bench in benches:
            if arguments.only in ("", bench.__name__.removeprefix("bench_")):
                for name, value, asked in bench(Path(folder), arguments.quick):
                    print(f"{name:<78}{value:>10.2f}   {asked}", flush=True)


if __name__ == "__main__":
    # Pickles of the reader name its class by module, also where this file is the program.
    from speed import scale

    scale.main()
