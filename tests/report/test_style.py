"""Figures follow the page's theme, keep their ids apart and stay small."""

import base64
import io
import re

import numpy as np
from PIL import Image

from scangen_bundle.report.style import (
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    legend_below,
    legend_label,
    new_axes,
    scanner_styles,
    to_svg,
)


def scatter(count, colour="#0072b2"):
    figure, axes = new_axes()
    x, y = np.random.default_rng(0).random((2, count))
    axes.scatter(x, y, color=colour, rasterized=True)
    axes.set(title="<title> & text")
    return figure


def test_text_takes_the_pages_colour_and_ids_the_panels_name():
    svg = to_svg(scatter(5), "here")
    assert "currentColor" in svg
    assert INK not in svg
    assert "&lt;title&gt; &amp; text" in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("here-") for name in ids)
    used = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)
    assert {a or b for a, b in used} <= set(ids)


def test_many_points_become_a_small_bitmap_of_the_same_colours():
    svg = to_svg(scatter(20_000), "a")
    assert len(svg) < 120_000
    data = re.search(r"data:image/png;base64,([^\"]+)", svg)
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(data[1]))).convert("RGBA")).reshape(-1, 4)
    solid = image[image[:, 3] > 250][:, :3].astype(int)
    assert (np.abs(solid - [0x00, 0x72, 0xB2]).max(axis=1) < 12).mean() > 0.5
    assert (image[:, 3] == 0).any()  # the page shows through


def test_sixty_scanners_differ_and_unseen_ones_have_a_star():
    names = [f"s{i}" for i in range(60)]
    styles = scanner_styles(names, unseen=["s3"])
    assert styles["s3"].name == "s3 *"
    assert len({(style.colour, style.marker, str(style.dash)) for style in styles.values()}) == 60
    assert len(set(COLOURS)) == 6
    assert len(set(MARKERS)) == 10
    assert len(DASHES) == 4


def test_a_dollar_in_a_name_begins_no_formula():
    figure, axes = new_axes()
    names = ["$\\frac{", "$x_1$ and $", "a $ b"]
    axes.plot([0, 1], [0, 1], label=names[0])
    axes.set(title=names[1], xlabel=names[2])
    axes.set_yticks([0, 1], names[:2])
    axes.annotate(names[0], (0, 0))
    legend_below(figure)
    svg = to_svg(figure, "key")
    assert svg.count("$\\frac{") == 3
    assert "$x_1$ and $" in svg


def test_a_name_that_begins_with_an_underscore_is_in_the_legend():
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1], label=legend_label("_scanner"))
    legend_below(figure)
    assert "_scanner" in to_svg(figure, "key")
