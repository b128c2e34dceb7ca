"""What is counted: one row for each kind of abuse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

COLUMNS = ("tries", "right", "refused", "silent", "tracebacks", "orphans", "litter")
FAULTS = ("silent", "tracebacks", "orphans", "litter")


@dataclass
class Tally:
    """A row of the table.

    Attributes:
        kind: what was done to what.
        tries: how often.
        right: the result was that of an undisturbed run.
        refused: an error was reported, and no result was changed.
        silent: another result, or none, without an error; also a hang.
        tracebacks: an error that was reported by a traceback.
        orphans: processes that outlived their command.
        litter: temporary files that the next run left.
        examples: what happened in words, for the faults.
    """

    kind: str
    tries: int = 0
    right: int = 0
    refused: int = 0
    silent: int = 0
    tracebacks: int = 0
    orphans: int = 0
    litter: int = 0
    examples: list[str] = field(default_factory=list)

    def fault(self, column: str, example: str, count: int = 1) -> None:
        """Count a fault, and keep what happened."""
        if count:
            setattr(self, column, getattr(self, column) + count)
            self.examples.append(f"{self.kind}: {column}: {example}")

    @property
    def is_clean(self) -> bool:
        return not any(getattr(self, column) for column in FAULTS)


def table(rows: Iterable[Tally]) -> str:
    """The rows and their sum as text."""
    rows = list(rows)
    total = Tally("all", *(sum(getattr(row, column) for row in rows) for column in COLUMNS))
    width = max(len(row.kind) for row in [*rows, total])
    lines = [" ".join([" " * width, *(f"{column:>10}" for column in COLUMNS)])]
    for row in [*rows, total]:
        lines.append(" ".join([f"{row.kind:<{width}}", *(f"{getattr(row, column):>10}" for column in COLUMNS)]))
    return "\n".join(lines)
