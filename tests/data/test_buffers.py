"""Batches' memory is used again, and never while somebody holds it."""

import gc
import threading

import torch

from scangen_bundle.data import buffers
from scangen_bundle.data.buffers import BufferPool


def test_memory_is_used_again_once_its_tensor_is_gone():
    pool = BufferPool()
    first = pool.empty(4, 5)
    place = first.data_ptr()
    assert (first.shape, first.dtype) == ((4, 5), torch.float32)
    del first
    assert pool.empty(2, 3).data_ptr() == place  # a smaller one fits


def test_memory_stays_while_a_view_an_array_or_a_graph_holds_it():
    pool = BufferPool()
    weight = torch.ones(3, requires_grad=True)
    image = pool.empty(2, 3).fill_(2.0)
    loss, view, array = (image * weight).sum(), image[1], pool.empty(2, 3).fill_(5.0).numpy()
    del image
    gc.collect()
    others = [pool.empty(2, 3).fill_(-1.0) for _ in range(4)]
    loss.backward()
    assert weight.grad.tolist() == [4, 4, 4]
    assert view.tolist() == [2, 2, 2]
    assert (array == 5).all()
    assert len({other.data_ptr() for other in others}) == 4


def test_a_larger_batch_gets_new_memory_and_few_buffers_are_kept():
    pool = BufferPool()
    del [pool.empty(10) for _ in range(20)][:]
    assert len(pool._free) == buffers.KEPT
    larger = pool.empty(11)
    assert larger.numel() == 11
    assert not pool._free  # they were too small, and were given up


def test_empty_and_huge_batches_are_pytorchs_own(monkeypatch):
    monkeypatch.setattr(buffers, "LARGEST", 40)
    pool = BufferPool()
    for shape in ((0, 3), (11,)):
        assert pool.empty(*shape).shape == shape
    assert not pool._free


def test_threads_never_share_a_buffer():
    pool, wrong = BufferPool(), []

    def work(number):
        for _ in range(300):
            mine = pool.empty(1000).fill_(number)
            if not (mine == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
