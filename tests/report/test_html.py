"""The report in a real browser: nothing is asked for, nothing fails, every figure is there, keys and buttons work."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.cohort import confounding_report
from scangen_bundle.measures import compare_predictions
from scangen_bundle.report.html import write_comparison, write_report
from scangen_bundle.report.page import Link
from scangen_bundle.report.sections.specimens import SpecimenFiles

from .browser import browser_page
from .cohort import SCANNERS, evaluate, simulate

UNSEEN = ["Alpha 1"]
WAIT_FOR_PNG = (
    "new Promise(done => { const wait = () => window.saved.includes('auroc.png') ? done() : setTimeout(wait, 50); "
    "wait(); })"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report with every section, and a comparison."""
    folder = tmp_path_factory.mktemp("report")
    table, other = simulate(), simulate(noise=0.1, seed=1)
    other["label"] = table["label"]
    metrics, others = evaluate(table, UNSEEN), evaluate(other, UNSEEN)
    generator = np.random.default_rng(0)
    write_report(
        folder / "report.html",
        metrics=metrics,
        predictions=table,
        class_names=["wild type", "mutated <i>"],
        model="model & <script>alert(1)</script>",
        embeddings=generator.normal(size=(len(table), 16)),
        history=pd.DataFrame({"epoch": [1, 2], "train/loss": [1.0, 0.5], "val/auroc/mean": [np.nan, 0.7]}),
        audit=pd.DataFrame({"scanner": SCANNERS, "effective_mpp": [0.5, 0.5, np.nan], "flags": ["", "off by 3 %", ""]}),
        confounding=confounding_report(table),
        card={"encoder": {"name": "x", "licence": "MIT"}},
    )
    comparison = compare_predictions(table, other, resamples=40, unseen_scanners=UNSEEN)
    write_comparison(
        folder / "comparison.html",
        comparison=comparison,
        metrics={"before": metrics, "after": others},
        predictions={"before": table, "after": other},
    )
    return folder


UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


def expected_figures() -> set[str]:
    pairs = ["alpha-1-beta-b", "alpha-1-gamma-3", "beta-b-gamma-3"]
    found = {"auroc", "training-0", "training-1"}
    found |= {f"roc-mutated-i-{name}" for name in ("alpha-1", "beta-b", "gamma-3")}
    found |= {f"reliability-mutated-i-{name}" for name in ("alpha-1", "beta-b", "gamma-3")}
    found |= {"lines-mutated-i-wild-type", "lines-mutated-i-mutated-i"}
    found |= {f"embedding-{method}-{by}" for method in ("pca", "tsne") for by in ("scanner", "label")}
    return found, pairs


@pytest.mark.parametrize("name", ["report.html", "comparison.html"])
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_asks_for_nothing_fails_nowhere_and_fits_the_screen(folder, page, name, width, dark):
    page.problems.clear()
    page.requests.clear()
    page.open(folder / name, width, 900, dark)
    page.run(UNFOLD)
    assert page.problems == []
    assert set(page.requests) <= {(folder / name).resolve().as_uri()}
    assert page.run("document.documentElement.scrollWidth") == width
    assert page.run("document.documentElement.dataset.ready") == str(
        page.run("document.querySelectorAll('svg').length")
    )
    assert page.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)"
    )
    sizes = page.run("[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().width)")
    assert min(sizes) > 200
    if width == 1280:
        wide = "s => s.scrollWidth > s.clientWidth"
        cut = f"[...document.querySelectorAll('.scroll')].filter({wide}).map(s => s.innerText + s.scrollWidth)"
        assert page.run(cut) == []
    assert (folder / name).stat().st_size < 5e6


def test_every_figure_is_there(folder, page):
    page.open(folder / "report.html")
    found = set(page.run("[...document.querySelectorAll('figure')].filter(f => f.querySelector('svg')).map(f => f.id)"))
    figures, pairs = expected_figures()
    assert figures <= found
    for kind in ("scatter", "bland-altman"):
        mine = [key for key in found if key.startswith(f"{kind}-")]
        assert len(mine) == len(pairs)
    assert {"matrix-difference", "matrix-flips"} <= found
    ids = page.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_text_from_outside_is_text(folder, page):
    page.open(folder / "report.html")
    assert "<script>alert(1)</script>" in page.run("document.body.textContent")
    assert page.run("document.querySelectorAll('script').length") == 1
    assert page.run("document.querySelectorAll('td b, th b, i').length") == 0


def test_the_security_policy_refuses_a_request_and_a_foreign_script(folder, page):
    page.open(folder / "report.html")
    page.requests.clear()
    assert page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.evil = 1'}))")
    page.run("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    assert page.run("new Promise(done => setTimeout(() => done(typeof window.evil), 200))") == "undefined"
    policy = page.run("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'")
    page.problems.clear()


def test_a_click_on_a_heading_sorts_numbers_as_numbers_and_keeps_the_sums_at_the_foot(folder, page):
    page.open(folder / "report.html")
    column = (
        "[...document.querySelectorAll('#discrimination-figures tbody tr')].map(r => Number(r.cells[1].dataset.value))"
    )
    button = "document.querySelectorAll('#discrimination-figures thead button')[1]"
    values = page.run(column)
    page.run(f"{button}.click()")
    assert page.run(column) == sorted(values)
    assert page.run(f"{button}.parentElement.getAttribute('aria-sort')") == "ascending"
    page.run(f"{button}.click()")
    assert page.run(column) == sorted(values, reverse=True)
    assert (
        page.run("document.querySelector('#discrimination-figures tfoot tr').cells[0].textContent")
        == "mean of scanners"
    )


def test_a_figure_is_enlarged_by_keyboard_and_the_focus_comes_back(folder, page):
    page.open(folder / "report.html")
    page.run("document.querySelector('#auroc .picture').focus()")
    page.press("Enter", 13)
    assert page.run("document.getElementById('lightbox').open")
    width = "document.querySelector('#lightbox-picture svg').getBoundingClientRect().width"
    fitted = page.run(width)
    assert fitted > page.run("document.querySelector('#auroc svg').getBoundingClientRect().width")
    page.run("document.getElementById('larger').click()")
    assert page.run(width) == pytest.approx(1.5 * fitted, rel=0.01)
    page.run("document.getElementById('next').click()")
    assert page.run("document.getElementById('lightbox-title').textContent").startswith("ROC")
    page.run("document.getElementById('previous').click()")
    page.press("Escape", 27)
    assert not page.run("document.getElementById('lightbox').open")
    assert page.run("document.activeElement.closest('figure').id") == "auroc"


def test_figures_and_tables_download_as_svg_png_and_csv(folder, page):
    page.open(folder / "report.html", dark=True)
    page.run(
        "window.saved = []; URL.createObjectURL = (o => b => { window.saved.push(b); return o(b); })(URL.createObjectURL);"
        "HTMLAnchorElement.prototype.click = function () { window.saved.push(this.download); }"
    )
    page.run("document.querySelector('#auroc button.svg').click()")
    svg = page.run("window.saved[0].text()")
    assert page.run("window.saved[1]") == "auroc.svg"
    assert "currentColor" not in svg
    assert "var(" not in svg
    assert 'fill="#ffffff"' in svg
    page.run("window.saved.length = 0; document.querySelector('#auroc button.png').click()")
    page.run(WAIT_FOR_PNG)
    head = page.run("window.saved[1].slice(0, 8).arrayBuffer().then(b => [...new Uint8Array(b)])")
    assert bytes(head) == b"\x89PNG\r\n\x1a\n"
    page.run("window.saved.length = 0; document.querySelector('button.csv[data-table=confounding]').click()")
    assert page.run("window.saved[0].text()").splitlines()[0] == "scanner,wild type,mutated <i>,all"


def test_undefined_is_shown_with_its_reason(tmp_path, page):
    """One class on one scanner, a scanner with a single scan, and a specimen set that two scanners do not share."""
    table = simulate(specimens=12)
    alpha, gamma = table["scanner"] == "Alpha 1", table["scanner"] == "Gamma/3"
    table = table[(~alpha | (table["label"] == 1)) & (~gamma | (table["specimen_id"] == "s000"))]
    metrics = evaluate(table)
    write_report(tmp_path / "r.html", metrics=metrics, predictions=table, embeddings=np.zeros((len(table), 4)))
    page.problems.clear()
    page.open(tmp_path / "r.html")
    assert page.problems == []
    text = page.run("document.querySelector('main').textContent")
    assert metrics["figures"]["auroc/Alpha 1"]["reason"] in text
    assert "No specimen has a score on both Alpha 1 and Gamma/3." in text
    assert "All 6 scans are positive" in text
    assert "a map needs 5" in text  # embeddings of length 0 have no direction
    assert not re.search(r"\bnan\b", text, flags=re.I)


def test_one_scanner_renders(tmp_path, page):
    table = simulate(specimens=8, scanners=["Only"])
    write_report(tmp_path / "r.html", metrics=evaluate(table), predictions=table)
    page.open(tmp_path / "r.html")
    assert "Only one scanner: there is nothing to compare." in page.run("document.body.textContent")


def test_three_classes_have_curves_each(tmp_path, page):
    table = simulate(specimens=12, scanners=SCANNERS[:2]).drop(columns="probability")
    table["label"] = table["specimen_id"].str[1:].astype(int) // 2 % 3
    score = np.random.default_rng(0).dirichlet(np.ones(3), len(table)) + np.eye(3)[table["label"]]
    table[["probability_0", "probability_1", "probability_2"]] = score / score.sum(axis=1, keepdims=True)
    write_report(tmp_path / "r.html", metrics=evaluate(table), predictions=table, class_names=["a", "b", "c"])
    page.problems.clear()
    page.open(tmp_path / "r.html")
    assert page.problems == []
    found = page.run("[...document.querySelectorAll('figure')].map(f => f.id)")
    assert {f"roc-{name}-alpha-1" for name in "abc"} <= set(found)
    assert len(found) == len(set(found))


class _Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action", "srcset")]


def test_no_address_in_the_file_leads_outside(folder):
    links = _Links()
    links.feed((folder / "report.html").read_text())
    assert links.found
    assert all(link.startswith(("#", "data:image/")) for link in links.found)
    assert "@import" not in (folder / "report.html").read_text()


def test_names_with_dollars_are_drawn_as_they_are(tmp_path):
    table = simulate(specimens=8, scanners=("$\\alpha$ {", "_b $c$"))
    write_report(tmp_path / "r.html", metrics=evaluate(table), predictions=table, class_names=["$0$", "_$1{$"])
    assert "$\\alpha$ {" in (tmp_path / "r.html").read_text()


def test_the_page_of_many_scanners_draws_the_worst_and_says_so(tmp_path):
    table = simulate(specimens=8, scanners=[f"s{number:02d}" for number in range(30)])
    write_report(tmp_path / "r.html", metrics=evaluate(table), predictions=table)
    page = (tmp_path / "r.html").read_text()
    assert page.count('<figure id="roc-') == page.count('<figure id="reliability-') == 24
    assert page.count('<figure id="scatter-') == page.count('<figure id="bland-altman-') == 4
    assert "of 30 scanners the 24 with the lowest AUROC" in page
    assert "of 435 pairs the 4 whose scores differ most" in page


def test_the_specimens_that_flip_come_first_with_scores_pictures_files_and_the_viewer(tmp_path, page):
    """s003 flips; s001 does not, though its scores lie far apart."""
    scores = {"s001": (0.6, 0.99), "s002": (0.2, 0.21), "s003": (0.45, 0.55)}
    rows = [
        (f"{name}-{scanner}", name, f"p-{name}", scanner, int(name != "s002"), score)
        for name, of_scanners in scores.items()
        for scanner, score in zip("AB", of_scanners, strict=True)
    ]
    columns = ["slide_id", "specimen_id", "patient_id", "scanner", "label", "probability"]
    table = pd.DataFrame(rows, columns=columns)
    files = SpecimenFiles(
        thumbnails={"s003": "data:image/gif;base64,R0lGODlhAQABAAAAACw="},
        links={"s003": [Link("GeoJSON, A", "inference/attention/s003-A.geojson")]},
        viewer="scangen view outputs/mine",
    )
    write_report(tmp_path / "r.html", metrics=evaluate(table), predictions=table, specimen_files=files, model="mine")
    page.open(tmp_path / "r.html")
    assert page.run("document.title") == "mine, scanner by scanner"
    names = page.run("[...document.querySelectorAll('#specimens-table tbody th')].map(c => c.firstChild.data.trim())")
    assert names == ["s003", "s001", "s002"]
    first = "document.querySelector('#specimens-table tbody tr')"
    dots = page.run(f"[...{first}.querySelectorAll('.dot')].map(d => d.title + ' ' + d.className)")
    assert dots == ["A: 0.450 dot low", "B: 0.550 dot high"]
    assert page.run(f"{first}.querySelector('img') !== null")
    assert page.run(f"{first}.querySelector('a').getAttribute('href')") == "inference/attention/s003-A.geojson"
    command = page.run(f"{first}.querySelector('.copy').dataset.command")
    assert command == "scangen view outputs/mine --specimen s003"
    assert "1 of 3 specimens changes its predicted class with the scanner: s003." in page.run("document.body.innerText")


def test_points_say_which_specimen_they_are(folder):
    page = (folder / "report.html").read_text()
    scatter = page.partition('<figure id="scatter-')[2].partition("</figure>")[0]
    assert len(re.findall(r"<title>s\d{3}: 0\.\d{3}, 0\.\d{3}</title>", scatter)) == 40
    lines = page.partition('<figure id="lines-')[2].partition("</figure>")[0]
    assert len(re.findall(r"<title>s\d{3}: 0\.\d{3} to 0\.\d{3}</title>", lines)) == 20


def test_sections_fold_a_link_unfolds_and_a_split_table_is_one_csv(folder, page):
    page.open(folder / "report.html")
    is_open = "document.querySelector('#card details').open"
    assert not page.run(is_open)
    page.run("document.querySelector('nav a[href=\"#card\"]').click()")
    assert page.run(f"new Promise(done => setTimeout(() => done({is_open}), 100))")
    page.run("document.getElementById('fold').click()")
    assert not page.run("[...document.querySelectorAll('main details')].some(d => d.open)")
    page.run("window.saved = []; URL.createObjectURL = b => { window.saved.push(b); return 'data:,'; }")
    page.run("document.querySelector('button.csv[data-table=specimens-table]').click()")
    lines = page.run("window.saved[0].text()").splitlines()
    assert lines[0].startswith('specimen,true class,called,spread,"scores, 0 to 1"')
    assert lines[0].endswith("Beta & <b>,Gamma/3,Alpha 1 *")
    assert len(lines) == 41


def test_a_dead_network_is_called_out_before_anything_else(tmp_path):
    table = simulate()
    flat = table.assign(probability=0.5 + 0.01 * (table["probability"] - 0.5))
    write_report(tmp_path / "r.html", metrics=evaluate(flat), predictions=flat)
    page = (tmp_path / "r.html").read_text()
    assert "Do not read the agreement as a success" in page
    assert page.index('class="alert"') < page.index('id="headline"')
