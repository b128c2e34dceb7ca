"""The library's own files as they were committed: what is packed has a version and a commit."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scangen_bundle.errors import InputError, some

PACKED = ("scangen_bundle", "configs", "docs", "scripts", "models/README.md", "LICENSE", "requirements.txt")


@dataclass(frozen=True)
class Source:
    """Where the packed code comes from.

    Attributes:
        root: of the checkout.
        version: of the bundle.
        commit: full id.
        time: of the commit, ISO 8601.
        files: paths below `root` that are packed.
    """

    root: Path
    version: str
    commit: str
    time: str
    files: tuple[str, ...]

    def read(self) -> dict[str, bytes]:
        """Content by path."""
        return {name: (self.root / name).read_bytes() for name in self.files}


def _git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        problem = f"git cannot tell the version: {str(said).strip()}"
        raise InputError(root, problem, "pack from a git checkout of the bundle") from error
    return result.stdout


def read_source(root: Path) -> Source:
    """The committed source at `root`.

    Raises:
        InputError: no git checkout, uncommitted changes in what would be packed, or a version that the changelog in
            `configs/metadata.json` does not know.
    """
    if Path(_git(root, "rev-parse", "--show-toplevel").strip()).resolve() != root.resolve():
        raise InputError(root, "is not the top folder of a git checkout", "pack from a git checkout of the bundle")
    changed = _git(root, "status", "--porcelain", "--", *PACKED).splitlines()
    if changed:
        named = some([line[3:] for line in changed])
        raise InputError(root, f"{len(changed)} files are not committed: {named}", "commit or remove them, pack again")
    metadata = json.loads((root / "configs" / "metadata.json").read_text("utf-8"))
    version = metadata.get("version", "")
    if not version or version not in metadata.get("changelog", {}):
        problem = f"version {version!r} is not in the changelog"
        raise InputError(root / "configs" / "metadata.json", problem, "say there what this version changes")
    commit, time = _git(root, "log", "-1", "--format=%H %cI").split()
    files = _git(root, "ls-files", "-z", "--", *PACKED).split("\0")
    return Source(root, version, commit, time, tuple(sorted(filter(None, files))))
