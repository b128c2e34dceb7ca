"""Open a slide with the reader that suits it."""

from __future__ import annotations

import os

from scangen_bundle.slides.openslide_reader import OpenSlideReader
from scangen_bundle.slides.reader import SlideReader

BACKENDS = {"openslide": OpenSlideReader}


def open_slide(path: str | os.PathLike[str], backend: str = "auto") -> SlideReader:
    """Open a slide for reading; `reader.backend` says with what.

    Args:
        path: the slide file.
        backend: "auto" (the fastest that reads the file correctly) or one of `BACKENDS`.

    Raises:
        InputError: the file is missing, damaged, or not a slide that the backend can read.
        ValueError: no such backend.
    """
    if backend not in ("auto", *BACKENDS):
        raise ValueError(f"unknown reader backend {backend!r}, expected auto or one of {sorted(BACKENDS)}")
    return OpenSlideReader(path)
