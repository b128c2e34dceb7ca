"""docs/metrics.md lists every measure of predictions, with the words of the registry."""

import re

from scangen_bundle.measures import prediction_measures
from scangen_bundle.measures.measure import ARROWS

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def table():
    lines = ["| key | metric | what it is | compared with |", "|---|---|---|---|"]
    for key, measure in prediction_measures().items():
        two = " (2)" if measure.two_classes_only else ""
        title = measure.title.replace("|", "\\|")
        lines.append(f"| `{key}` | {title}{ARROWS[measure.better]}{two} | {measure.help} | {measure.baseline} |")
    return "\n".join(lines)


def test_the_page_has_the_registrys_table(bundle_root):
    page = (bundle_root / "docs" / "metrics.md").read_text()
    shown = re.search(f"{BEGIN}\n(.*?)\n?{END}", page, re.S)[1]
    assert shown == table(), f"put this between the marks of docs/metrics.md:\n{table()}"
