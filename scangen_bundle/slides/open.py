"""Open a slide with the reader that suits it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from scangen_bundle.errors import InputError
from scangen_bundle.names import is_remote
from scangen_bundle.not_data import refuse_apple_double
from scangen_bundle.slides.cucim_reader import CucimReader
from scangen_bundle.slides.openslide_reader import EXPORT, OpenSlideReader
from scangen_bundle.slides.reader import SlideReader, UnsupportedLayout
from scangen_bundle.slides.tiff_pyramid import DAMAGED
from scangen_bundle.slides.tifffile_reader import TifffileReader

log = logging.getLogger(__name__)

BACKENDS = {reader.backend: reader for reader in (CucimReader, OpenSlideReader, TifffileReader)}


def open_slide(path: str | os.PathLike[str], backend: str = "auto") -> SlideReader:
    """Open a slide for reading; `reader.backend` says with what.

    Args:
        path: the slide file.
        backend: "auto" (the fastest that reads the file correctly) or one of `BACKENDS`.

    Raises:
        InputError: the file is missing, damaged, or not a slide that the backend can read.
        ValueError: no such backend.
    """
    if is_remote(str(path)):
        raise InputError(path, "lies in an object store", "copy it to a disk; only extracting fetches slides by itself")
    refuse_apple_double(Path(path))
    if backend == "auto":
        return _open_fastest(path)
    if backend not in BACKENDS:
        raise ValueError(f"unknown reader backend {backend!r}, expected auto or one of {sorted(BACKENDS)}")
    return BACKENDS[backend](path)


def _open_fastest(path: str | os.PathLike[str]) -> SlideReader:
    """tifffile where it understands the pyramid as OpenSlide does, else OpenSlide.

    A layout that one of them does not know is left to the other; a file that one of them finds damaged is refused.
    """
    try:
        tiled = TifffileReader(path)
    except UnsupportedLayout as reason:
        log.debug("%s: read with openslide, because: %s", path, reason)
        try:
            return OpenSlideReader(path)
        except UnsupportedLayout as other:
            # To take the other reader is no remedy any more.
            remedy = DAMAGED if reason.remedy == DAMAGED else EXPORT
            raise InputError(path, f"{other.problem}, and {reason.problem}", remedy) from other
    try:
        whole = OpenSlideReader(path)
    except UnsupportedLayout as reason:
        log.debug("%s: read with tifffile, because: %s", path, reason)
        return tiled
    # OpenSlide does not know the levels of an OME-TIFF, which lie in sub-directories: fewer levels are no contradiction.
    same_picture = tiled.level_dimensions[0] == whole.level_dimensions[0]
    if same_picture and set(whole.level_dimensions) <= set(tiled.level_dimensions):
        log.debug("%s: read with tifffile", path)
        whole.close()
        return tiled
    log.debug("%s: read with openslide, whose levels differ from tifffile's", path)
    tiled.close()
    return whole
