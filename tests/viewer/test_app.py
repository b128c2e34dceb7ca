"""What a browser may ask for, and that nothing else is answered."""

import asyncio
import io
import logging
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from scangen_bundle.viewer.app import create_app
from scangen_bundle.viewer.inputs import read_viewed_run

from .http import PORT, TOKEN, get, request


@pytest.fixture(scope="module")
def app(viewed):
    app = create_app(viewed, TOKEN, PORT)
    yield app
    app.state.session.close()


async def ask_all(app, addresses):
    """Answers to requests of one event loop, as a server has it."""
    return [await request(app, address) for address in addresses]


def test_the_page_and_its_parts_are_there(app):
    page = get(app, "/")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"Research use only" in page.body
    script = get(app, "/static/openseadragon.min.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert b"openseadragon 6" in script.body[:100]
    licence = get(app, "/static/openseadragon.LICENSE.txt")
    assert b"Redistribution and use in source and binary forms" in licence.body


def test_the_run_is_described(app):
    run = get(app, "/api/run").json
    assert run["threshold"] == 0.5
    assert run["scanners"][5] == {"name": "scanner-6", "unseen": True}
    assert (run["specimens"], run["scans"], run["slides"]) == (3, 18, 18)


def test_the_list_is_filtered_by_numbers(app):
    page = get(app, "/api/specimens?scanners=0,1&flips=1&offset=0&limit=9").json
    assert [row["specimen"] for row in page["rows"]] == ["spec001"]
    assert get(app, "/api/specimens?scanners=").json["total"] == 0
    assert len(get(app, "/api/specimens?limit=2").json["rows"]) == 2
    assert get(app, "/api/specimens?limit=-5&offset=-5").json["rows"] == []
    assert get(app, "/api/find?specimen=spec002").json == {"number": 2}


def test_a_specimen_names_its_scans(app):
    specimen = get(app, "/api/specimens/1").json
    assert specimen["specimen"] == "spec001"
    assert specimen["scans"][0]["slide_id"] == "spec001_scanner-1"
    assert all(scan["slide"] for scan in specimen["scans"])


def test_a_tile_is_the_slides_tissue(app):
    slide = get(app, "/api/slides/0").json
    assert slide["mpp"] == pytest.approx(0.346)
    answer = get(app, f"/tiles/0/{slide['levels'][1]}/0_0.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    tile = np.asarray(Image.open(io.BytesIO(answer.body)))
    assert tile.shape == (512, 512, 3)
    assert tile.std() > 10


def test_links_overlays_and_geojson_of_a_specimen(app):
    links, overlays, collection = asyncio.run(
        ask_all(app, ["/api/links?scans=6,7,8", "/api/overlays?scans=6,7,8", "/api/geojson/7?scans=6,7,8"])
    )
    assert [scan["linked"] for scan in links.json["scans"]] == [True] * 3
    assert overlays.json["spread_of"] == "attention"
    first = overlays.json["scans"][0]
    assert len(first["x"]) == 9
    assert first["values"]["attention"][8] == pytest.approx(9 * 9 / 45)
    spread = [value for value in first["values"]["spread"] if value is not None]
    assert spread
    assert max(spread) < 0.2  # the same grid on the same tissue but for the stage's shift
    tile = collection.json["features"][0]
    assert collection.headers["content-type"] == "application/geo+json"
    assert "spread over scanners" in tile["properties"]["measurements"]


WRONG = [
    *("/api/specimens/99", "/api/slides/99", "/tiles/99/10/0_0.jpg", "/tiles/0/10/99_0.jpg", "/tiles/0/99/0_0.jpg"),
    *("/api/find?specimen=nobody", "/api/find", "/api/links", "/api/links?scans=0,99", "/api/links?scans=0,0"),
    *("/api/links?scans=0,6", "/api/links?scans=-1", "/api/geojson/0?scans=1,2", "/api/specimens?scanners=6"),
    *("/api/nothing", "/static/nothing.js", "/tiles/0/10/0_0.png", "/tiles/a/10/0_0.jpg", "/tiles/0/10/-1_0.jpg"),
    *("/tiles/0.5/10/0_0.jpg", "/tiles/99999999999999999999999/10/0_0.jpg"),
]


@pytest.mark.parametrize("address", WRONG)
def test_what_is_not_there_is_not_found(app, address):
    assert get(app, address).status == 404


@pytest.mark.parametrize(
    "address",
    [
        *("/api/specimens?offset=x", "/api/specimens?limit=1e3", "/api/specimens?labels=1;2", "/api/links?scans=a"),
        *(
            "/api/specimens?offset=٣",
            "/api/links?scans=" + ",".join(map(str, range(40))),
            "/api/specimens?limit=" + "9" * 40,
        ),
    ],
)
def test_what_the_page_never_asks_is_refused(app, address):
    answer = get(app, quote(address, safe="/?=&,;"))
    assert answer.status == 400
    assert answer.json["problem"]


PATHS = [
    *("../app.py", "..%2fapp.py", "%2e%2e/%2e%2e/pyproject.toml", "....//app.py", "/etc/passwd", "..\\app.py", "%00"),
    "static/../index.html",
]


@pytest.mark.parametrize("inside", ["/static/{}", "/tiles/0/10/{}", "/{}", "/api/slides/{}", "/tiles/{}/10/0_0.jpg"])
@pytest.mark.parametrize("path", PATHS)
def test_no_path_from_the_browser_reaches_the_disk(app, inside, path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a file was opened")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    monkeypatch.setattr("os.open", refuse)
    answer = get(app, inside.format(path))
    assert answer.status in (404, 307)


def test_a_missing_and_a_damaged_slide_say_so_and_the_log_names_no_file(run_folder, phantom, tmp_path, caplog):
    manifest = tmp_path / "manifest.csv"
    text = (phantom / "manifest.csv").read_text()
    (tmp_path / "slides").mkdir()
    for path in (phantom / "slides").iterdir():
        (tmp_path / "slides" / path.name).symlink_to(path)
    (tmp_path / "slides" / "spec000_scanner-1.svs").unlink()
    cut = tmp_path / "slides" / "spec000_scanner-2.tif"
    whole = cut.read_bytes()
    cut.unlink()
    cut.write_bytes(whole[: len(whole) // 2])
    manifest.write_text(text)
    app = create_app(read_viewed_run(run_folder, manifest, allow_outside=True), TOKEN, PORT)
    with caplog.at_level(logging.DEBUG, "scangen_bundle.viewer"):
        missing = get(app, "/api/slides/0")
        damaged = [get(app, address) for address in ("/api/slides/1", "/tiles/1/11/0_0.jpg", "/tiles/1/10/1_1.jpg")]
    app.state.session.close()
    assert missing.status == 422
    assert "no such slide file" in missing.json["problem"]
    assert any(answer.status == 422 for answer in damaged)
    assert str(tmp_path) not in missing.body.decode()
    assert "spec000" not in caplog.text


def test_an_unexpected_error_is_told_without_its_message(app, monkeypatch, caplog):
    def fail(self):
        raise RuntimeError("/slides/MILLER_John.svs")

    monkeypatch.setattr(type(app.state.session), "describe", fail)
    answer = get(app, "/api/run")
    assert answer.status == 500
    assert "MILLER" not in answer.body.decode()
    assert "MILLER" not in caplog.text
    assert "RuntimeError" in caplog.text
