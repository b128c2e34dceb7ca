"""Open slides and coded tiles stay within their bounds, also when many threads ask."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.slides import open_slide
from scangen_bundle.viewer.open_slides import ByteCache, OpenSlides
from scangen_bundle.viewer.scan_files import ScanFile, level0_mpp


@pytest.fixture(scope="module")
def files(phantom):
    paths = load_manifest(phantom / "manifest.csv")["slide_path"]
    return {number: ScanFile(path) for number, path in enumerate(paths)}


def test_slides_not_used_for_longest_are_closed(files):
    slides = OpenSlides(files, most_open=3)
    opened = []
    for number in (0, 1, 2, 0, 3):
        with slides.use(number) as slide:
            opened.append(slide)
    assert len(slides) == 3
    assert [slide.closed for slide in opened] == [False, True, False, False, False]
    assert opened[0] is opened[3]
    slides.close()
    assert len(slides) == 0
    assert all(slide.closed for slide in opened)


def test_a_scan_without_a_slide_and_a_tile_outside_are_no_such_thing(files):
    slides = OpenSlides(files)
    with pytest.raises(KeyError):
        slides.tile(99, 10, 0, 0)
    with pytest.raises(KeyError):
        slides.tile(0, 10, 5000, 0)
    slides.close()


def test_a_missing_slide_is_refused_and_taken_once_it_is_there(tmp_path, files):
    path = tmp_path / "late.svs"
    slides = OpenSlides({0: ScanFile(str(path))})
    with pytest.raises(InputError, match="no such slide file"):
        slides.tile(0, 10, 0, 0)
    path.write_bytes(Path(files[0].slide_path).read_bytes())
    assert slides.tile(0, 10, 0, 0).startswith(b"\xff\xd8")
    slides.close()


def test_many_threads_get_the_tiles_that_one_thread_gets(files):
    work = [(number, 10, column, row) for number in files for column in (0, 1) for row in (0, 1)] * 2
    alone = OpenSlides(files)
    expected = [alone.tile(*place) for place in work]
    alone.close()
    crowded = OpenSlides(files, most_open=2, coded_bytes=50_000)
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda place: crowded.tile(*place), work)) == expected
    assert len(crowded) <= 2
    crowded.close()


def test_a_slide_that_is_closed_while_somebody_waits_for_it_is_opened_again(files):
    slides = OpenSlides(files, most_open=1)
    with slides.use(0) as slide:
        waiting = threading.Thread(target=lambda: slides.tile(0, 10, 0, 0))
        waiting.start()
        evicting = threading.Thread(target=lambda: slides.tile(1, 10, 0, 0))
        evicting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(20)
    evicting.join(20)
    assert not waiting.is_alive()
    assert not evicting.is_alive()
    assert slide.closed
    slides.close()


def test_coded_tiles_stay_below_their_limit():
    cache = ByteCache(10)
    for key in "abc":
        cache.put(key, b"1234")
        cache.get("a")
    assert cache.size == 8
    assert [cache.get(key) is None for key in "abc"] == [False, True, False]
    cache.put("huge", bytes(11))
    assert cache.size == 0
    cache.put("a", b"12")
    cache.put("a", b"123")
    assert cache.size == 3


@pytest.mark.parametrize(("stated", "expected"), [(0.31, (0.31, 0.31)), (None, (0.346, 0.346))])
def test_the_stated_resolution_wins(files, stated, expected):
    with open_slide(files[0].slide_path) as reader:
        assert level0_mpp(reader, ScanFile(files[0].slide_path, "", stated)) == pytest.approx(expected)


def test_a_resolution_that_no_scanner_has_is_not_believed(files):
    with open_slide(files[0].slide_path) as reader:
        reader.mpp = (1000.0, 1000.0)
        assert level0_mpp(reader, ScanFile(files[0].slide_path)) is None
