"""The ring: order, full batches, backpressure, and errors of its threads."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.ring import BUFFERS, Ring
from scangen_bundle.extraction.work import SlideTask, TilingSettings

TILING = TilingSettings(mpp=0.5, tile_px=2, batch_size=4)


class Mean:
    """The first pixel of each tile; whether it mixes slides is told at construction."""

    def __init__(self, mixes=True, seconds=0.0):
        self.mixes, self.seconds, self.sizes = mixes, seconds, []

    def isolate_tiles(self, batch_size):
        return self.mixes

    def encode(self, tiles):
        time.sleep(self.seconds)
        self.sizes.append(len(tiles))
        return tiles[:, 0, 0, :1].astype(np.float32)


def feed(ring, slides):
    """Send slides {id: number of tiles}; the pixels of a slide's tiles count up."""
    for slide_id, count in slides.items():
        first = 0
        for place in ring.places(SlideTask(slide_id, ""), count):
            place[:] = np.arange(first, first + len(place)).reshape(-1, 1, 1, 1)
            first += len(place)


def collect(encoders, slides, **options):
    written = {}

    def write(task, vectors):
        written.setdefault(task.slide_id, []).extend(vectors[:, 0].tolist())

    with Ring(encoders, TILING, write) as ring:
        feed(ring, slides)
        ring.finish()
    return written, ring


SLIDES = {"a": 5, "b": 1, "c": 3, "d": 7, "e": 2}
EXPECTED = {slide_id: list(range(count)) for slide_id, count in SLIDES.items()}


@pytest.mark.parametrize("encoders", [1, 3])
def test_batches_are_filled_across_slides_and_every_slide_gets_its_vectors_in_order(encoders):
    team = [Mean(seconds=0.002 * number) for number in range(encoders)]
    written, ring = collect(team, SLIDES)
    assert written == EXPECTED
    assert sorted(size for encoder in team for size in encoder.sizes) == [2, 4, 4, 4, 4]
    assert (ring.batches, ring.tiles) == (5, 18)


def test_an_encoder_whose_vectors_depend_on_neighbours_gets_tiles_of_one_slide_at_a_time():
    encoder = Mean(mixes=False)
    written, _ = collect([encoder], SLIDES)
    assert written == EXPECTED
    assert encoder.sizes == [4, 1, 1, 3, 4, 3, 2]


def test_actions_come_after_the_tiles_before_them():
    seen = []
    with Ring([Mean()], TILING, lambda task, vectors: seen.append((task.slide_id, len(vectors)))) as ring:
        feed(ring, {"a": 3})
        ring.then(lambda: seen.append("end of a"))
        ring.at_once(lambda: seen.append("begin of b"))
        feed(ring, {"b": 2})
        ring.then(lambda: seen.append("end of b"))
        ring.finish()
    assert seen == ["begin of b", ("a", 3), ("b", 1), "end of a", ("b", 1), "end of b"]


def test_tiles_wait_for_a_buffer_so_memory_is_bounded():
    gate = threading.Event()

    class Blocked(Mean):
        def encode(self, tiles):
            gate.wait()
            return super().encode(tiles)

    sent = []

    def send(ring):
        for number in range(20):
            feed(ring, {f"s{number}": 4})
            sent.append(number)

    with Ring([Blocked()], TILING, lambda task, vectors: None) as ring:
        sender = threading.Thread(target=send, args=(ring,))
        sender.start()
        try:
            end = time.monotonic() + 10
            while len(sent) < BUFFERS + 1 and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.2)
            assert len(sent) == BUFFERS + 1
        finally:
            gate.set()
            sender.join()
        ring.finish()


@pytest.mark.parametrize("at_fault", ["encode", "write"])
def test_an_error_of_a_thread_is_raised_where_tiles_are_received(at_fault):
    class Broken(Mean):
        def encode(self, tiles):
            if at_fault == "encode":
                raise RuntimeError("out of memory")
            return super().encode(tiles)

    def write(task, vectors):
        if at_fault == "write":
            raise OSError("disk full")

    def run():
        with Ring([Broken()], TILING, write) as ring:
            feed(ring, {f"s{number}": 4 for number in range(100)})
            ring.finish()

    with pytest.raises((RuntimeError, OSError), match=r"out of memory|disk full"):
        run()


def test_tiles_that_the_encoder_refuses_are_told_for_each_slide_of_the_batch():
    class Refusing(Mean):
        def encode(self, tiles):
            raise InputError("tiles", "are refused")

    told = {}
    with Ring([Refusing()], TILING, lambda task, answer: told.setdefault(task.slide_id, answer)) as ring:
        feed(ring, {"a": 1, "b": 3})
        ring.finish()
    assert {slide_id: str(error) for slide_id, error in told.items()} == {
        "a": "tiles: are refused",
        "b": "tiles: are refused",
    }
