"""A headless Chromium over the DevTools protocol's pipe: enough to open a page, run script in it and take its picture."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


def chromium() -> str:
    """The browser's path; skips the test where there is none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium here (scripts/install_system.sh installs it)")
    return path


class Page:
    """One tab.

    Attributes:
        problems: console errors, uncaught exceptions and refusals of the content security policy.
        requests: addresses that the page asked for; what is inside the page (data:) is not asked for.
    """

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._buffer, self._id = write, read, b"", 0
        self._session = ""
        self.problems: list[str] = []
        self.requests: list[str] = []

    def send(self, method: str, **params) -> dict:
        """Run a command and wait for its answer; events that come meanwhile are kept."""
        self._id += 1
        message = {"id": self._id, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._id:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self, timeout: float = 120) -> dict:
        deadline = time.monotonic() + timeout
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], max(0, deadline - time.monotonic()))[0], "the browser is silent"
            part = os.read(self._read, 1 << 20)
            assert part, "the browser went away"
            self._buffer += part
        raw, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(raw)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method: str | None, params: dict) -> None:
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])

    def open(self, path: Path, width: int = 1280, height: int = 900, dark: bool = False, media: str = "screen") -> None:
        """Open a file."""
        self.visit(path.resolve().as_uri(), width, height, dark, media)

    def visit(
        self, address: str, width: int = 1280, height: int = 900, dark: bool = False, media: str = "screen"
    ) -> None:
        """Open an address and wait until it is loaded."""
        if not self._session:
            target = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Page.navigate", url=address)
        protocol = address.partition(":")[0] + ":"
        deadline = time.monotonic() + 60
        while self.run("document.readyState + '/' + location.protocol") != f"complete/{protocol}":
            assert time.monotonic() < deadline, "the page does not finish loading"
            time.sleep(0.05)

    def run(self, script: str):
        """The JSON value of an expression."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path: Path, whole: bool = True) -> None:
        data = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browser_page(profile: Path):
    """A page in a new browser with an empty profile; the browser ends with the context."""
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()

    def take_pipes() -> None:  # the protocol reads from descriptor 3 and writes to 4
        reading, writing = os.dup(to_browser), os.dup(from_browser)
        os.dup2(reading, 3)
        os.dup2(writing, 4)

    process = subprocess.Popen(
        [chromium(), *FLAGS, f"--user-data-dir={profile}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=take_pipes,
        start_new_session=True,
    )
    os.close(to_browser)
    os.close(from_browser)
    page = Page(from_us, to_us)
    try:
        yield page
        page._session = ""
        page.send("Browser.close")
    finally:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(20)
        os.close(from_us)
        os.close(to_us)
