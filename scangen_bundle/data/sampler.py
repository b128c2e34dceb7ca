"""Which scans share a batch: specimens by scanners for training, bags of like length for evaluation."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import zip_longest
from operator import itemgetter
from typing import Any

import numpy as np
import torch.distributed as dist
from torch.utils.data import Sampler

logger = logging.getLogger(__name__)


def _place(rank: int | None, num_replicas: int | None) -> tuple[int, int]:
    """This process and the number of processes, where they are not given."""
    running = dist.is_available() and dist.is_initialized()
    if rank is None:
        rank = dist.get_rank() if running else 0
    if num_replicas is None:
        num_replicas = dist.get_world_size() if running else 1
    return rank, num_replicas


class SpecimenScannerSampler(Sampler[list[int]]):
    """Batches of P specimens, each on up to K scanners, so that every batch has pairs of both kinds.

    In an epoch every scan is seen. A specimen's scans are cut into groups of at most K on different scanners, as equal in
    size as can be. Every cut leaves as few scans as possible alone in their group: of n > 1 scans none where K is 3 or more,
    and one of an odd n where K is 2, unless one scanner made m > n / 2 of them: then 2 m - n. With K = 1 all are alone. The
    cut changes from epoch to epoch. Labels alternate: each label gets the same number of groups, those of rarer labels are
    repeated (in another cut). Unlabelled specimens are seen once. Batches are filled up from the epoch's start. The order is
    a function of seed and epoch; each of several processes takes its share of every batch's specimens.

    Where no specimen was scanned twice (an unpaired cohort) attraction has no pairs and ScanGen only repels; one warning
    reports it.

    Args:
        records: as `make_records` gives them: dictionaries with `specimen`, `scanner`, `label`.
        specimens_per_batch: P, over all processes.
        scanners_per_specimen: K.
        seed: of the order.
        rank, num_replicas: this process and the number of processes, by which P must be divisible; None asks torch.
    """

    def __init__(
        self,
        records: Sequence[dict[str, Any]],
        specimens_per_batch: int = 6,
        scanners_per_specimen: int = 3,
        seed: int = 0,
        rank: int | None = None,
        num_replicas: int | None = None,
    ) -> None:
        rank, num_replicas = _place(rank, num_replicas)
        if specimens_per_batch < 1 or scanners_per_specimen < 1:
            raise ValueError(f"expected positive sizes, got P = {specimens_per_batch}, K = {scanners_per_specimen}")
        if specimens_per_batch % num_replicas or not 0 <= rank < num_replicas:
            raise ValueError(f"{num_replicas} processes cannot share {specimens_per_batch} specimens (rank {rank})")
        self.groups_per_batch, self.group_size = specimens_per_batch, scanners_per_specimen
        self.seed, self.rank, self.num_replicas, self.epoch = seed, rank, num_replicas, 0
        self.records = records

    @cached_property
    def scanner(self) -> list[int]:
        """The scanner of each scan."""
        return [record["scanner"] for record in self.records]

    @cached_property
    def scans(self) -> dict[int, list[int]]:
        """The scans of each specimen."""
        scans: dict[int, list[int]] = {}
        for index, record in enumerate(self.records):
            scans.setdefault(record["specimen"], []).append(index)
        self._name_unpaired(scans)
        return scans

    @cached_property
    def label(self) -> dict[int, int]:
        """The label of each specimen; an unlabelled scan of a labelled specimen does not make the specimen unlabelled."""
        labels: dict[int, int] = {}
        for record in self.records:
            labels[record["specimen"]] = max(record["label"], labels.get(record["specimen"], -1))
        return labels

    def _name_unpaired(self, scans: Mapping[int, Sequence[int]]) -> None:
        unpaired = sum(len({self.scanner[i] for i in indices}) == 1 for indices in scans.values())
        if unpaired:
            logger.warning(
                "%d of %d specimens were scanned on one scanner only: they have no pair that ScanGen could attract%s",
                unpaired,
                len(scans),
                "; training only repels" if unpaired == len(scans) else "",
            )

    def set_epoch(self, epoch: int) -> None:
        """Order and cut differently from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._slots()) // self.groups_per_batch)

    def __iter__(self) -> Iterator[list[int]]:
        groups = self._epoch_groups()
        share = self.groups_per_batch // self.num_replicas
        for start in range(0, len(self) * self.groups_per_batch, self.groups_per_batch):
            first = start + self.rank * share
            batch: list[int] = []
            for slot in range(first, first + share):
                batch += groups[slot % len(groups)]
            yield batch

    def _cuts(self, specimen: int) -> int:
        """Number of groups into which a specimen's scans are cut."""
        scans = self.scans[specimen]
        most_of_scanner = max(Counter(self.scanner[scan] for scan in scans).values())
        return max(most_of_scanner, -(-len(scans) // self.group_size))

    def _slots(self) -> list[int]:
        """The label of each group of an epoch; the rarer labels' number is raised to that of the commonest."""
        counts: dict[int, int] = {}
        for specimen, label in self.label.items():
            counts[label] = counts.get(label, 0) + self._cuts(specimen)
        most = max(counts.values())
        slots: list[int] = []
        for label, count in sorted(counts.items()):
            slots += [label] * (count if label < 0 else most)
        return slots

    def _epoch_groups(self) -> list[list[int]]:
        """The groups of this epoch in their order, labels spread evenly."""
        generator = np.random.default_rng((self.seed, self.epoch))
        slots = self._slots()
        ordered: list[tuple[float, list[int]]] = []
        for label in sorted(set(slots)):
            specimens = [specimen for specimen in sorted(self.scans) if self.label[specimen] == label]
            groups: list[list[int]] = []
            while len(groups) < slots.count(label):
                # one group of each specimen after the other, so that a batch seldom has two of one specimen
                cuts = [self._cut(specimen, generator) for specimen in generator.permutation(specimens)]
                for turn in zip_longest(*cuts):
                    groups += filter(None, turn)
            groups = groups[: slots.count(label)]
            for position, group in enumerate(groups):
                ordered.append(((position + 0.5) / len(groups), group))
        ordered.sort(key=itemgetter(0))
        return [group for _, group in ordered]

    def _cut(self, specimen: int, generator: np.random.Generator) -> list[list[int]]:
        """A specimen's scans in groups on different scanners: deal them out, one scanner after the other."""
        scans = generator.permutation(self.scans[specimen])
        first_of: dict[int, int] = {}
        for position, scan in enumerate(scans):
            first_of.setdefault(self.scanner[scan], position)
        dealt = sorted(scans, key=lambda scan: first_of[self.scanner[scan]])
        cuts = self._cuts(specimen)
        return [[int(scan) for scan in dealt[turn::cuts]] for turn in range(cuts)]


class LengthBucketSampler(Sampler[list[int]]):
    """Batches of bags of like length, each at most `max_tiles` long when padded; every bag once, longest first.

    Longest first, so that a lack of memory shows at once. Each of several processes takes every n-th batch; the last ones
    are filled up with batches from the start.

    Args:
        records: dictionaries with `num_tiles`.
        max_tiles: largest number of tiles of a padded batch; a longer bag comes alone.
        rank, num_replicas: this process and the number of processes; None asks torch.
    """

    def __init__(
        self,
        records: Sequence[dict[str, Any]],
        max_tiles: int = 65536,
        rank: int | None = None,
        num_replicas: int | None = None,
    ) -> None:
        self.records, self.max_tiles = records, max_tiles
        self.rank, self.num_replicas = _place(rank, num_replicas)

    @cached_property
    def batches(self) -> list[list[int]]:
        """Indices of the bags of each batch."""
        lengths = [record["num_tiles"] for record in self.records]
        batches: list[list[int]] = []
        for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
            batch = batches[-1] if batches else []
            if batch and lengths[batch[0]] * (len(batch) + 1) <= self.max_tiles:
                batch.append(index)
            else:
                batches.append([index])
        return batches

    def __len__(self) -> int:
        return -(-len(self.batches) // self.num_replicas)

    def __iter__(self) -> Iterator[list[int]]:
        for turn in range(len(self)):
            yield self.batches[(turn * self.num_replicas + self.rank) % len(self.batches)]
