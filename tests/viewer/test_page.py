"""The viewer in a real browser: linked panes, overlays, keys, files, phones, a dark room."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.registration import phase_cross_correlation

from scangen_bundle.cohort import load_manifest
from scangen_bundle.slides.registration import tissue_signal
from tests.report.browser import browser_page, chromium

from .browsing import BOXES, MIDDLES, READY, box_of, open_viewer, settle, state, viewer, wait, wheel

LIMIT_UM = 5
COLUMNS = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def address(run_folder, phantom):
    chromium()
    with viewer(run_folder, "--manifest", phantom / "manifest.csv") as address:
        yield address


def places_um(page, phantom, specimen):
    """Where on the specimen each pane looks, in µm, by the truth that the phantom was made with; and µm per screen px."""
    truth = json.loads((phantom / "truth" / f"{specimen}.json").read_text())["scans"]
    scans = sorted(truth, key=lambda scan: scan["scanner"])
    middles = page.run(MIDDLES)
    assert len(middles) == len(scans)
    places = [np.array(m[:2]) * scan["mpp"] + scan["origin_um"] for m, scan in zip(middles, scans, strict=True)]
    return np.array(places), [m[2] * scan["mpp"] for m, scan in zip(middles, scans, strict=True)]


def assert_linked(page, phantom, specimen):
    places, sizes = places_um(page, phantom, specimen)
    assert np.linalg.norm(places - places[0], axis=1).max() < LIMIT_UM
    assert max(sizes) / min(sizes) < 1.01


def test_the_specimen_that_flips_comes_first_and_its_scans_are_linked_within_5_um(page, address, phantom):
    page.problems.clear()
    page.requests.clear()
    open_viewer(page, address)
    assert page.run("document.getElementById('specimen-name').textContent") == "spec001"
    assert page.run("document.querySelector('.row .chip').textContent") == "flips"
    assert state(page) == "6 scans are linked by registration"
    settle(page)
    assert_linked(page, phantom, "spec001")
    x, y, width, height = box_of(page, ".pane .view")
    wheel(page, x + 0.3 * width, y + 0.6 * height, 5)
    settle(page)
    assert_linked(page, phantom, "spec001")
    _, sizes = places_um(page, phantom, "spec001")
    assert max(sizes) < 1  # it has zoomed in
    assert page.problems == []
    origin = address.partition("/?")[0]
    assert all(asked.startswith((origin, "about:")) for asked in page.requests)


def test_the_same_tissue_is_on_the_screen_at_the_same_place(page, address, tmp_path):
    """By the pixels alone, which know nothing of coordinates."""
    open_viewer(page, address, 1500, 1100)
    x, y, width, height = box_of(page, ".pane .view")
    wheel(page, x + width / 2, y + height / 2, 3)
    settle(page)
    um_per_px = max(page.run(MIDDLES)[0][2] * 0.346, 1e-9)
    page.picture(tmp_path / "panes.png", whole=False)
    screen = np.asarray(Image.open(tmp_path / "panes.png").convert("RGB"))
    boxes = page.run(BOXES)
    crops = []
    for left, top, wide, high in boxes:
        middle_x, middle_y, half = int(left + wide / 2), int(top + high / 2), int(min(wide, high) / 2) - 40
        crops.append(tissue_signal(screen[middle_y - half : middle_y + half, middle_x - half : middle_x + half]))
    for crop in crops[1:]:
        shift, *_ = phase_cross_correlation(crops[0], crop, upsample_factor=10)
        assert np.linalg.norm(shift) * um_per_px < LIMIT_UM


def test_panes_move_in_the_same_frame(page, address):
    open_viewer(page, address)
    settle(page)
    page.run(f"""(() => {{
      window.apart = []; window.moved = 0; window.last = 0;
      const watch = () => {{
        const views = [...document.querySelectorAll('.pane .view')].map(box => OpenSeadragon.getViewer(box).viewport);
        const at = views.map(v => [v.getCenter(true).x, v.getCenter(true).y, v.getZoom(true) * v.getContainerSize().x]);
        window.apart.push(Math.max(...at.map(p => Math.hypot(p[0] - at[0][0], p[1] - at[0][1]) * at[0][2])));
        if (at[0][2] !== window.last) window.moved += 1;
        window.last = at[0][2];
        if (window.apart.length < 90) requestAnimationFrame(watch);
      }};
      requestAnimationFrame(watch);
    }})(), {MIDDLES}.length""")
    x, y, width, height = box_of(page, ".pane:nth-child(4) .view")
    wheel(page, x + 0.2 * width, y + 0.2 * height, 4)
    wait(page, "window.apart.length >= 90")
    assert page.run("window.moved") > 5
    assert page.run("Math.max(...window.apart)") < 0.5  # screen px


def test_the_keyboard_alone_does_everything(page, address, phantom):
    open_viewer(page, address)
    selected = "document.querySelector('.row[aria-selected=true] .name').textContent"
    page.press("j", 74)
    wait(page, f"{READY} === '2'")
    assert page.run(selected) == "spec002"
    assert page.run("decodeURIComponent(location.hash)") == "#specimen=spec002"
    page.press("k", 75)
    wait(page, f"{READY} === '1' && {selected} === 'spec001'")
    settle(page)
    before = page.run(MIDDLES)
    page.press("+", 187)
    page.press("ArrowRight", 39)
    settle(page)
    after = page.run(MIDDLES)
    assert all(b[2] < a[2] and b[0] > a[0] for a, b in zip(before, after, strict=True))
    assert_linked(page, phantom, "spec001")
    page.press("0", 48)
    settle(page)
    assert np.allclose(page.run(MIDDLES), before, atol=1)

    page.press("l", 76)
    page.press("ArrowDown", 40)
    settle(page)
    moved = np.abs(np.array(page.run(MIDDLES)) - before)[:, 1] > 5
    assert moved.tolist() == [True] + [False] * 5
    page.press("l", 76)
    settle(page)
    assert_linked(page, phantom, "spec001")

    page.press("o", 79)
    assert page.run("document.getElementById('overlay').value") == "attention"
    page.press("]", 221)
    assert page.run("document.getElementById('opacity').value") == "70"
    page.press("3", 51)
    assert page.run("document.querySelector('.pane.solo').getAttribute('aria-label')").startswith("scanner-3")
    page.press("Escape", 27)
    assert page.run("document.querySelector('.pane.solo')") is None
    page.press("t", 84)
    assert page.run("document.getElementById('table').rows.length") == 7
    page.press("f", 70)
    wait(page, "document.querySelectorAll('.row').length === 1")
    page.press("f", 70)
    wait(page, "document.querySelectorAll('.row').length === 3")
    page.press("/", 191)
    assert page.run("document.activeElement.id") == "search"
    page.send("Input.insertText", text="j002")
    wait(page, "document.getElementById('list-summary').textContent.startsWith('0 specimens')")
    page.run("(s => { s.value = ''; s.oninput(); })(document.getElementById('search'))")
    page.press("Escape", 27)
    wait(page, "document.querySelectorAll('.row').length === 3")
    page.press("?", 191)
    assert page.run("document.getElementById('help').open")
    page.press("Escape", 27)
    assert not page.run("document.getElementById('help').open")


def test_the_list_answers_to_arrows_when_it_has_the_focus(page, address):
    open_viewer(page, address)
    page.run("document.getElementById('list').focus()")
    page.press("ArrowDown", 40)
    wait(page, f"{READY} === '2'")
    page.press("End", 35)
    wait(page, f"{READY} === '0'")
    active = page.run("document.getElementById('list').getAttribute('aria-activedescendant')")
    assert page.run(f"document.getElementById({active!r}).getAttribute('aria-selected')") == "true"


def test_overlays_paint_the_tiles_and_the_pointer_reads_them(page, address):
    open_viewer(page, address)
    page.run("(o => { o.value = 'attention'; o.onchange(); })(document.getElementById('overlay'))")
    painted = """[...document.querySelectorAll('canvas.above')].map(canvas => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((green, i) => i % 4 === 1 && green > data[i - 1] + 40 && data[i + 2] > 20).length;
    })"""
    wait(page, f"({painted}).every(n => n > 200)")
    assert page.run("document.getElementById('legend').textContent").startswith(
        "12 attention, 1 = average tile (here 0.2 to 1.8)"
    )
    page.run("(o => { o.value = 0; o.oninput(); })(document.getElementById('opacity'))")
    wait(page, f"({painted}).every(n => n === 0)")
    x, y, width, height = box_of(page, ".pane .view")
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=x + width / 2, y=y + height / 2)
    words = "[...document.querySelectorAll('.readout')].map(r => r.textContent)"
    wait(page, f"({words}).every(text => text.includes('attention') && text.includes('µm'))")
    page.run("(o => { o.value = 'probability'; o.onchange(); })(document.getElementById('overlay'))")
    wait(page, "document.getElementById('state').textContent.startsWith('no probability')")


def test_filters_choose_scanners_labels_and_unseen_ones(page, address):
    open_viewer(page, address)
    page.run("document.getElementById('unseen-scanners').click()")
    wait(page, "document.querySelectorAll('.pane').length === 1")
    assert page.run("document.querySelector('.pane .name').textContent") == "scanner-6 *"
    assert page.run("document.getElementById('list-summary').textContent") == "3 specimens, 0 flip"
    page.run("document.getElementById('seen-scanners').click()")
    wait(page, "document.querySelectorAll('.pane').length === 5")
    page.run("document.querySelector('#labels input').click()")
    wait(page, "document.querySelectorAll('.row').length < 3")
    page.run("document.getElementById('all-scanners').click()")
    wait(page, "document.querySelectorAll('.pane').length === 6")


SAVED = """(() => { window.saved = [];
  URL.createObjectURL = (make => blob => { window.saved.push(blob); return make(blob); })(URL.createObjectURL);
  HTMLAnchorElement.prototype.click = function () { window.names = (window.names || []).concat(this.download); };
})()"""


def test_the_view_is_saved_as_png_and_the_tiles_as_geojson(page, address, tmp_path):
    open_viewer(page, address)
    settle(page)
    page.run(SAVED)
    page.press("s", 83)
    wait(page, "window.saved.length === 1")
    data = page.run("window.saved[0].arrayBuffer().then(b => Array.from(new Uint8Array(b)))")
    assert page.run("window.names[0]") == "spec001_view.png"
    picture = np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB"))
    assert picture.shape[1] > sum(box[2] for box in page.run(BOXES)[:3])
    saturated = np.ptp(picture.astype(int), axis=2) > 60
    assert saturated.mean() > 0.03  # tissue is on it
    page.press("g", 71)
    wait(page, "window.saved.length === 2")
    collection = json.loads(page.run("window.saved[1].text()"))
    assert page.run("window.names[1]") == "spec001_scanner-1.geojson"
    assert len(collection["features"]) == 9
    assert state(page) == "saved the tiles of scanner-1"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True), (390, False), (2200, True)])
def test_the_page_fits_the_screen(page, address, width, dark):
    page.problems.clear()
    open_viewer(page, address, width, 844, dark)
    assert page.problems == []
    assert page.run("document.documentElement.scrollWidth") == width
    sizes = [box[2:] for box in page.run(BOXES)]
    assert min(min(size) for size in sizes) > 140
    assert page.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)"
    )
    notice = page.run(
        "(n => [n.textContent, n.getBoundingClientRect().top, n.checkVisibility()])(document.getElementById('notice'))"
    )
    assert notice[0].startswith("Research use only")
    assert notice[1:] == [0, True]


def test_everything_that_can_be_used_has_a_name_and_ids_are_unique(page, address):
    open_viewer(page, address)
    page.press("t", 84)
    nameless = page.run("""[...document.querySelectorAll('button, a, input, select, summary, [tabindex="0"], [role]')]
      .filter(e => !e.closest('[hidden]') && e.checkVisibility())
      .filter(e => !(e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.textContent.trim() || e.title))
      .map(e => e.outerHTML.slice(0, 90))""")
    assert nameless == []
    unlike = page.run("""[...document.querySelectorAll('button[aria-label]')]
      .filter(b => /[a-z]/i.test(b.textContent) && !b.getAttribute('aria-label').includes(b.textContent.trim()))
      .map(b => b.outerHTML)""")
    assert unlike == []
    ids = page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert page.run("document.documentElement.lang") == "en"
    assert page.run("document.title") == "mine – scangen view"
    for key in (9, 9, 9):
        page.press("Tab", key)
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def contrast(first, second):
    """Of two CSS colours rgb(r, g, b), by WCAG 2."""

    def luminance(colour):
        parts = [float(part) / 255 for part in colour[4:-1].split(",")]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(page, address, dark):
    open_viewer(page, address, dark=dark)
    pairs = page.run("""[...document.querySelectorAll('p, span, button, summary, label, h1, h2, .row, td, th')]
      .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
        let ground = e;
        while (getComputedStyle(ground).backgroundColor === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor, e.textContent.slice(0, 30)]; })""")
    assert len(pairs) > 20
    assert [pair for pair in pairs if contrast(pair[0], pair[1]) < 4.5] == []


def test_an_address_names_a_specimen_and_names_from_outside_stay_text(page, tmp_path):
    names = ["<img src=x onerror=alert(1)>", "a&b #1?%2f", "ünï côde", "s" * 190]
    rows = [
        (f"{n}-{s}", n, f"p{n}", s, 0, 0.3 + 0.1 * k) for k, n in enumerate(names) for s in ("Alpha <b>1</b>", "β/2")
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.to_csv(tmp_path / "predictions.csv", index=False)
    page.problems.clear()
    with viewer(tmp_path) as address:
        open_later = address + "#" + "specimen=" + "a%26b+%231%3F%252f"
        page.visit("about:blank")
        page.visit(open_later)
        wait(page, "document.getElementById('specimen-name').textContent === 'a&b #1?%2f'")
        assert page.run("document.querySelectorAll('.row').length") == 4
        assert page.run("document.querySelectorAll('.row b, .row img, td b, .side b').length") == 0
        assert page.run("document.documentElement.scrollWidth") == 1280
    assert page.problems == []


def test_without_slides_there_are_strip_and_table(page, run_folder):
    with viewer(run_folder) as address:
        page.problems.clear()
        page.visit("about:blank")
        page.visit(address)
        wait(page, "document.querySelectorAll('#table tbody tr').length === 6")
        assert page.run("document.getElementById('table-box').open")
        assert page.run("document.querySelectorAll('#strip path').length") == 6
        assert page.run("document.querySelectorAll('.pane').length") == 0
        assert state(page) == "no slides are known: name the manifest with --manifest"
        assert page.problems == []


def test_scans_that_cannot_be_linked_or_read_say_so(page, run_folder, phantom, tmp_path):
    manifest = load_manifest(phantom / "manifest.csv")
    paths = dict(zip(manifest["slide_id"], manifest["slide_path"], strict=True))
    paths["spec001_scanner-2"] = paths["spec002_scanner-2"]  # other tissue
    (tmp_path / "damaged.svs").write_bytes(Path(paths["spec001_scanner-3"]).read_bytes()[:20_000])
    paths["spec001_scanner-3"] = str(tmp_path / "damaged.svs")
    paths["spec001_scanner-4"] = str(tmp_path / "missing.tif")
    manifest.assign(slide_path=manifest["slide_id"].map(paths), label="", mpp="").to_csv(
        tmp_path / "m.csv", index=False
    )
    with viewer(run_folder, "--manifest", tmp_path / "m.csv", "--allow-outside") as address:
        open_viewer(page, address)
        told = state(page)
        panes = page.run("[...document.querySelectorAll('.pane')].map(p => p.textContent)")
    assert told.startswith("3 scans are linked by registration; not linked: scanner-2 (only ")
    assert "not linked" in panes[1]
    assert "damaged" in panes[2] or "cut short" in panes[2] or "read" in panes[2]
    assert "there is no such slide file" in panes[3]
    assert "linked" in panes[5]


def test_two_browsers_look_at_different_specimens(page, address, tmp_path):
    with browser_page(tmp_path) as other:
        open_viewer(page, address, specimen="spec000")
        open_viewer(other, address, specimen="spec002")
        settle(page)
        settle(other)
        assert page.run("document.getElementById('specimen-name').textContent") == "spec000"
        assert other.run("document.getElementById('specimen-name').textContent") == "spec002"


def test_going_through_specimens_quickly_ends_at_the_last_one(page, address):
    open_viewer(page, address)
    page.problems.clear()
    for key in "jjkkjjkj":
        page.press(key, ord(key.upper()))
        time.sleep(0.03)
    wait(page, "document.getElementById('specimen-name').textContent === 'spec000'")
    wait(page, f"{READY} === '0'")
    settle(page)
    assert page.run("document.querySelectorAll('.pane .openseadragon-container').length") == 6
    assert page.problems == []


@pytest.mark.parametrize("specimen", ["563479", "574162"])
def test_real_scans_of_four_scanners_are_seen_side_by_side(page, real_data, tmp_path, specimen):
    suffixes = {"A": "svs", "N1": "ndpi", "N2": "ndpi", "Z": "tif"}
    folder = real_data / "multiscanner_cytology"
    rows = [
        (f"{name}_{specimen}", specimen, "p", name, 1, 0.2 + 0.2 * k, folder / f"{name}_BB_{specimen}_1.{suffix}")
        for k, (name, suffix) in enumerate(suffixes.items())
    ]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "slide_path"])
    table.to_csv(tmp_path / "manifest.csv", index=False)
    table.to_csv(tmp_path / "predictions.csv", index=False)
    with viewer(tmp_path, "--manifest", tmp_path / "manifest.csv", "--allow-outside") as address:
        open_viewer(page, address, 1500, 1100)
        assert state(page) == "4 scans are linked by registration"
        x, y, width, height = box_of(page, ".pane .view")
        wheel(page, x + 0.55 * width, y + 0.45 * height, 9)
        settle(page)
        page.picture(tmp_path / "panes.png", whole=False)
        boxes = page.run(BOXES)
        px = page.run(MIDDLES)[0][2]
    screen = np.asarray(Image.open(tmp_path / "panes.png").convert("RGB"))
    crops = [tissue_signal(screen[int(y) + 5 : int(y) + 205, int(x) + 150 : int(x) + 450]) for x, y, _, _ in boxes]
    for crop in crops[1:]:
        shift, *_ = phase_cross_correlation(crops[0], crop, upsample_factor=10)
        assert np.linalg.norm(shift) * px < 10  # px of the Aperio
