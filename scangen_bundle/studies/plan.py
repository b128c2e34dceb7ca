"""What a study consists of: cells, one training each, by method, strength, split and seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from scangen_bundle.errors import InputError

Strength = tuple[tuple[str, str, Any], ...]  # (method, option, value), sorted
TRAINING = ("all", "once", "few", "confounded")  # which of the training scans a scheme uses, see `scenarios`
NAME_LENGTH = 80  # characters of a cell's folder before its digest


@dataclass(frozen=True)
class Scheme:
    """One question of a study; it has a table of its own.

    Attributes:
        name: shown on pages.
        hold_out: sets of scanners; each set is held out of training in turn. An empty set holds none out.
        training: which training scans are used: "all", "once" (one scan of each specimen), "few" specimens, or "confounded"
            (the scanner tells the label).
        amount: specimens of "few"; share of the specimens that are on their label's scanner of "confounded".
    """

    name: str
    hold_out: tuple[tuple[str, ...], ...] = ((),)
    training: str = "all"
    amount: float = 0


@dataclass(frozen=True)
class Split:
    """Who is trained on, validated on and tested on.

    Attributes:
        scheme: name of the scheme.
        hold_out: scanners that are tested only.
        fold: from 0; -1 is the split column of the manifest.
    """

    scheme: str
    hold_out: tuple[str, ...] = ()
    fold: int = 0


@dataclass(frozen=True)
class Cell:
    """One training of a study and its predictions.

    Attributes:
        method: a name of `--method`, such as "standardise+scangen".
        split: of the scans.
        seed: of weights, batches and of the scans that a scheme's `training` draws.
        strength: options of the method that differ from its defaults.
    """

    method: str
    split: Split
    seed: int
    strength: Strength = ()

    @property
    def key(self) -> str:
        """A name for the cell's folder: readable, safe on every file system, the same in every session."""
        words = [self.method, self.split.scheme, *self.split.hold_out, f"fold{self.split.fold}", f"seed{self.seed}"]
        readable = re.sub(r"[^a-z0-9+.]+", "-", "_".join(words).lower()).strip("-")
        digest = hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:10]
        return f"{readable[:NAME_LENGTH]}-{digest}"

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """The strength as `--method_options` takes it: options by method."""
        options: dict[str, dict[str, Any]] = {}
        for method, option, value in self.strength:
            options.setdefault(method, {})[option] = value
        return options

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Cell:
        split = entry["split"]
        strength = tuple((method, option, value) for method, option, value in entry["strength"])
        hold_out = tuple(split["hold_out"])
        return cls(entry["method"], Split(split["scheme"], hold_out, split["fold"]), entry["seed"], strength)


def read_schemes(entries: Mapping[str, Mapping[str, Any]], scanners: Sequence[str]) -> tuple[Scheme, ...]:
    """Schemes from a config.

    Args:
        entries: by name a mapping with `hold_out` ("each", a scanner, or a list of scanners and of lists of scanners),
            `training` and `amount`; all may be missing.
        scanners: that may be held out; "each" holds out each of them in turn.

    Raises:
        InputError: there is no scheme, or one has an unknown setting or kind of training.
    """
    if not entries:
        raise InputError("schemes", "there is none", "give at least one, such as {'all scanners': {}}")
    return tuple(_read_scheme(name, entry or {}, scanners) for name, entry in entries.items())


def _read_scheme(name: str, entry: Mapping[str, Any], scanners: Sequence[str]) -> Scheme:
    if unknown := sorted(set(entry) - {"hold_out", "training", "amount"}):
        raise InputError(
            f"scheme {name!r}", f"does not take {', '.join(unknown)}", "it takes hold_out, training, amount"
        )
    training = entry.get("training", "all")
    if training not in TRAINING:
        raise InputError(f"scheme {name!r}", f"training is {training!r}", f"give one of {', '.join(TRAINING)}")
    return Scheme(
        name, _read_hold_out(entry.get("hold_out") or [], scanners), training, float(entry.get("amount") or 0)
    )


def _read_hold_out(value: str | Sequence[Any], scanners: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    if value == "each":
        return tuple((name,) for name in scanners)
    if isinstance(value, str):
        return ((value,),)
    sets = tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in value)
    return sets or ((),)


@dataclass(frozen=True)
class Plan:
    """All cells of a study.

    Attributes:
        methods: names, in the order of the tables.
        schemes: questions.
        folds: of the cross-validation; 0 takes the manifest's split column.
        seeds: of the trainings.
        grids: strengths that are tried of a method; a method without an entry has one strength, its defaults.
        left_out: why a method does not take part in a scheme, by (method, name of the scheme).
    """

    methods: tuple[str, ...]
    schemes: tuple[Scheme, ...]
    folds: int
    seeds: tuple[int, ...]
    grids: Mapping[str, tuple[Strength, ...]] = field(default_factory=dict)
    left_out: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def methods_of(self, scheme: str) -> tuple[str, ...]:
        """The methods that take part in a scheme."""
        return tuple(method for method in self.methods if (method, scheme) not in self.left_out)

    def strengths(self, method: str) -> tuple[Strength, ...]:
        return self.grids.get(method) or ((),)

    def splits(self) -> Iterator[Split]:
        folds = range(self.folds) if self.folds else (-1,)
        for scheme in self.schemes:
            for hold_out in scheme.hold_out:
                for fold in folds:
                    yield Split(scheme.name, hold_out, fold)

    def first_cells(self) -> list[Cell]:
        """The first seed: every strength of every method."""
        return [
            Cell(method, split, self.seeds[0], strength)
            for split in self.splits()
            for method in self.methods_of(split.scheme)
            for strength in self.strengths(method)
        ]

    def later_cells(self, chosen: Mapping[tuple[str, Split], Strength]) -> list[Cell]:
        """The other seeds: each method with the strength that the first seed's validation chose for the split.

        Args:
            chosen: by method and split; without an entry there are no cells, for example where all of the first seed failed.
        """
        return [
            Cell(method, split, seed, chosen[method, split])
            for seed in self.seeds[1:]
            for split in self.splits()
            for method in self.methods
            if (method, split) in chosen
        ]

    def size(self) -> int:
        """Number of cells."""
        later = len(self.seeds) - 1
        return sum(
            len(self.strengths(method)) + later for split in self.splits() for method in self.methods_of(split.scheme)
        )


def grid_strengths(grids: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Strength, ...]:
    """Every combination of the grids of several methods.

    Args:
        grids: by method, the options to try, each a mapping; without any, the method keeps its defaults.
    """
    strengths: list[Strength] = [()]
    for method, choices in sorted(grids.items()):
        parts = [tuple((method, option, value) for option, value in sorted(choice.items())) for choice in choices]
        strengths = [(*strength, *part) for strength in strengths for part in parts or [()]]
    return tuple(strengths)
