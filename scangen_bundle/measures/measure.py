"""A measure: one number of some data, with the words that every table and page shows beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "zero", "one", ""]
ARROWS: dict[Better, str] = {"higher": " ↑", "lower": " ↓", "zero": " → 0", "one": " → 1", "": ""}


class UndefinedMeasure(ValueError):
    """A measure has no value on these data; the message is the reason that tables show."""


class NotApplicable(UndefinedMeasure):
    """These are not the data that a measure is for: it is left out, without a reason in tables."""


@dataclass(frozen=True)
class Measure:
    """What a number means, the same for measures of predictions and of features.

    Attributes:
        key: name in files, tables and MLflow, such as "retrieval/top1".
        title: short name for the head of a column.
        better: the good direction: "higher", "lower", "zero" or "one" (the closer the better), "" where the number alone
            is neither good nor bad.
        help: one sentence.
        baseline: what the value is compared with, in words; "" where there is none.
        group: the table it stands in.
    """

    key: str
    title: str
    better: Better
    help: str
    baseline: str = ""
    group: str = ""

    @property
    def heading(self) -> str:
        """The title with an arrow in the good direction."""
        return self.title + ARROWS[self.better]
