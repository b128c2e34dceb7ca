"""Scanners inside a network: a number for each name, and its row in the tables that were fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch

from scangen_bundle.methods.method import Method, Needs, Resizable


def scanner_key(name: str) -> int:
    """A number from 0 to 2^63 - 1 that stands for a scanner's name in every process and file."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1


def scanner_keys(names: Sequence[str]) -> torch.Tensor:
    """[B] int64 from B names."""
    return torch.tensor([scanner_key(name) for name in names], dtype=torch.int64)


class ScannerRows(Resizable):
    """The row of each scanner in fitted tables [S, ...]; a scanner may have several names.

    Attributes:
        keys: [K] int64, `scanner_key` of each name.
        rows: [K] int64, its row.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keys: torch.Tensor
        self.rows: torch.Tensor
        self.register_buffer("keys", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("rows", torch.zeros(0, dtype=torch.int64))

    def extend(self, names: Sequence[str]) -> None:
        """Give each name the next row."""
        first = int(self.rows.max()) + 1 if len(self.rows) else 0
        self._append(scanner_keys(names), torch.arange(first, first + len(names)))

    def alias(self, names: Mapping[str, str]) -> None:
        """Give further names the rows of fitted ones (`{further: fitted}`); names that have a row keep it."""
        row_of = dict(zip(self.keys.tolist(), self.rows.tolist(), strict=True))
        added: dict[int, int] = {}
        for further, fitted in names.items():
            key, row = scanner_key(further), row_of.get(scanner_key(fitted))
            if row is not None and key not in row_of:
                added[key] = row
        keys, rows = list(added), list(added.values())
        self._append(torch.tensor(keys, dtype=torch.int64), torch.tensor(rows, dtype=torch.int64))

    def _append(self, keys: torch.Tensor, rows: torch.Tensor) -> None:
        self.keys = torch.cat([self.keys, keys.to(self.keys)])
        self.rows = torch.cat([self.rows, rows.to(self.rows)])

    def knows(self, scanner: torch.Tensor) -> torch.Tensor:
        """Whether scanners [B] have a row, bool [B]."""
        return (scanner.unsqueeze(1) == self.keys.unsqueeze(0)).any(dim=1)

    def forward(self, scanner: torch.Tensor | None, table: torch.Tensor) -> torch.Tensor:
        """Rows [B, ...] of a floating `table` [S, ...] for scanners [B].

        A traced network (ONNX) cannot refuse: there the rows of unknown scanners are NaN, and so is what comes of them.

        Raises:
            RuntimeError: no scanner is given, or one that has no row.
        """
        if scanner is None:
            raise RuntimeError("this network was fitted to scanners: call it with the scanner of each scan")
        match = scanner.unsqueeze(1) == self.keys.unsqueeze(0)
        has_row = match.any(dim=1)
        may_refuse = not torch.jit.is_tracing() and not _is_exporting()
        if may_refuse and not bool(has_row.all()):
            raise RuntimeError("this network was not fitted to the scanner of one of these scans")
        row = self.rows[match.to(torch.int64).argmax(dim=1)]
        shape = [-1] + [1] * (table.dim() - 1)
        return torch.where(has_row.view(shape), table[row], torch.nan)


class ScannerMethod(Method):
    """Base of methods with tables [S, ...] that are fitted on each scanner, and on new ones by `adapt`.

    Args:
        fewest_patients: of each scanner.

    Attributes:
        scanners: the row of each scanner.
    """

    def __init__(self, fewest_patients: int) -> None:
        super().__init__()
        self.fewest_patients = fewest_patients
        self.needs = Needs(scanner_name=True, new_scans=True, patients_per_scanner=fewest_patients)
        self.scanners = ScannerRows()

    def knows(self, scanner: torch.Tensor) -> torch.Tensor:
        return self.scanners.knows(scanner)

    def alias(self, names: Mapping[str, str]) -> None:
        self.scanners.alias(names)


@torch.jit.unused
def _exporting() -> bool:
    return torch.compiler.is_exporting()


def _is_exporting() -> bool:
    """Whether `torch.export` (and so the ONNX exporter) reads the network."""
    if torch.jit.is_scripting():
        return False
    return _exporting()
