"""Which decoded tiles are kept, and whose memory is used again."""

from __future__ import annotations

from scangen_bundle.slides.tile_cache import TileCache


def test_cache_drops_the_tile_not_used_for_longest_and_uses_its_memory_again() -> None:
    cache = TileCache(0, (4, 4), limit=2)
    cache.grow(2)
    for index in (1, 2):
        tile = cache.buffer()
        tile[:] = index
        cache.put(index, tile)
    first = cache.get(1)
    cache.put(3, cache.buffer())
    assert cache.get(2) is None
    assert cache.get(1) is first
    assert first is not None
    assert (first == 1).all()


def test_cache_decodes_over_a_tile_whose_pixels_have_all_been_given_out() -> None:
    cache = TileCache(0, (4, 4), limit=9)
    first, second = cache.buffer(), cache.buffer()
    cache.put(1, first)
    cache.put(2, second)
    cache.give(1, 10)
    cache.give(2, 10)
    cache.give(2, 6)  # all 16
    assert cache.buffer() is second
    assert cache.get(2) is None
    assert cache.get(1) is first


def test_cache_keeps_a_tile_that_gave_more_pixels_than_it_has() -> None:
    cache = TileCache(0, (4, 4), limit=9)
    tile = cache.buffer()
    cache.put(1, tile)
    cache.give(1, 16)
    cache.give(1, 1)  # another region wants it too
    assert cache.buffer() is not tile
    assert cache.get(1) is tile


def test_cache_doubles_up_to_its_limit_when_it_has_lost_as_many_tiles_as_it_holds() -> None:
    cache = TileCache(0, (4, 4), limit=500)
    start = cache.capacity
    for _ in range(2):  # twice through more tiles than it holds, so that each is missed twice
        for index in range(start + 10):
            if cache.get(index) is None:
                cache.put(index, cache.buffer())
    assert cache.capacity == 2 * start
    cache.grow(10_000)
    assert cache.capacity == 500
