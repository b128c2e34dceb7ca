"""Where an encoder's weights are: a file or folder of the user, or the Hugging Face cache. Nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError, some
from scangen_bundle.names import unsafe_name
from scangen_bundle.not_data import is_apple_double

DEFAULT_FILES = ("model.safetensors", "pytorch_model.bin")
ENDINGS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")


class Found(NamedTuple):
    """The files that make up the weights, the one to open first, and which they are: a commit of the hub, or a checksum."""

    files: tuple[Path, ...]
    revision: str

    @property
    def path(self) -> Path:
        return self.files[0]


def weights_names(spec: EncoderSpec) -> tuple[str, ...]:
    """Names of which the repository has one."""
    if spec.library != "transformers" and spec.weights_file not in ("", *DEFAULT_FILES):
        return (spec.weights_file,)
    # Whichever format another tool has fetched: the libraries prefer safetensors where the repository has both.
    return DEFAULT_FILES


def how_to_get(spec: EncoderSpec, revision: str | None = None) -> str:
    """The steps to get the weights of `spec`, with the gate, its terms, and the other ways.

    Args:
        spec: the encoder.
        revision: the branch, tag or commit that is asked for; None takes the spec's.
    """
    give = "give the file, or the folder that holds it, as weights"
    if not spec.hub_id:
        return f"{spec.note} Then {give}" if spec.note else f"{give}: --encoder#weights /path/to/weights.safetensors"
    revision = revision or spec.revision
    gate = f"ask for access at {spec.url} and `hf auth login`, then " if spec.gated else ""
    # transformers needs the configuration and any code beside the weights: the whole repository.
    files = f" {spec.weights_file}" if spec.weights_file and spec.library != "transformers" else ""
    tied = f" --revision {revision}" if revision != "main" else ""
    return (
        f"{gate}`hf download {spec.hub_id}{files}{tied}` on a machine with a network (terms: {spec.licence}), and bring "
        f"its cache here (HF_HOME) or {give}"
    )


def files_in(folder: Path, spec: EncoderSpec) -> tuple[Path, ...]:
    """The files of a repository's folder that make up the weights, the one to open first.

    For transformers that is the configuration, then the weights or the index of their parts with every part.

    Raises:
        LookupError: its message names what is not there.
    """
    transformers = spec.library == "transformers"
    needed = ["config.json", spec.weights_file] if transformers else []
    files = [folder / name for name in needed if name]
    for name in weights_names(spec):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            files.append(folder / name)
            break
        if transformers and index.is_file():
            files += [index, *(folder / part for part in parts_of(index))]
            break
    else:
        names = [file.name for file in files if not file.is_file()]
        raise LookupError(" and no ".join([*names, " or ".join(weights_names(spec))]))
    if absent := [file.name for file in files if not file.is_file()]:
        raise LookupError(some(absent, 3))
    return tuple(files)


def parts_of(index: Path) -> list[str]:
    """The names of the files that weights in several parts are in, by their index.

    Raises:
        InputError: if the file is not such an index, or names files outside of its folder.
    """
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        problems = [problem for problem in map(unsafe_name, names) if problem]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(index, "is no index of weights in several parts", "download it again") from error
    if problems:
        raise InputError(index, f"names a part that {problems[0]}", "download it again from a source that you trust")
    return names


def snapshots_of(hub_id: str, revision: str) -> Iterator[Path]:
    """The folders of a revision in the Hugging Face cache (`HF_HOME`), however the repository's name was capitalised.

    The hub takes any capitals, and the cache keeps those that a tool asked with: `MahmoodLab/conch` and `MahmoodLab/CONCH`.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    wanted = "models--" + hub_id.replace("/", "--")
    for folder in sorted(cache.glob("models--*")) if cache.is_dir() else ():
        if folder.name.lower() == wanted.lower():
            branch = folder / "refs" / revision
            commit = branch.read_text(encoding="utf-8").strip() if branch.is_file() else revision
            if (folder / "snapshots" / commit).is_dir():
                yield folder / "snapshots" / commit


def commit_of(path: Path) -> str | None:
    """The commit (12 digits) of a file that lies in a snapshot of the Hugging Face cache."""
    commit = re.search(r"/snapshots/([0-9a-f]{12})[0-9a-f]{28}(/|$)", path.absolute().as_posix())
    return commit and commit.group(1)


def checksum_of(files: Iterable[Path]) -> str:
    """`sha256-` and 12 digits over the contents of files."""
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as handle:
            while block := handle.read(1 << 22):
                digest.update(block)
    return f"sha256-{digest.hexdigest()[:12]}"


def find_weights(spec: EncoderSpec, weights: str | Path | None = None, revision: str | None = None) -> Found:
    """Find the weights of an encoder.

    Args:
        spec: the encoder.
        weights: a file, or a folder with the repository's files or with one file of weights; None looks into the Hugging
            Face cache.
        revision: a branch, tag or commit for the cache; None takes the spec's.

    Returns:
        The files, and the commit or checksum that identifies them.

    Raises:
        InputError: if they are not there; it says what is missing and how to get it.
    """
    if weights is None:
        return find_in_cache(spec, revision or spec.revision)
    path = Path(str(weights)).expanduser()  # a name of digits comes as a number from the command line
    if not path.exists():
        raise InputError(f"encoder {spec.name!r}", f"weights {path} do not exist", how_to_get(spec, revision))
    files = find_in_folder(spec, path) if path.is_dir() or spec.library == "transformers" else (path,)
    return Found(files, commit_of(files[0]) or checksum_of(files))


def find_in_cache(spec: EncoderSpec, revision: str) -> Found:
    """`find_weights` in the Hugging Face cache."""
    where, remedy = f"encoder {spec.name!r}", how_to_get(spec, revision)
    if not spec.hub_id:
        raise InputError(where, "no weights were given, and no repository on the hub is known for it", remedy)
    absent = "config.json" if spec.library == "transformers" else " or ".join(weights_names(spec))
    for folder in snapshots_of(spec.hub_id, revision):
        try:
            files = files_in(folder, spec)
        except LookupError as error:
            absent = str(error.args[0])
        else:
            return Found(files, commit_of(files[0]) or revision)
    raise InputError(where, f"no {absent} of {spec.hub_id} at {revision} in the Hugging Face cache", remedy)


def _is_weights_file(path: Path) -> bool:
    return path.suffix in ENDINGS and path.is_file() and not is_apple_double(path)


def find_in_folder(spec: EncoderSpec, path: Path) -> tuple[Path, ...]:
    """`find_weights` in a folder of the user; for transformers, a file stands for the folder that it lies in."""
    where, folder = f"encoder {spec.name!r}", path if path.is_dir() else path.parent
    try:
        files = files_in(folder, spec)
    except LookupError as error:
        absent = f"no {error.args[0]} in {folder}"
        if spec.library == "transformers":
            raise InputError(where, absent, how_to_get(spec)) from error
        files = tuple(sorted(file for file in folder.iterdir() if _is_weights_file(file)))
        if not files:
            raise InputError(where, f"{absent}, nor another file of weights", how_to_get(spec)) from error
        if len(files) > 1:
            several = some([file.name for file in files])
            raise InputError(where, f"{absent}, but several files of weights: {several}", "name one of them") from error
    if path.is_file() and path not in files:
        taken = some([file.name for file in files[1:]])
        raise InputError(
            where, f"transformers would read {taken} in {folder}, not {path.name}", "give that, or move it"
        )
    return files
