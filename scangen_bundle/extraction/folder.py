"""The files of a folder of bags: whoever reads or writes one asks here for its name.

Files that slides name and files of ours never share a name: bags end in `.h5`, pictures lie in `tissue/`, and locks of slides
lie in a folder of their own.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class BagFolder:
    """The places of a folder of bags.

    Args:
        path: of the folder; it need not exist.

    Attributes:
        failures: table of the slides that failed.
        slides: table of the finished scans.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.failures = self.path / "failures.csv"
        self.slides = self.path / "slides.csv"
        self._pictures = self.path / "tissue"
        self._locks = self.path / ".locks"

    def bag(self, slide_id: str) -> Path:
        """The bag of a slide."""
        return self.path / f"{slide_id}.h5"

    def picture(self, slide_id: str) -> Path:
        """The picture of a slide's tissue and tiles."""
        return self._pictures / f"{slide_id}.jpg"

    def slide_lock(self, slide_id: str) -> Path:
        """The lock of a slide's bag."""
        return self._locks / "slides" / f"{slide_id}.lock"

    def job(self, digest: str, shards: int, name: str) -> Path:
        """The lock by which a job shows itself: what it asks for, as a digest, and of how many shards it makes one."""
        return self._locks / "jobs" / f"{digest}.{shards}.{name}.job"

    def jobs(self) -> list[Path]:
        """The locks of the jobs that are at work here, and of jobs that died."""
        return sorted((self._locks / "jobs").glob("*.job"))

    def read_job(self, lock: Path) -> tuple[str, int]:
        """The digest and the number of shards of `job`."""
        digest, shards, _ = lock.name.split(".", 2)
        return digest, int(shards)

    @property
    def tables_lock(self) -> Path:
        """The lock of the tables."""
        return self._locks / "tables.lock"

    def leftovers(self) -> dict[str, list[Path]]:
        """Temporary bags and pictures by slide: those of other jobs, and those that killed jobs left behind."""
        by_slide: dict[str, list[Path]] = {}
        for path in (*self.path.glob(".*.tmp.h5"), *self._pictures.glob(".*.tmp.jpg")):
            slide_id = path.name[1:].rsplit(".", 3)[0]
            by_slide.setdefault(slide_id, []).append(path)
        return by_slide

    def remove_locks(self) -> None:
        """Remove the folders of locks, unless another job is using them."""
        with suppress(OSError):
            for folder in (self._locks / "slides", self._locks / "jobs", self._locks):
                if folder.is_dir():
                    folder.rmdir()
