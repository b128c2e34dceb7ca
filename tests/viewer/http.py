"""Requests to an ASGI application without a network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

PORT = 8123
TOKEN = "the-token-of-this-session"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


async def request(app, address, method="GET", host=f"127.0.0.1:{PORT}", cookie=f"scangen_view_{PORT}={TOKEN}"):
    """The answer of an application; `cookie` None sends none."""
    parts = urlsplit(address)
    headers = [(b"host", host.encode())] + ([(b"cookie", cookie.encode())] if cookie else [])
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": parts.query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", PORT),
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    status = sent[0]["status"]
    told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(status, told, b"".join(message.get("body", b"") for message in sent[1:]))


def get(app, address, **options) -> Answer:
    return asyncio.run(request(app, address, **options))
