"""Measures of groups that have no section of their own, such as those of plugins."""

from __future__ import annotations

from scangen_bundle.measures.prediction_measure import GROUPS
from scangen_bundle.report.page import Section, slug
from scangen_bundle.report.sections.context import Context
from scangen_bundle.report.sections.figures_table import group_tables


def other_sections(context: Context) -> list[Section]:
    """A section of tables per group."""
    groups = [words["group"] for words in context.metrics["definitions"].values() if words["group"] not in GROUPS]
    sections = []
    for group in dict.fromkeys(groups):
        tables = group_tables(context, group, f"{group.capitalize()} per scanner")
        sections.append(
            Section(f"measures-{slug(group) or 'other'}", group.capitalize() or "Other metrics", tables, folded=True)
        )
    return sections
