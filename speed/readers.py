"""How fast the slide readers are, beside the limit of decoding and beside OpenSlide and MONAI: prints one table per slide.

Ratios are taken within one process, of CPU time, with cold tile caches (each round opens the slide anew), as the median of
several rounds. The limit is decoding each distinct native tile that is touched once, with the reader's own decoder, and nothing
else.

    python -m speed.readers [--size 20000] [--rounds 5] [--slide some.svs]
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scangen_bundle.slides import TifffileReader, TileReader, open_slide
from scangen_bundle.slides.tiff_pyramid import read_tiff_pyramid

TILE_PX = 224
BATCH = 64
NATIVE = 256
RANDOM_TILES = 400
SCANNERS = (0.2465, 0.4415, 0.504)  # µm/px


def make_slide(path: Path, size: int, mpp: float) -> None:
    """Write an Aperio-like pyramid (levels 1, 4, 16; JPEG quality 80, 4:2:0) whose tiles repeat a texture of 4,096 px."""
    import imagecodecs
    import tifffile
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(0).normal(size=(2, 4096, 4096)).astype(np.float32)
    fine, coarse = (gaussian_filter(layer, sigma) * sigma for layer, sigma in zip(noise, (1.5, 6.0), strict=True))
    colours = np.array([200.0, 150.0, 190.0]) + fine[..., None] * [70, 105, 52] + coarse[..., None] * [50, 85, 34]
    texture = np.clip(colours, 0, 255).astype(np.uint8)
    blocks = texture.reshape(16, NATIVE, 16, NATIVE, 3).swapaxes(1, 2)
    coded = [
        [
            imagecodecs.jpeg_encode(block, level=80, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")
            for block in row
        ]
        for row in blocks
    ]
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for factor in (1, 4, 16):
            side = size // factor
            count = -(-side // NATIVE)
            tiff.write(
                (coded[y % 16][x % 16] for y in range(count) for x in range(count)),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(NATIVE, NATIVE),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                subfiletype=int(factor > 1),
                resolution=(1e4 / (mpp * factor),) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
                software=False,
            )


def raster(size: tuple[int, int], step: float, rows: int) -> np.ndarray:
    """Corners of the first `rows` rows of a grid, int64 [n, 2]."""
    across, down = (np.arange(0, length - step + 1, step).astype(np.int64) for length in size)
    return np.stack(np.meshgrid(across, down[:rows]), -1).reshape(-1, 2)


def cpu_seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def decode_distinct(path: Path, corners: np.ndarray, side: int) -> None:
    """The limit: each native tile of level 0 under the regions decoded once, in file order."""
    level = read_tiff_pyramid(path).levels[0]
    first, last = corners // level.tile, np.minimum(corners + side - 1, np.array(level.size) - 1) // level.tile
    cells = {
        y * level.grid[0] + x
        for (x0, y0), (x1, y1) in zip(first.tolist(), last.tolist(), strict=True)
        for y in range(y0, y1 + 1)
        for x in range(x0, x1 + 1)
    }
    file = os.open(path, os.O_RDONLY)
    for cell in sorted(cells):
        data = os.pread(file, level.byte_counts[cell], level.offsets[cell])
        level.decode(data, cell, np.empty((level.tile[1], level.tile[0], 3), np.uint8))
    os.close(file)


def read_with(open_reader: Callable[[], TifffileReader], corners: np.ndarray, side: int) -> None:
    """Our reader, opened anew, in batches into one array."""
    with open_reader() as reader:
        out = np.empty((BATCH, side, side, 3), np.uint8)
        for start in range(0, len(corners), BATCH):
            batch = corners[start : start + BATCH]
            reader.read_regions(batch, 0, side, side, out=out[: len(batch)])


def read_with_openslide(path: Path, corners: np.ndarray, side: int) -> None:
    import openslide

    with openslide.OpenSlide(str(path)) as slide:
        for corner in corners.tolist():
            np.asarray(slide.read_region(corner, 0, (side, side)).convert("RGB"))


def read_with_monai(path: Path, corners: np.ndarray, side: int) -> None:
    from monai.data import WSIReader

    reader = WSIReader(backend="openslide")
    slide = reader.read(str(path))
    for x, y in corners.tolist():
        reader.get_data(slide, location=(y, x), size=(side, side), level=0)
    slide.close()


def resample_with_openslide(path: Path, corners: np.ndarray, extent: tuple[float, float]) -> None:
    """The same level and field of view through OpenSlide, resampled by Pillow's fastest area filter."""
    import openslide
    from PIL import Image

    size = (int(extent[0]) + 1, int(extent[1]) + 1)
    with openslide.OpenSlide(str(path)) as slide:
        for corner in corners.tolist():
            region = slide.read_region(corner, 0, size).convert("RGB")
            np.asarray(region.resize((TILE_PX, TILE_PX), Image.Resampling.BOX, box=(0, 0, *extent)))


def resample_with_ours(path: Path, mpp: float | None, target: float, corners: np.ndarray) -> None:
    with open_slide(path) as reader:
        tiles = TileReader(reader, target, TILE_PX, source_mpp=mpp)
        for start in range(0, len(corners), BATCH):
            tiles.read(corners[start : start + BATCH])


def compare(rounds: int, ours: Callable[[], None], others: dict[str, Callable[[], None]]) -> dict[str, float]:
    """CPU seconds of ours (key "ours"), and by what each other's CPU time is a multiple of ours; medians over the rounds."""
    ours()  # imports and first calls are not what is measured
    seconds, ratios = [], {name: [] for name in others}  # type: tuple[list[float], dict[str, list[float]]]
    for _ in range(rounds):
        mine = cpu_seconds(ours)
        seconds.append(mine)
        for name, work in others.items():
            ratios[name].append(cpu_seconds(work) / mine)
    return {"ours": statistics.median(seconds), **{name: statistics.median(values) for name, values in ratios.items()}}


def two_processes(work: Callable[..., None], *arguments: object) -> float:
    """How many times one process's throughput two processes have, by the wall clock.

    Each does the whole work, as often as a second holds, beside which starting the processes is nothing.
    """
    context = multiprocessing.get_context("fork")
    times = math.ceil(1 / cpu_seconds(lambda: work(*arguments)))

    def repeat() -> None:
        for _ in range(times):
            work(*arguments)

    def seconds(count: int) -> float:
        workers = [context.Process(target=repeat) for _ in range(count)]
        start = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - start

    return statistics.median(2 * seconds(1) / seconds(2) for _ in range(3))


def measure(path: Path, mpp: float | None, rounds: int) -> None:
    """Print the table of one slide."""
    with open_slide(path) as reader:
        size, backend = reader.level_dimensions[0], reader.backend
        source = reader.mpp[0] if mpp is None and reader.mpp else mpp
    print(f"\n{path.name}: {size[0]} x {size[1]} px, {source} µm/px, auto -> {backend}")
    print(f"{'pattern':<28}{'tiles':>7}{'ms/tile':>9}{'of limit':>10}{'x openslide':>13}{'x MONAI':>9}")

    def open_reader() -> TifffileReader:
        return TifffileReader(path)

    with open_reader() as tiff:
        native = tiff.handle().pyramid.levels[0].tile[0]
    random = np.random.default_rng(0).integers(0, np.array(size) - TILE_PX, (RANDOM_TILES, 2))
    side_by_side = math.prod(length // TILE_PX for length in size)
    patterns = {
        f"raster {TILE_PX}": (raster(size, TILE_PX, 16), TILE_PX),
        f"aligned {native}": (raster(size, native, 14), native),
        f"random {TILE_PX}": (random[:side_by_side], TILE_PX),
    }
    if side_by_side < RANDOM_TILES:  # each pixel is needed several times, where the limit's is decoded once
        patterns[f"random {TILE_PX}, overlapping"] = (random, TILE_PX)
    for name, (corners, side) in patterns.items():
        result = compare(
            rounds,
            lambda corners=corners, side=side: read_with(open_reader, corners, side),
            {
                "limit": lambda corners=corners, side=side: decode_distinct(path, corners, side),
                "openslide": lambda corners=corners, side=side: read_with_openslide(path, corners, side),
                "monai": lambda corners=corners, side=side: read_with_monai(path, corners, side),
            },
        )
        each = result["ours"] / len(corners) * 1e3
        print(
            f"{name:<28}{len(corners):>7}{each:>9.3f}{result['limit']:>10.2f}{result['openslide']:>13.1f}{result['monai']:>9.1f}"
        )
    target = 0.5 if source and source < 0.48 else 1.0
    with open_reader() as tiff:
        plan = TileReader(tiff, target, TILE_PX, source_mpp=mpp).plan
    if plan.read_level == 0:
        corners = raster(size, plan.tile_size_level0[0], 8)
        result = compare(
            rounds,
            lambda: resample_with_ours(path, mpp, target, corners),
            {"openslide": lambda: resample_with_openslide(path, corners, plan.extent)},
        )
        each = result["ours"] / len(corners) * 1e3
        print(
            f"{f'{source} -> {target} mpp, {TILE_PX} px':<28}{len(corners):>7}{each:>9.3f}{'':>10}{result['openslide']:>13.1f}"
        )
    corners = patterns[f"raster {TILE_PX}"][0]
    print(
        f"two processes against one:  decoding x{two_processes(decode_distinct, path, corners, TILE_PX):.2f}, "
        f"reading x{two_processes(read_with, open_reader, corners, TILE_PX):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=20000, help="side of the generated slides, px")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is shown")
    parser.add_argument("--slide", type=Path, action="append", default=[], help="a real tiled slide to measure as well")
    parser.add_argument("--mpp", type=float, default=None, help="the real slides' resolution, if they do not say it")
    options = parser.parse_args()
    folder = Path(tempfile.gettempdir()) / "scangen_bundle-benchmark"
    folder.mkdir(exist_ok=True)
    import torch

    torch.set_num_threads(1)
    print("Ratios of CPU time: `of limit` is the limit's time by ours; `x` says how many times ours the other needs.")
    for mpp in SCANNERS:
        path = folder / f"slide-{options.size}-{mpp}.tif"
        if not path.exists():
            make_slide(path, options.size, mpp)
        measure(path, None, options.rounds)
    for path in options.slide:
        measure(path, options.mpp, options.rounds)


if __name__ == "__main__":
    main()
