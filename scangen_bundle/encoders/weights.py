"""Where an encoder's weights are: a file or folder of the user, or the Hugging Face cache. Nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scangen_bundle.encoders.spec import EncoderSpec
from scangen_bundle.errors import InputError

if TYPE_CHECKING:
    import torch

DEFAULT_FILES = ("model.safetensors", "pytorch_model.bin")
# Training programs put the weights under one of these names, and their names under one of those prefixes.
WRAPPERS = ("model", "state_dict", "teacher", "model_state_dict")
PREFIXES = ("module.", "backbone.")


class Found(NamedTuple):
    """A file of weights, and which weights they are: a commit of the hub, or a checksum."""

    path: Path
    revision: str


def needed_files(spec: EncoderSpec) -> tuple[str, ...]:
    """Names of which the repository has one: the weights, or for transformers the configuration beside them."""
    if spec.library == "transformers":
        return ("config.json",)
    if spec.weights_file and spec.weights_file not in DEFAULT_FILES:
        return (spec.weights_file,)
    # Whichever format another tool has fetched: timm prefers safetensors where the repository has both.
    return DEFAULT_FILES


def how_to_get(spec: EncoderSpec) -> str:
    """The steps to get the weights of `spec`, with the gate, its terms, and the other ways."""
    if not spec.hub_id:
        return f"{spec.note} Then give the file as weights"
    gate = f"ask for access at {spec.url} and `hf auth login`, then " if spec.gated else ""
    files = f" {spec.weights_file}" if spec.weights_file else ""
    tied = f" --revision {spec.revision}" if spec.revision != "main" else ""
    return (
        f"{gate}`hf download {spec.hub_id}{files}{tied}` on a machine with a network (terms: {spec.licence}), and bring "
        "its cache here (HF_HOME) or give the file or folder as weights"
    )


def find_in_cache(spec: EncoderSpec, revision: str) -> Found | None:
    """The weights in the Hugging Face cache (`HF_HOME`), whichever way the repository's name was capitalised."""
    from huggingface_hub import constants, try_to_load_from_cache

    cache = Path(constants.HF_HUB_CACHE)
    wanted = "models--" + spec.hub_id.replace("/", "--")
    for folder in sorted(cache.glob("models--*")) if cache.is_dir() else ():
        if folder.name.lower() == wanted.lower():
            owner, name = folder.name.removeprefix("models--").split("--", 1)
            for file in needed_files(spec):
                path = try_to_load_from_cache(f"{owner}/{name}", file, cache_dir=cache, revision=revision)
                if isinstance(path, str):
                    return Found(Path(path), commit_of(Path(path)) or revision)
    return None


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
        weights: a file, or a folder with the repository's files; None looks into the Hugging Face cache.
        revision: a branch, tag or commit for the cache; None takes the spec's.

    Returns:
        The file, and the commit or checksum that identifies it.

    Raises:
        InputError: if they are not there; it says what is missing and how to get it.
    """
    where = f"encoder {spec.name!r}"
    if weights is None:
        found = find_in_cache(spec, revision or spec.revision) if spec.hub_id else None
        if found is None:
            at = f" of {spec.hub_id} at {revision or spec.revision} in the Hugging Face cache" if spec.hub_id else ""
            raise InputError(where, f"no {' or '.join(needed_files(spec)) if at else 'weights'}{at}", how_to_get(spec))
        return found
    path = Path(weights).expanduser()
    if not path.exists():
        raise InputError(where, f"weights {path} do not exist", how_to_get(spec))
    folder = path if path.is_dir() else path.parent
    if spec.library == "transformers" or path.is_dir():
        inside = [folder / file for file in needed_files(spec) if (folder / file).is_file()]
        if not inside:
            raise InputError(where, f"no {' or '.join(needed_files(spec))} in {folder}", how_to_get(spec))
        path = inside[0]
    content = [path]
    if spec.library == "transformers":
        content += sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin"))
    return Found(path, commit_of(path) or checksum_of(content))


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read names and tensors of a `.safetensors` file or a torch file, unwrapped. No code of the file is run.

    Raises:
        InputError: if the file cannot be read, or holds something else.
    """
    import torch
    from safetensors.torch import load_file

    safe = path.suffix == ".safetensors"
    try:
        content: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(path, f"cannot be read as weights: {error}", "download it again") from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(path, "holds no table of named tensors", "give a state dict")
    for prefix in PREFIXES:
        if content and all(key.startswith(prefix) for key in content):
            content = {key.removeprefix(prefix): value for key, value in content.items()}
    return content


def fill(network: torch.nn.Module, state: dict[str, torch.Tensor], spec: EncoderSpec, path: Path) -> None:
    """Put weights into a network that was built on the meta device, and refuse any that do not fit it exactly.

    Raises:
        InputError: naming what is missing, what is too much, and what has another shape.
    """
    state = {key: value for key, value in state.items() if not key.startswith(spec.ignored_keys or ("\0",))}
    own = network.state_dict()
    faults = {
        "missing": [key for key in own if key not in state],
        "unknown": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
            for key, value in own.items()
            if key in state and state[key].shape != value.shape
        ],
    }
    told = [
        f"{len(keys)} {kind} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for kind, keys in faults.items()
        if keys
    ]
    if told:
        raise InputError(path, f"not the weights of {spec.name}: {'; '.join(told)}", how_to_get(spec))
    network.load_state_dict(state, assign=True)
    # A buffer that is not part of the weights would stay empty, and give wrong vectors in silence.
    empty = [key for key, value in network.named_buffers() if value.is_meta]
    if empty:
        raise RuntimeError(f"{spec.name} computes {', '.join(empty)}: build it on a real device")
