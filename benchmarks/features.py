"""Speed of feature bags and memory of extraction, as a table; `make bench-features` runs it.

Asked for: 4,096 random rows of a bag [20,000, 1,536] float16 within 1.5 times a raw memory map; under 1 GB at the peak
when a slide of 20,000 px is extracted with an encoder that costs nothing.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from scangen_bundle.features import BagAttributes, ExtractionJob, open_bag, write_bag

ROWS, DIM, PICKED = 20_000, 1_536, 4_096
SIDE, MPP = 20_000, 0.2465


class FreeEncoder:
    """Costs nothing: one pixel of each tile."""

    name, revision, pooling, dim, tile_px, mpp, licence = "free", "1", "none", 3, 224, 0.5, "Apache-2.0"

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        return tiles[:, 0, 0].astype(np.float32)


def best(work: Callable[[], object], repeats: int = 15) -> float:
    """Shortest duration in ms."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


def bench_store(folder: Path) -> list[tuple[str, float, str]]:
    """Reading random rows, warm, from a raw memory map and from a bag; and what opening the bag takes besides."""
    features = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float16)
    rows = np.sort(np.random.default_rng(1).choice(ROWS, PICKED, replace=False))
    source = {"source_mpp_x": 0.25, "source_mpp_y": 0.25, "effective_mpp_x": 0.5, "effective_mpp_y": 0.5}
    about = BagAttributes(
        slide_id="a", encoder="a", revision="", pooling="a", dim=DIM, tile_px=224, mpp=0.5, read_level=0, **source
    )
    start = time.perf_counter()
    write_bag(folder / "a.h5", features, np.zeros((ROWS, 2), np.int64), about)
    writing = time.perf_counter() - start
    np.save(folder / "a.npy", features)
    mapped, bag = np.load(folder / "a.npy", mmap_mode="r"), open_bag(folder / "a.h5")
    raw, read = best(lambda: mapped[rows]), best(lambda: bag.features[rows])
    return [
        ("4,096 rows of a raw memory map, ms", raw, ""),
        ("4,096 rows of a bag, ms", read, ""),
        ("bag over raw", read / raw, "at most 1.5"),
        ("opening a bag, ms", best(lambda: open_bag(folder / "a.h5")), ""),
        ("4,096 rows as checked float32, ms", best(lambda: bag.rows(rows)), ""),
        ("writing a bag, MB/s", features.nbytes / 1e6 / writing, ""),
    ]


def make_slide(path: Path) -> None:
    """A pyramid of tiled JPEG, `SIDE` px at `MPP`: a rim of glass, the rest tissue-like."""
    rng = np.random.default_rng(0)
    block = rng.normal((190, 120, 175), 20, (1024, 1024, 3)).clip(0, 255).astype(np.uint8)
    glass = rng.normal(240, 1, (256, 256, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level, side in enumerate((SIDE, SIDE // 4)):
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
                resolution=(1e4 / MPP * side / SIDE,) * 2,
                resolutionunit="CENTIMETER",
            )


def extract(folder: Path) -> None:
    """Extract the slide; the last line says tiles, seconds and peak memory (this process, its reader) in MB."""
    row = ("a", "a", "a", "a", -1, str(folder / "a.tif"), "", np.nan, "")
    columns = [
        "slide_id",
        "specimen_id",
        "patient_id",
        "scanner",
        "label",
        "slide_path",
        "features_path",
        "mpp",
        "split",
    ]
    job = ExtractionJob(pd.DataFrame([row], columns=columns), folder / "bags", FreeEncoder(), workers=1, progress=False)
    summary = job.run()
    reader = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(summary.tiles, summary.seconds, own_peak(), reader)


def own_peak() -> float:
    """Peak memory of this process, MB. `getrusage` would give that of the process which started this one, if larger."""
    status = Path("/proc/self/status")
    if not status.exists():  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def shared_out(root: int) -> float:
    """Memory of a process and its descendants now, MB, with pages that several share counted once (PSS); 0 if not known."""
    total = 0.0
    for process in (root, *descendants(root)):
        with suppress(OSError):  # it has ended meanwhile, or this is not Linux
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def descendants(process: int) -> Iterator[int]:
    """Processes that `process` and its children started."""
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from descendants(child)


def bench_extraction(folder: Path) -> list[tuple[str, float, str]]:
    """Peak memory of the job and its reader: of each by itself, which counts shared libraries twice, and together."""
    make_slide(folder / "a.tif")
    command = [sys.executable, "-m", "benchmarks.features", "--extract", str(folder)]
    together = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        while job.poll() is None:
            together = max(together, shared_out(job.pid))
            time.sleep(0.1)
        assert job.stdout is not None
        printed = job.stdout.read()
    if job.returncode:
        raise subprocess.CalledProcessError(job.returncode, command)
    tiles, seconds, own, reader = map(float, printed.split()[-4:])
    return [
        ("tiles of a 20,000 px slide", tiles, ""),
        ("tiles/s of one reader, 0.2465 to 0.5 µm/px", tiles / seconds, ""),
        ("peak of the job, MB", own, ""),
        ("peak of its reader, MB", reader, ""),
        ("peaks of both added, MB", own + reader, "under 1000"),
        ("peak of both together, MB (PSS)", together, "under 1000"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extract", type=Path, help=argparse.SUPPRESS)
    if (arguments := parser.parse_args()).extract:
        extract(arguments.extract)
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, value, asked in bench_store(Path(folder)) + bench_extraction(Path(folder)):
            print(f"{name:<44}{value:>12.2f}   {asked}")


if __name__ == "__main__":
    main()
