"""Who may ask: only a browser on this machine that was given the address with its token."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# OpenSeadragon puts a style into the page; this is the digest of its text, which changes with its version.
OPENSEADRAGON_STYLE = "'sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE='"
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {OPENSEADRAGON_STYLE}; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",  # tissue of patients does not stay on the browser's disk
}
HOSTS = ("127.0.0.1", "localhost")


class Guard:
    """Let a request through only with the token, which the address has at first and a cookie later.

    The token is compared in constant time. Other names of the host are refused, so that a page elsewhere cannot reach
    the viewer by a name that it points to this machine. Every answer gets the security headers.

    Args:
        app: what is guarded.
        token: secret of this session.
        port: that the viewer listens on; cookies do not tell ports apart, so it is part of the cookie's name.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self._token = app, token.encode()
        self.cookie = f"scangen_view_{port}"
        self._hosts = {f"{host}:{port}" for host in HOSTS} | (set(HOSTS) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        answer = self._refuse(scope) or self._admit(scope)
        if answer is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await answer(scope, receive, send_with_headers)

    def _refuse(self, scope: Scope) -> Response | None:
        if Headers(scope=scope).get("host", "").lower() not in self._hosts:
            return PlainTextResponse("this viewer answers on 127.0.0.1 only", 400)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("this viewer only shows", 405)
        return None

    def _admit(self, scope: Scope) -> Response | None:
        """None where the cookie is right; else a redirection that sets it, or a refusal."""
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if given:
            if not self._is_token(given):
                return PlainTextResponse("this address is of another session: open the one that was printed last", 403)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self.cookie, self._token.decode(), httponly=True, samesite="lax", path="/")
            return answer
        if self._is_token(Request(scope).cookies.get(self.cookie, "")):
            return None
        return PlainTextResponse("open the address that the viewer printed; it has the key to this page", 403)

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode("utf-8", "surrogateescape"), self._token)
