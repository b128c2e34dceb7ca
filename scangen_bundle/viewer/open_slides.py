"""Open slides and coded tiles, as many as fit: the ones not used for longest make room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from scangen_bundle.slides.open import open_slide
from scangen_bundle.slides.reader import SlideReader
from scangen_bundle.viewer.pyramid import Pyramid, make_pyramid
from scangen_bundle.viewer.scan_files import ScanFile, level0_mpp
from scangen_bundle.viewer.tiles import encode_jpeg, read_tile

MOST_OPEN = 16
DECODED_MB = 32  # of native tiles, per open slide
CODED_BYTES = 96 * 2**20


@dataclass(eq=False)
class OpenSlide:
    """An open slide. Readers are not made for threads, so `lock` is held while one reads."""

    reader: SlideReader
    pyramid: Pyramid
    mpp: tuple[float, float] | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.reader.close()


class OpenSlides:
    """Slides by their number in a table of files, opened when they are first needed.

    Args:
        files: slide files by number; nothing else can be opened.
        most_open: slides that stay open.
        coded_bytes: most memory for tiles that were coded before.
    """

    def __init__(
        self, files: Mapping[int, ScanFile], most_open: int = MOST_OPEN, coded_bytes: int = CODED_BYTES
    ) -> None:
        self.files, self.most_open = files, most_open
        self._open: OrderedDict[int, OpenSlide] = OrderedDict()
        self._tiles = ByteCache(coded_bytes)
        self._lock = threading.Lock()
        self._opening: dict[int, threading.Lock] = {}

    def __len__(self) -> int:
        """How many slides are open."""
        return len(self._open)

    @contextmanager
    def use(self, number: int) -> Iterator[OpenSlide]:
        """The open slide, for one thread at a time.

        Raises:
            KeyError: no scan of this number has a slide.
            InputError: the slide is missing, damaged or of an unknown kind.
        """
        while True:
            slide = self._get(number)
            with slide.lock:
                if not slide.closed:  # else it made room for another one meanwhile
                    yield slide
                    return

    def tile(self, number: int, level: int, column: int, row: int) -> bytes:
        """A tile as JPEG.

        Raises:
            KeyError: no such slide, or no such tile.
            InputError: the slide cannot be read.
        """
        key = (number, level, column, row)
        coded = self._tiles.get(key)
        if coded is None:
            with self.use(number) as slide:
                if not slide.pyramid.contains(level, column, row):
                    raise KeyError(key)
                pixels = read_tile(slide.reader, slide.pyramid, level, column, row)
            coded = encode_jpeg(pixels)
            self._tiles.put(key, coded)
        return coded

    def close(self) -> None:
        """Close all slides."""
        with self._lock:
            slides, self._open = list(self._open.values()), OrderedDict()
        for slide in slides:
            slide.close()

    def _get(self, number: int) -> OpenSlide:
        file = self.files[number]
        with self._lock:
            opening = self._opening.setdefault(number, threading.Lock())
        with opening:  # so that two requests do not open one slide twice
            with self._lock:
                slide = self._open.get(number)
                if slide is not None:
                    self._open.move_to_end(number)
                    return slide
            slide = _open(file)
            with self._lock:
                self._open[number] = slide
                surplus = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - self.most_open)]
        for old in surplus:
            old.close()
        return slide


class ByteCache:
    """Byte strings by key, the least recently used ones dropped beyond `limit` bytes in all."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._items: OrderedDict[object, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object) -> bytes | None:
        with self._lock:
            item = self._items.get(key)
            if item is not None:
                self._items.move_to_end(key)
            return item

    def put(self, key: object, item: bytes) -> None:
        with self._lock:
            self.size += len(item) - len(self._items.pop(key, b""))
            self._items[key] = item
            while self.size > self.limit:
                self.size -= len(self._items.popitem(last=False)[1])


def _open(file: ScanFile) -> OpenSlide:
    reader = open_slide(file.slide_path)
    if hasattr(reader, "cache_mb"):
        reader.cache_mb = DECODED_MB
    mpp = level0_mpp(reader, file)
    return OpenSlide(reader, make_pyramid(reader.level_dimensions[0], mpp), mpp)
