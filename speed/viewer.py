"""How long a browser waits for a slide of 100,000 px in the viewer, and how much memory many such slides take.

The slide is generated (levels 1, 4 and 16, native tiles of 256 px); the same file stands under several names. Warm: the
viewer runs, and the file is in the system's cache, but the slide was not opened before. Times are by the clock, over HTTP
as a browser asks.

    python -m speed.viewer [--size 100000] [--slides 40]
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from speed.readers import make_slide

MPP = 0.25
PLACES = 200


class Browser:
    """Asks a viewer as a browser does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.server = parts.hostname or "", parts.port or 0
        connection = http.client.HTTPConnection(*self.server)
        connection.request("GET", f"/?{parts.query}")
        self.cookie = str(connection.getresponse().getheader("set-cookie")).partition(";")[0]

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection(*self.server)
        connection.request("GET", path, headers={"Cookie": self.cookie})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def describe(self, number: int) -> dict[str, Any]:
        import json

        return dict(json.loads(self.get(f"/api/slides/{number}")))


def write_run(folder: Path, size: int, slides: int) -> None:
    """A run folder with its manifest: one specimen per slide."""
    first = folder / "slide-000.tif"
    make_slide(first, size, MPP)
    rows = []
    for number in range(slides):
        path = folder / f"slide-{number:03d}.tif"
        if number:
            os.link(first, path)
        rows.append((path.stem, f"s{number:03d}", f"p{number:03d}", "scanner", 0, 0.5, path.name))
    columns = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability", "slide_path"]
    table = pd.DataFrame(rows, columns=columns)
    table.to_csv(folder / "manifest.csv", index=False)
    table.to_csv(folder / "predictions.csv", index=False)


def measure(browser: Browser, slides: int) -> dict[str, float]:
    """Times in ms: of the first tile, of all that a pane shows first, and of tiles anywhere."""
    first, pane, anywhere = [], [], []
    generator = random.Random(0)
    with ThreadPoolExecutor(6) as pool:
        for number in range(slides):
            start = time.perf_counter()
            low, high = browser.describe(number)["levels"]
            browser.get(f"/tiles/{number}/{low}/0_0.jpg")
            first.append(time.perf_counter() - start)
            list(pool.map(lambda xy, n=number, z=low: browser.get(f"/tiles/{n}/{z}/{xy}.jpg"), ("1_0", "0_1", "1_1")))
            pane.append(time.perf_counter() - start)
            for _ in range(PLACES // slides + 1):
                level = generator.randint(low + 1, high)
                most = int(100 * 2 ** (level - high))
                start = time.perf_counter()
                browser.get(f"/tiles/{number}/{level}/{generator.randint(0, most)}_{generator.randint(0, most)}.jpg")
                anywhere.append(time.perf_counter() - start)
    return {
        "first tile after opening, median": 1000 * statistics.median(first),
        "first tile after opening, slowest": 1000 * max(first),
        "whole slide in a pane, median": 1000 * statistics.median(pane),
        "a tile anywhere, median": 1000 * statistics.median(anywhere),
        "a tile anywhere, 95th percentile": 1000 * sorted(anywhere)[int(0.95 * len(anywhere))],
    }


def resident_mb(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000, help="side of the slide, px")
    parser.add_argument("--slides", type=int, default=40, help="slides that are opened one after the other")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder, options.size, options.slides)
        command = [sys.executable, "-m", "scangen_bundle.viewer", name, "--manifest", str(folder / "manifest.csv")]
        start = time.perf_counter()
        with subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = next(line.split()[1] for line in process.stdout if line.startswith("open "))
            browser = Browser(address)
            browser.get("/api/run")
            print(f"{options.size:,} px, {(folder / 'slide-000.tif').stat().st_size / 2**30:.1f} GB")
            print(f"{'start to first answer':40s} {time.perf_counter() - start:8.1f} s")
            before = resident_mb(process.pid)
            for title, value in measure(browser, options.slides).items():
                print(f"{title:40s} {value:8.0f} ms")
            print(f"{'memory before':40s} {before:8.0f} MB")
            print(f"{f'memory after {options.slides} slides':40s} {resident_mb(process.pid):8.0f} MB")
            process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    main()
