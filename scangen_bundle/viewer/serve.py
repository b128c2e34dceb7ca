"""Serve a viewer on this machine's loopback address, and nowhere else."""

from __future__ import annotations

import secrets
import signal
import socket
import sys
import webbrowser
from urllib.parse import quote

import uvicorn

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError, Terminated
from scangen_bundle.viewer.app import create_app
from scangen_bundle.viewer.inputs import ViewedRun

LOOPBACK = "127.0.0.1"


def open_port(port: int) -> socket.socket:
    """A socket that listens on loopback.

    Args:
        port: 0 for any that is free.

    Raises:
        InputError: the port is taken, or may not be used.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(f"--port {port}", f"cannot be listened on: {error}", "take --port 0, which is free") from error
    listening.listen(128)
    return listening


def serve(run: ViewedRun, port: int = 0, browser: bool = True, specimen: str = "") -> None:
    """Serve until Ctrl-C; prints the address to open.

    Args:
        run: what is viewed.
        port: to listen on, 0 for any that is free.
        browser: open the address in this machine's browser.
        specimen: name of the one that is opened first; "" for the first of the list.
    """
    listening = open_port(port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    app = create_app(run, token, port)
    address = f"http://{LOOPBACK}:{port}/?token={token}"
    if specimen:
        address += f"#specimen={quote(specimen)}"
    print(f"viewing {run.name}: {len(run.specimens)} specimens, {len(run.scans)} scans. {RESEARCH_USE_ONLY}")
    print(f"open {address}")
    print("Ctrl-C ends the viewer", flush=True)
    if browser:
        webbrowser.open(address)
    # No access log: addresses carry the token, and names that somebody searches for.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2, ws="none"
    )
    try:
        with listening:
            uvicorn.Server(config).run(sockets=[listening])
    except Terminated:
        raise
    except KeyboardInterrupt:
        print("the viewer has ended", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
