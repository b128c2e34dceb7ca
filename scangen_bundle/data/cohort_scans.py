"""The scans of a cohort with their splits and bags, read when they are first asked for.

Configs make these objects while they are resolved, which reads nothing; engines ask them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import pandas as pd

from scangen_bundle.cohort import load_manifest, resolve_splits
from scangen_bundle.data.records import make_records

Record = dict[str, Any]


class Records(Sequence[Record]):
    """A list of records that is made when it is first used.

    Args:
        make: gives the records.
    """

    def __init__(self, make: Callable[[], list[Record]]) -> None:
        self._make = make

    @cached_property
    def _records(self) -> list[Record]:
        return self._make()

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: Any) -> Any:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)


class CohortScans:
    """A cohort's scans: their table, and records of their bags.

    Args:
        read: gives the table, as `cohort.load_manifest` does; with its column `split` filled where splits are asked for.
        features_dir: where a scan's bag is, if the table does not say.
        num_features: D that every bag must have.
        num_classes: C.
        encoder: of the features, as the user names it; see `make_records`.
    """

    def __init__(
        self,
        read: Callable[[], pd.DataFrame],
        features_dir: str,
        num_features: int,
        num_classes: int,
        encoder: str = "",
    ) -> None:
        self._read = read
        self.features_dir, self.encoder = features_dir, encoder
        self.num_features, self.num_classes = num_features, num_classes
        self._records: dict[str | None, Records] = {}

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per scan."""
        return self._read()

    @property
    def training_scanners(self) -> list[str]:
        """Scanners that the network is trained on."""
        return sorted(self.table.loc[self.table["split"] == "train", "scanner"].unique())

    def records(self, split: str | None = None) -> Records:
        """Records of a split's scans, or of all; the same object each time, so that bags are checked once."""
        if split not in self._records:
            self._records[split] = Records(partial(self._make_records, split))
        return self._records[split]

    def _make_records(self, split: str | None) -> list[Record]:
        return make_records(
            self.table,
            self.features_dir,
            split,
            num_features=self.num_features,
            num_classes=self.num_classes,
            encoder=self.encoder,
        )


def manifest_scans(
    manifest_path: str,
    features_dir: str,
    *,
    num_features: int,
    num_classes: int,
    encoder: str = "",
    class_names: Sequence[str] = (),
    allow_outside: bool = False,
) -> CohortScans:
    """All scans of a manifest; see `training_cohort`."""
    read = partial(
        load_manifest, manifest_path, classes=num_classes, class_names=class_names, allow_outside=allow_outside
    )
    return CohortScans(read, features_dir, num_features, num_classes, encoder)


def training_cohort(
    manifest_path: str,
    features_dir: str,
    *,
    num_features: int,
    num_classes: int,
    encoder: str = "",
    class_names: Sequence[str] = (),
    allow_outside: bool = False,
    **splits: Any,
) -> CohortScans:
    """The scans of a manifest of two scanners or more, split by patient.

    Args:
        manifest_path: of the manifest.
        features_dir, num_features, num_classes, encoder: see `CohortScans`.
        class_names, allow_outside: see `cohort.load_manifest`.
        **splits: arguments of `cohort.resolve_splits`.
    """

    def read() -> pd.DataFrame:
        manifest = load_manifest(
            manifest_path,
            classes=num_classes,
            class_names=class_names,
            min_scanners=2,
            allow_outside=allow_outside,
        )
        return resolve_splits(manifest, **splits)

    return CohortScans(read, features_dir, num_features, num_classes, encoder)
