import threading

import pytest
import torch

from scangen_bundle.data import PrefetchLoader
from scangen_bundle.errors import InputError


class Numbers(torch.utils.data.Dataset):
    def __init__(self, bad=None):
        self.bad, self.read = bad, []

    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == self.bad:
            raise InputError("7.h5", "the bag is gone", "put it back")
        self.read.append((index, threading.current_thread().name))
        return index


def test_gives_the_batches_of_pytorchs_loader_epoch_after_epoch():
    expected = [batch.tolist() for batch in torch.utils.data.DataLoader(Numbers(), batch_size=3)]
    loader = PrefetchLoader(Numbers(), batch_size=3)
    assert [batch.tolist() for batch in loader] == expected == [batch.tolist() for batch in loader]


def test_reads_one_batch_ahead_and_no_further_in_another_thread():
    data = Numbers()
    batches = iter(PrefetchLoader(data, batch_size=2))
    assert next(batches).tolist() == [0, 1]
    assert next(batches).tolist() == [2, 3]
    assert len(data.read) in (4, 5, 6)
    assert all(name.startswith("next-batch") for _, name in data.read)


def test_an_error_of_a_bag_is_raised_as_it_is_after_the_batches_before_it():
    batches = iter(PrefetchLoader(Numbers(bad=7), batch_size=2))
    assert [next(batches).tolist() for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(InputError, match="the bag is gone"):
        next(batches)
