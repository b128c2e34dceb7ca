"""The web application: what a browser may ask for. Scans and specimens are named by numbers, which are looked up."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.guard import Guard
from scangen_bundle.viewer.inputs import ViewedRun
from scangen_bundle.viewer.session import Session
from scangen_bundle.viewer.specimens import MOST_ROWS, Filters

log = logging.getLogger(__name__)

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
MOST_SCANS = 32  # that one request may name

Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequest(ValueError):
    """The browser asked for something in a way that the page never does."""


def create_app(run: ViewedRun, token: str, port: int) -> Starlette:
    """The application of one viewer.

    Args:
        run: what is viewed.
        token: secret that the first address has to carry.
        port: that it is served on.
    """
    session = Session(run)
    pages = _Pages(session)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        session.close()

    routes = [
        Route("/", _static("index.html")),
        *(Route(f"/static/{name}", _static(name)) for name in _static_names()),
        Route("/api/run", _answer(pages.run)),
        Route("/api/find", _answer(pages.find)),
        Route("/api/specimens", _answer(pages.specimens)),
        Route("/api/specimens/{number:int}", _answer(pages.specimen)),
        Route("/api/slides/{number:int}", _answer(pages.slide)),
        Route("/api/links", _answer(pages.links)),
        Route("/api/overlays", _answer(pages.overlays)),
        Route("/api/geojson/{number:int}", _answer(pages.geojson)),
        Route("/tiles/{number:int}/{level:int}/{column:int}_{row:int}.jpg", _answer(pages.tile)),
    ]
    guard = Middleware(Guard, token=token, port=port)
    app = Starlette(routes=routes, middleware=[guard], lifespan=lifespan)
    app.state.session = session
    return app


class _Pages:
    """Answers to the page's requests."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def run(self, request: Request) -> Response:
        return JSONResponse(self.session.describe())

    async def find(self, request: Request) -> Response:
        return JSONResponse({"number": self.session.find(request.query_params.get("specimen", ""))})

    async def specimens(self, request: Request) -> Response:
        query = request.query_params
        scanners = _numbers(query.get("scanners"), most=len(self.session.run.scanners))
        if scanners is not None and any(not 0 <= n < len(self.session.run.scanners) for n in scanners):
            raise KeyError("scanners")
        filters = Filters(
            scanners=scanners,
            labels=_numbers(query.get("labels"), most=1000),
            flips=query.get("flips") == "1",
            text=query.get("text", ""),
        )
        offset, limit = _number(query.get("offset", "0")), _number(query.get("limit", "100"))
        page = self.session.specimens.page
        return JSONResponse(await run_in_threadpool(page, filters, max(0, offset), min(max(0, limit), MOST_ROWS)))

    async def specimen(self, request: Request) -> Response:
        return JSONResponse(self.session.specimen(request.path_params["number"]))

    async def slide(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.session.slide, request.path_params["number"]))

    async def links(self, request: Request) -> Response:
        return JSONResponse({"scans": await self.session.links(_scans(request))})

    async def overlays(self, request: Request) -> Response:
        return JSONResponse(await self.session.overlays(_scans(request)))

    async def geojson(self, request: Request) -> Response:
        content = await self.session.geojson(request.path_params["number"], _scans(request))
        text = await run_in_threadpool(json.dumps, content, separators=(",", ":"))
        return Response(text, media_type="application/geo+json")

    async def tile(self, request: Request) -> Response:
        place = (request.path_params[name] for name in ("number", "level", "column", "row"))
        return Response(await run_in_threadpool(self.session.slides.tile, *place), media_type="image/jpeg")


def _answer(endpoint: Endpoint) -> Endpoint:
    """The endpoint with its errors as answers; the log never names a slide, a path or a person."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except KeyError:
            return _problem("there is no such thing in this run", 404)
        except BadRequest as error:
            return _problem(str(error), 400)
        except InputError as error:
            return _problem(error.problem, 422)
        except Exception as error:
            log.error("a request failed: %s", _where(error))
            return _problem(f"this went wrong ({type(error).__name__})", 500)

    return answer


def _problem(text: str, status: int) -> Response:
    return JSONResponse({"problem": text}, status)


def _where(error: BaseException) -> str:
    """Kind and place of an error, without its message, which may name a file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else f" in {trace.tb_frame.f_globals.get('__name__')} line {trace.tb_lineno}"
    return f"{type(error).__name__}{place}"


def _number(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 12):
        raise BadRequest("a whole number was expected")
    return int(text)


def _numbers(text: str | None, most: int) -> tuple[int, ...] | None:
    """Whole numbers separated by commas; None where there are none to choose by."""
    if text is None:
        return None
    numbers = tuple(_number(word) for word in text.split(",")) if text else ()
    if len(numbers) > most:
        raise BadRequest("too many numbers")
    return numbers


def _scans(request: Request) -> tuple[int, ...]:
    return _numbers(request.query_params.get("scans", ""), most=MOST_SCANS) or ()


def _static_names() -> list[str]:
    return sorted(item.name for item in files(__package__).joinpath("static").iterdir() if item.is_file())


def _static(name: str) -> Endpoint:
    """A file of the package, read once."""
    content = files(__package__).joinpath("static").joinpath(name).read_bytes()
    media_type = MEDIA_TYPES[name[name.rindex(".") :]]

    async def answer(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer
