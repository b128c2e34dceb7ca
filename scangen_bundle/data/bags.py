"""Bags as a PyTorch dataset: a few random tiles for training, all of them for evaluation."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Randomizable
from torch.utils.data import Dataset

from scangen_bundle.bags.bag import check_finite
from scangen_bundle.data.collate import NUMBERS
from scangen_bundle.data.mapped import BagReader
from scangen_bundle.methods import Method, overrides


class BagDataset(Dataset):
    """One item per scan, read from its memory-mapped bag when it is asked for.

    Each bag is opened and checked once; after that only the drawn rows are read.

    Which tiles are drawn depends on the seed, the epoch and the specimen alone: not on the order, the process or the
    worker. Scans of one specimen whose bags list the same places (registered bags) get the same places.

    Args:
        data: records as `make_records` gives them.
        num_instances: draw at most so many tiles, in the bag's order; None gives all.
        seed: of the draws.
        transform: applied to each item; for example an augmentation of features. A random one of MONAI's is seeded for each
            item by seed, epoch and index.
        method: whose `augment` changes each item before the transform, and of whose `views` an item is made; its generator is
            seeded for each item by seed, epoch, index and view. None, or without an augmentation, leaves them as they are.
        reader: of the bags, which datasets of one process may share; None: one of its own.
    """

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        num_instances: int | None = None,
        seed: int = 0,
        transform: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
        method: Method | None = None,
        reader: BagReader | None = None,
    ) -> None:
        if num_instances is not None and num_instances < 1:
            raise ValueError(f"expected num_instances of at least 1, got {num_instances}")
        self.data = data
        self.num_instances = num_instances
        self.seed = seed
        # Seeding an empty `Compose` for each item costs more than reading the item.
        is_empty = isinstance(transform, Compose) and not transform.transforms
        self.transform = None if is_empty else transform
        self.method = method if method is not None and overrides(method, "augment") else None
        self.views = 1 if method is None else method.views
        # Forked data-loader workers that live on over epochs see it change. It needs no /dev/shm, which may be read-only or
        # full; where workers are no forks, torch moves it there when it pickles the data set.
        self._epoch = torch.frombuffer(mmap.mmap(-1, 8), dtype=torch.int64)
        self._reader = BagReader() if reader is None else reader

    def __len__(self) -> int:
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        """Draw other tiles from now on."""
        self._epoch[0] = epoch

    def draw(self, tiles: int, specimen: int) -> np.ndarray | None:
        """Sorted indices of the tiles to take from a bag of `tiles`; None takes all."""
        if self.num_instances is None or tiles <= self.num_instances:
            return None
        generator = np.random.default_rng((self.seed, int(self._epoch), specimen))
        return np.sort(generator.choice(tiles, self.num_instances, replace=False))

    def __getitem__(self, index: int) -> dict[str, Any] | list[dict[str, Any]]:
        """A dictionary: `image` [N, D], `coords` [N, 2], numbers of the record, `slide_id` (str); a list of several views.

        The image has the file's precision, float16 or float32, which `collate_bags` turns into float32 as it fills the batch;
        an augmentation or transform gets float32. All views are of the same tiles; each has its number as `view`.

        Raises:
            InputError: the bag is gone or damaged, or a vector has a NaN.
        """
        record = self.data[index]
        features, coords = self._reader.read(
            record["features_path"], lambda tiles: self.draw(tiles, record["specimen"])
        )
        image = torch.from_numpy(features)
        if not surely_finite(image):
            check_finite(record["features_path"], features)
        item = {
            "image": image.float() if self.transform or self.method else image,
            "coords": torch.from_numpy(coords),
        }
        for name in (*NUMBERS, "slide_id"):
            if name in record:
                item[name] = record[name]
        if self.views == 1:
            return self._changed(item, index, 0)
        return [self._changed({**item, "view": view}, index, view) for view in range(self.views)]

    def _changed(self, item: dict[str, Any], index: int, view: int) -> dict[str, Any]:
        """The item after the method's augmentation and the transform."""
        place = [self.seed, int(self._epoch), index]
        if view:
            place.append(view)
        if self.method is not None:
            state = np.random.SeedSequence(place, spawn_key=(1,)).generate_state(1, np.uint64)
            item = self.method.augment(item, torch.Generator().manual_seed(int(state[0] >> 1)))
        if isinstance(self.transform, Randomizable):
            state = np.random.SeedSequence(place).generate_state(1)
            self.transform.set_random_state(seed=int(state[0]))
        return self.transform(item) if self.transform else item


def surely_finite(image: torch.Tensor) -> bool:
    """Whether all numbers are finite, at a fraction of the cost of `check_finite`; False leaves that to tell."""
    if image.dtype == torch.float16 and image.numel():
        # NaN and infinity have an exponent of ones; converting to a precision that can be summed takes several times as long
        return bool((image.view(torch.int16) & 0x7FFF).max() < 0x7C00)
    return bool(torch.isfinite(image.sum()))  # large numbers may overflow the sum
