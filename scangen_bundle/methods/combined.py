"""Several methods at once: `--method standardise+scangen`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from scangen_bundle.methods.method import Method, Scan, overrides
from scangen_bundle.methods.scanners import scanner_keys


class Combined(Method):
    """Methods one after the other: each one's `transform` and `augment` gets what the one before it gives.

    Each is fitted on scans as those before it transform them. The terms of the loss keep their own weights.

    Args:
        methods: in their order.
    """

    def __init__(self, methods: Sequence[Method]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(methods)
        self.name = "+".join(method.name for method in methods)
        self.title = "; ".join(method.title for method in methods)
        self.views = max(method.views for method in methods)
        self.needs = methods[0].needs
        for method in methods[1:]:
            self.needs = self.needs | method.needs

    def members(self) -> Sequence[Method]:
        return [member for method in self.parts for member in method.members()]  # type: ignore[operator]

    def build(self, features: int, embedding: int, classes: int) -> None:
        for member in self.members():
            member.build(features, embedding, classes)

    def fit(self, scans: Sequence[Scan]) -> None:
        fit_method(self, scans)

    def adapt(self, scans: Sequence[Scan]) -> None:
        adapt_method(self, scans)

    def knows(self, scanner: torch.Tensor) -> torch.Tensor:
        by_all = torch.ones_like(scanner, dtype=torch.bool)
        for method in self.parts:
            by_all = by_all & method.knows(scanner)  # type: ignore[operator]
        return by_all

    def alias(self, names: Mapping[str, str]) -> None:
        for member in self.members():
            member.alias(names)

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        for method in self.parts:
            x = method.transform(x, mask, scanner)  # type: ignore[operator]
        return x

    def augment(self, item: dict[str, Any], generator: torch.Generator) -> dict[str, Any]:
        for member in self.members():
            item = member.augment(item, generator)
        return item


def fit_method(method: Method, scans: Sequence[Scan]) -> None:
    """Fit a method, or each one of a combination, on training patients' scans.

    Scans on scanners that are held out go to those methods alone that need `new_scans`. A method that augments bags is
    fitted on the scans as they are, since bags are augmented before any `transform`.
    """
    stored = scans
    for member in method.members():
        if overrides(member, "fit"):
            training = stored if overrides(member, "augment") else scans
            if not member.needs.new_scans:
                training = [scan for scan in training if not scan.held_out]
            member.fit(training)
            scans = transformed(scans, member)


def adapt_method(method: Method, scans: Sequence[Scan]) -> None:
    """Let a method take in the scanners of these scans that it does not know.

    Raises:
        InputError: the scans of one are too few.
    """
    for member in method.members():
        is_known = member.knows(scanner_keys([scan.scanner for scan in scans])).tolist()
        new = [scan for scan, known in zip(scans, is_known, strict=True) if not known]
        if new:
            member.adapt(new)
        scans = transformed(scans, member)


def transformed(scans: Sequence[Scan], method: Method) -> list[Scan]:
    """The scans as the method's `transform` gives them, read when they are asked for."""
    if not overrides(method, "transform"):
        return list(scans)

    def reader(scan: Scan) -> Scan:
        def read(tiles: int | None) -> torch.Tensor:
            bag, scanner = scan.read(tiles)[None], scanner_keys([scan.scanner])
            with torch.no_grad():
                return method.transform(bag, None, scanner)[0]

        return replace(scan, read=read)

    return [reader(scan) for scan in scans]
