"""Time and memory of the deploy app, as a table; `make bench-deploy` runs it, after `make deploy-demo`.

Asked for: a bag from start to result within 1.5 times a bare script that imports the SDK; a slide within 1.2 times of
`run extracting` and `run inferring`; memory that does not grow with the number of slides.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile

from scangen_bundle.bags import open_bag
from scangen_bundle.slides import open_slide

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "scripts" / "deploy_app"
COPIES = 4  # of the demo's small slide, along each side of the slide that is timed
BARE = """
import runpy
runpy.run_path("scripts/deploy_app/__main__.py")["preload_cuda_runtime"]()
import monai.deploy.core
"""


def run(command: list[object]) -> tuple[float, float]:
    """Seconds by the clock and MB at the peak.

    Raises:
        RuntimeError: it failed.
    """
    environment = {**os.environ, "SCANGEN_ALLOW": "far_from_training"}
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace")[-2000:])
    return seconds, usage.ru_maxrss / 1024


def write_large(slide: Path, target: Path) -> None:
    """A slide of `COPIES` x `COPIES` copies of a small one, uncompressed, one level."""
    with open_slide(slide) as reader:
        width, height = reader.level_dimensions[0]
        pixels, mpp = reader.read_region(0, 0, 0, width, height), reader.mpp
    assert mpp is not None  # the demo's slides say it
    resolution = (10_000 / mpp[0], 10_000 / mpp[1])
    large = np.tile(pixels, (COPIES, COPIES, 1))
    tifffile.imwrite(target, large, tile=(256, 256), photometric="rgb", resolution=resolution, resolutionunit=3)


def bench_bag(app: list[object], python: Path, bag: Path, folder: Path) -> str:
    bare, whole = [], []
    for _ in range(3):
        bare.append(run([python, "-W", "ignore", "-c", BARE])[0])
        whole.append(run([*app, "-i", bag, "-o", folder / "bag"])[0])
    first, second = min(bare), min(whole)
    text = f"{second:.1f} s beside {first:.1f} s: {second / first:.2f}"
    return f"| a bag, start to result, beside a bare import of the SDK | {text} | <= 1.5 |"


def bench_slide(app: list[object], slide: Path, checkpoint: Path, folder: Path) -> str:
    large = folder / "cohort" / "large.tif"
    large.parent.mkdir()
    write_large(slide, large)
    row = {"slide_id": "large", "specimen_id": "a", "patient_id": "a", "scanner": "a", "label": ""}
    pd.DataFrame([{**row, "slide_path": large.name}]).to_csv(large.parent / "manifest.csv", index=False)
    bundle = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run"]
    place = ["--dataset_dir", large.parent, "--output_dir", folder / "run"]
    theirs, ours = [], []
    for _ in range(2):
        shutil.rmtree(large.parent / "features", ignore_errors=True)
        command = [*bundle, "extracting", "--config_file", "configs/extract_features.yaml", *place[:2]]
        extracting, _ = run(command)
        command = [*bundle, "inferring", "--config_file", "configs/inference.yaml", "--checkpoint", checkpoint, *place]
        theirs.append(extracting + run(command)[0])
        ours.append(run([*app, "-i", large, "-o", folder / "slide"])[0])
    tiles = len(open_bag(next((large.parent / "features").rglob("large.h5"))))
    first, second = min(theirs), min(ours)
    text = f"{second:.1f} s beside {first:.1f} s: {second / first:.2f}"
    return f"| a slide of {tiles} tiles, beside `run extracting` and `run inferring` | {text} | <= 1.2 |"


def bench_memory(app: list[object], slide: Path, folder: Path) -> str:
    peaks = {}
    for count in (2, 8, 24):
        many = folder / f"many{count}"
        many.mkdir()
        for number in range(count):
            shutil.copy(slide, many / f"{number}{slide.suffix}")
        _, peaks[count] = run([*app, "-i", many, "-o", folder / "many"])
    text = ", ".join(f"{count} slides {peak:.0f} MB" for count, peak in peaks.items())
    return f"| memory at the peak | {text} | constant |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=ROOT / "outputs/deploy", help="what `make deploy-demo` left")
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "outputs/demo/with_scangen/models/best.pt")
    args = parser.parse_args()
    found = subprocess.run(["bash", "scripts/make_deploy_env.sh"], cwd=ROOT, check=True, capture_output=True, text=True)
    python = Path(found.stdout.strip(), "bin", "python")
    app = [python, "-W", "ignore", APP, "-m", args.demo.resolve() / "models"]
    files = sorted(path.resolve() for path in args.demo.glob("input/*.*"))
    bag = next((path for path in files if path.suffix == ".h5"), None)
    slide = next((path for path in files if path.suffix != ".h5"), None)
    if not bag or not slide:
        parser.error(f"{args.demo / 'input'} holds no bag and slide; run 'make deploy-demo' first")
    print("| what | measured | asked |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(bench_bag(app, python, bag, folder), flush=True)
        print(bench_slide(app, slide, args.checkpoint.resolve(), folder), flush=True)
        print(bench_memory(app, slide, folder), flush=True)


if __name__ == "__main__":
    main()
