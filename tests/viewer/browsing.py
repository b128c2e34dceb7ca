"""A viewer in a process of its own, and a page that looks at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Where each pane looks by OpenSeadragon's own account: the px of the slide in the middle of the pane, its scale, its px size.
MIDDLES = """[...document.querySelectorAll('.pane .view')].map(box => {
  const viewer = OpenSeadragon.getViewer(box), image = viewer.world.getItemAt(0), size = viewer.viewport.getContainerSize();
  const middle = image.viewerElementToImageCoordinates(new OpenSeadragon.Point(size.x / 2, size.y / 2));
  const right = image.viewerElementToImageCoordinates(new OpenSeadragon.Point(size.x / 2 + 100, size.y / 2));
  return [middle.x, middle.y, Math.hypot(right.x - middle.x, right.y - middle.y) / 100];
})"""
BOXES = """[...document.querySelectorAll('.pane .view')].map(view => {
  const box = view.getBoundingClientRect();
  return [box.x, box.y, box.width, box.height];
})"""
READY = "document.documentElement.dataset.ready"
LOADED = (
    "[...document.querySelectorAll('.pane .view')].every(box => { const v = OpenSeadragon.getViewer(box);"
    " return v && v.world.getItemAt(0) && v.world.getItemAt(0).getFullyLoaded(); })"
)


@contextmanager
def viewer(*arguments: object) -> Iterator[str]:
    """Start the command as a user does; gives the address that it prints."""
    command = [sys.executable, "-m", "scangen_bundle.viewer", *map(str, arguments), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("open "):
                break
        else:
            raise AssertionError(process.stderr.read())
        yield lines[-1].split()[1]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
        process.stdout.close()
        process.stderr.close()


def wait(page, condition: str, seconds: float = 60) -> None:
    """Wait until an expression is true."""
    deadline = time.monotonic() + seconds
    while not page.run(f"Boolean({condition})"):
        assert time.monotonic() < deadline, f"never true: {condition}; {page.problems}; {state(page)}"
        time.sleep(0.05)


def state(page) -> str:
    return page.run("document.getElementById('state').textContent")


def open_viewer(
    page, address: str, width: int = 1280, height: int = 900, dark: bool = False, specimen: str = ""
) -> None:
    """Open a viewer's page and wait until its specimen is registered."""
    page.visit("about:blank", width, height, dark)
    fragment = f"#specimen={specimen}" if specimen else ""
    page.visit(address + fragment, width, height, dark)
    wait(page, f"{READY} !== undefined")


def settle(page) -> None:
    """Wait until nothing moves and all tiles are there."""
    wait(page, LOADED)
    before = None
    while (now := page.run(MIDDLES)) != before:
        before = now
        time.sleep(0.1)
    wait(page, LOADED)


def wheel(page, x: float, y: float, steps: int, delta: int = -120) -> None:
    """Turn the mouse's wheel over a point of the page."""
    for _ in range(steps):
        page.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=delta)
        time.sleep(0.12)


def box_of(page, selector: str) -> list[float]:
    """Left, top, width and height of an element."""
    return page.run(
        f"(b => [b.x, b.y, b.width, b.height])(document.querySelector({selector!r}).getBoundingClientRect())"
    )
