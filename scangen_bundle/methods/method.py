"""Methods: ways to make scans of a specimen agree whatever the scanner, one file each.

A method may change the features inside the network (`transform`), the bags in training (`augment`) and the loss (`terms`).
Everything that it fits or learns is part of the network's state, so the weights file is right by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from scangen_bundle.registry import Registry

Batch = Mapping[str, torch.Tensor]
NO_GRID: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Needs:
    """Requirements of a method; checked before training (`data.check_needs`).

    Attributes:
        pairs: training specimens that were scanned on at least two of the training scanners.
        scanner_name: the scanner of each scan, also at inference; scans of unknown scanners are refused.
        new_scans: scans of a scanner that training holds out: `fit` gets those of the training patients.
        patients_per_scanner: training patients of each scanner.
        virtual: tiles of training slides under virtual scanners, which `run banking` makes.
    """

    pairs: bool = False
    scanner_name: bool = False
    new_scans: bool = False
    patients_per_scanner: int = 0
    virtual: bool = False

    def __or__(self, other: Needs) -> Needs:
        """What both need together."""
        return Needs(
            self.pairs or other.pairs,
            self.scanner_name or other.scanner_name,
            self.new_scans or other.new_scans,
            max(self.patients_per_scanner, other.patients_per_scanner),
            self.virtual or other.virtual,
        )


@dataclass(frozen=True)
class Scan:
    """A scan that a method is fitted on: always of a training patient.

    Attributes:
        slide_id, specimen, patient, scanner: names.
        label: class from 0; -1 = unlabelled.
        held_out: its scanner takes no part in training. Only methods that need `new_scans` get such scans.
        read: features float32 [n, D] of at most so many evenly spaced tiles; None reads all.
        virtual: features of some tiles as they are [m, D] and under each of K virtual scanners [K, m, D], float32; None
            where `run banking` made none.
    """

    slide_id: str
    specimen: str
    patient: str
    scanner: str
    label: int
    held_out: bool
    read: Callable[[int | None], torch.Tensor]
    virtual: Callable[[], tuple[torch.Tensor, torch.Tensor]] | None = None


class Resizable(nn.Module):
    """A module whose buffers take the shape of the state that is loaded: what was fitted decides their size."""

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any) -> None:
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if buffer is not None and loaded is not None and buffer.shape != loaded.shape:
                self._buffers[name] = buffer.new_empty(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


class Method(Resizable):
    """Base of all methods; each part that a method does not have does nothing.

    The constructor takes the method's options and draws no random number: parameters are made by `build`.

    Attributes:
        name: of the command line, `--method name`.
        title: one line for pages and cards.
        needs: checked before training.
        embedding: name of the network's submodule whose output `embed` gets.
        views: copies of each training bag in a batch, each augmented by itself.
        grid: options that a study tries and validation chooses from, each a dictionary; empty: the defaults alone.
        weight: factor of the terms in the loss.
        warmup_epochs: epochs over which the factor rises linearly from 0, iteration by iteration.
    """

    # without annotations, which TorchScript would read
    name = ""
    title = ""
    needs = Needs()
    embedding = "embedding"
    views = 1
    grid = NO_GRID

    def __init__(self, weight: float = 1.0, warmup_epochs: float = 0.0) -> None:
        super().__init__()
        if weight < 0 or warmup_epochs < 0:
            raise ValueError(f"expected weight and warmup_epochs of at least 0, got {weight} and {warmup_epochs}")
        self.weight, self.warmup_epochs = weight, warmup_epochs

    def members(self) -> Sequence[Method]:
        """The single methods of a combination; of a single method itself."""
        return [self]

    def build(self, features: int, embedding: int, classes: int) -> None:
        """Make parameters and buffers; the network calls it once.

        Args:
            features: D of a tile.
            embedding: E of a slide.
            classes: C.
        """

    def fit(self, scans: Sequence[Scan]) -> None:
        """Fill buffers from scans of training patients; called once, before the first epoch."""

    def adapt(self, scans: Sequence[Scan]) -> None:
        """Take in scanners that `knows` denies, from scans at hand, which need no labels.

        Raises:
            InputError: the scans are too few.
        """

    def knows(self, scanner: torch.Tensor) -> torch.Tensor:
        """Whether scans of these scanners can be transformed: bool [B] from keys [B] (`scanner_key`)."""
        return torch.ones_like(scanner, dtype=torch.bool)

    def alias(self, names: Mapping[str, str]) -> None:
        """Take further names of known scanners, for example those in slide files: known name by further name."""

    def transform(self, x: torch.Tensor, mask: torch.Tensor | None, scanner: torch.Tensor | None) -> torch.Tensor:
        """Features [B, N, D] as the network shall see them.

        It is part of the network, so TorchScript compiles it: use torch and what `self` holds, no global of the module.

        Args:
            x: [B, N, D].
            mask: [B, N] bool, True for real tiles; None: all are.
            scanner: [B] int64 keys of the scanners (`scanner_key`); None: not given.
        """
        return x

    def augment(self, item: dict[str, Any], generator: torch.Generator) -> dict[str, Any]:
        """A training bag, changed at random; all randomness comes from `generator`.

        Args:
            item: as `data.BagDataset` makes it; `image` is [N, D] float32.
            generator: seeded by seed, epoch, scan and view.
        """
        return item

    def embed(self, output: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Batch]:
        """What `terms` gets of the output of the submodule `embedding`, with the batch's rows to match.

        Args:
            output: of the submodule, rows as in the batch.
            batch: `specimen, scanner, label` [B] and, where the batch has them, `scanner_key, view` [B], `mask`, `coords`.
        """
        return output, batch

    def terms(self, embedding: torch.Tensor, logits: torch.Tensor, batch: Batch) -> dict[str, torch.Tensor]:
        """Scalars by name: floating ones are added to the loss, integer ones are counts that are only tracked.

        Args:
            embedding: [B, E] float32, in a distributed training of all processes.
            logits: [B, C] float32 of the same scans.
            batch: int64 [B] `specimen, scanner, label` (-1 = unlabelled), where given `scanner_key, view`.
        """
        return {}

    def start_epoch(self, network: nn.Module) -> None:
        """Called at the start of each training epoch."""

    def after_step(self, network: nn.Module) -> None:
        """Called after each step of the optimizer."""

    def end_epoch(self, network: nn.Module) -> None:
        """Called at the end of each training epoch, before validation and checkpoint."""

    def training_state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed training needs beside the network's state."""
        return {}

    def load_training_state(self, state: Mapping[str, Any], network: nn.Module) -> None:
        """Take over what `training_state` gave."""


METHODS: Registry[type[Method]] = Registry("method", package="scangen_bundle.methods")
AnyMethod = TypeVar("AnyMethod", bound=type[Method])


def register(method: AnyMethod) -> AnyMethod:
    """Decorator of a method's class: `--method <its name>` finds it from now on.

    Raises:
        InputError: the name is taken.
    """
    METHODS.add(method.name, method)
    return method


def overrides(method: Method, hook: str) -> bool:
    """Whether the method, or a member of a combination, defines `hook` itself, such as "fit" or "augment"."""
    return any(getattr(type(member), hook) is not getattr(Method, hook) for member in method.members())
