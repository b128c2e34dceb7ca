"""Speed of feature bags and memory of extraction, as a table; `make bench-features` runs it.

Asked for: 4,096 random rows of a bag [20,000, 1,536] float16 within 1.5 times a raw memory map; under 1 GB at the peak
when a slide of 20,000 px is extracted with an encoder that costs nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile

from scangen_bundle.bags import open_bag
from scangen_bundle.extraction import ExtractionJob, pool
from scangen_bundle.testing import make_bag

ROWS, DIM, PICKED = 20_000, 1_536, 4_096
SIDE, MPP = 20_000, 0.2465
READERS = 4


class FreeEncoder:
    """Costs nothing: one pixel of each tile."""

    name, revision, pooling, dim, tile_px, mpp, licence = "free", "1", "none", 3, 224, 0.5, "Apache-2.0"

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        return tiles[:, 0, 0].astype(np.float32)


def best(*works: Callable[[], object]) -> list[float]:
    """Each one's shortest duration of 30 in ms; they take turns, so that a slow moment of the machine meets all of them."""
    rounds = [[timeit.timeit(work, number=1) for work in works] for _ in range(30)]
    return [min(durations) * 1e3 for durations in zip(*rounds, strict=True)]


def bench_store(folder: Path) -> list[tuple[str, float, str]]:
    """Reading random rows, warm, from a raw memory map and from a bag; and what opening the bag takes besides."""
    features = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float16)
    rows = np.sort(np.random.default_rng(1).choice(ROWS, PICKED, replace=False))
    start = time.perf_counter()
    make_bag(folder / "a.h5", features, np.zeros((ROWS, 2), np.int64), dtype="float16")
    writing = time.perf_counter() - start
    np.save(folder / "a.npy", features)
    mapped, bag = np.load(folder / "a.npy", mmap_mode="r"), open_bag(folder / "a.h5")
    raw, read = best(lambda: mapped[rows], lambda: bag.features[rows])
    opening, checked = best(lambda: open_bag(folder / "a.h5"), lambda: bag.rows(rows))
    return [
        ("4,096 rows of a raw memory map, ms", raw, ""),
        ("4,096 rows of a bag, ms", read, ""),
        ("bag over raw", read / raw, "at most 1.5"),
        ("opening a bag, ms", opening, ""),
        ("4,096 rows as checked float32, ms", checked, ""),
        ("writing a bag, MB/s", features.nbytes / 1e6 / writing, ""),
    ]


def make_slide(path: Path, width: int) -> None:
    """A square pyramid of tiled JPEG, `width` px at `MPP`: a rim of glass, the rest tissue-like."""
    rng = np.random.default_rng(0)
    block = rng.normal((190, 120, 175), 20, (1024, 1024, 3)).clip(0, 255).astype(np.uint8)
    glass = rng.normal(240, 1, (256, 256, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level, side in enumerate((width, width // 4)):
            grid = -(-side // 256)
            inside = range(grid // 10 + 1, grid - grid // 10 - 1)
            tile = (
                np.roll(block, row * 37 + column, 0)[:256, :256] if row in inside and column in inside else glass
                for row in range(grid)
                for column in range(grid)
            )
            file.write(
                tile,
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                subfiletype=int(level > 0),
                resolution=(1e4 / MPP * side / width,) * 2,
                resolutionunit="CENTIMETER",
            )


def manifest_of(slides: list[Path]) -> pd.DataFrame:
    """One row for each slide."""
    blank = {"label": -1, "features_path": "", "mpp": np.nan, "split": "", "scanner": "a"}
    return pd.DataFrame(
        [
            {"slide_id": name, "specimen_id": name, "patient_id": name, "slide_path": str(path), **blank}
            for name, path in ((f"s{number}", path) for number, path in enumerate(slides))
        ]
    )


def extract(slides: list[Path], bags: Path, spawn: bool = False) -> None:
    """Extract slides, each in a reader process of its own, and print tiles and seconds.

    Args:
        spawn: start each reader process by itself, for comparison.
    """
    if spawn:
        pool.fresh_processes = lambda *modules: multiprocessing.get_context("spawn")  # type: ignore[assignment]
    job = ExtractionJob(manifest_of(slides), bags, FreeEncoder(), workers=len(slides), progress=False)
    summary = job.run()
    print(summary.tiles, summary.seconds)


def family(process: int) -> Iterator[int]:
    """A process and those that it and its children started."""
    yield process
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield from family(child)


def memory(process: int, file: str, entry: str) -> float:
    """An entry of the kernel's account of a process, MB; 0 if the process has ended or this is not Linux."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/{file}").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(f"{entry}:")) / 1024
    return 0.0


class Watched(NamedTuple):
    """How an extraction went: peaks in MB of the job, of its largest other process, and of all (shared pages once)."""

    tiles: float
    seconds: float
    job: float
    reader: float
    together: float


def watch(slides: list[Path], bags: Path, *options: str) -> Watched:
    """Extract in a process of its own and look at the memory of all its processes every 0.1 s."""
    command = [
        sys.executable,
        "-m",
        "speed.features",
        "--bags",
        str(bags),
        *options,
        "--extract",
        *map(str, slides),
    ]
    own, reader, together = 0.0, 0.0, 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        while job.poll() is None:
            processes = list(family(job.pid))
            together = max(together, sum(memory(process, "smaps_rollup", "Pss") for process in processes))
            peaks = [memory(process, "status", "VmHWM") for process in processes]
            own, reader = max(own, peaks[0]), max([reader, *peaks[1:]])
            time.sleep(0.1)
        assert job.stdout is not None
        printed = job.stdout.read()
    if job.returncode:
        raise subprocess.CalledProcessError(job.returncode, command)
    tiles, seconds = map(float, printed.split()[-2:])
    return Watched(tiles, seconds, own, reader, together)


def bench_extraction(folder: Path) -> list[tuple[str, float, str]]:
    """Memory of the job and its readers, and what forking the readers from one process saves."""
    make_slide(folder / "a.tif", SIDE)
    small = [folder / f"small{number}.tif" for number in range(READERS)]
    for path in small:
        make_slide(path, SIDE // 4)
    one = watch([folder / "a.tif"], folder / "one")
    forked, spawned = watch(small, folder / "forked"), watch(small, folder / "spawned", "--spawn")
    return [
        ("tiles of a 20,000 px slide", one.tiles, ""),
        ("tiles/s of one reader, 0.2465 to 0.5 µm/px", one.tiles / one.seconds, ""),
        ("peak of the job, MB", one.job, ""),
        ("peak of its reader, MB", one.reader, ""),
        ("peak of all together, MB (PSS)", one.together, "under 1000"),
        (f"peak with {READERS} readers, MB (PSS)", forked.together, ""),
        ("the same, each reader started by itself", spawned.together, ""),
        (f"{READERS} small slides, {READERS} readers, s", forked.seconds, ""),
        ("the same, each reader started by itself", spawned.seconds, ""),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, options in {"--extract": {"nargs": "+"}, "--bags": {}, "--spawn": {"action": "store_true"}}.items():
        parser.add_argument(name, help=argparse.SUPPRESS, **options)  # what this program calls itself with
    if (arguments := parser.parse_args()).extract:
        extract(list(map(Path, arguments.extract)), Path(arguments.bags), arguments.spawn)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, value, asked in bench_store(Path(folder)) + bench_extraction(Path(folder)):
            print(f"{name:<44}{value:>12.2f}   {asked}")


if __name__ == "__main__":
    main()
