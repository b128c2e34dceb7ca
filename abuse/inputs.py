"""Every kind of input, damaged: reading gives what is right, or refuses in words."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abuse.child import Child
from abuse.damage import ANY, WITHOUT_CHECKSUM, Damage
from abuse.tally import Tally

SECONDS = 30.0  # for reading a small file
_EXPECTED: dict[tuple[str, str], dict[str, Any]] = {}


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: of the kind.
        pattern: of its files below the base folder.
        read: gives the content, as something whose `repr` tells it.
        damages: that its format can notice.
    """

    name: str
    pattern: str
    read: Callable[[Path], Any]
    damages: tuple[Damage, ...]


def _bag(path: Path) -> Any:
    from scangen_bundle.bags import open_bag

    bag = open_bag(path)
    return bag.rows().tobytes(), bag.coords.tobytes()


def _checkpoint(path: Path) -> Any:
    from scangen_bundle.runs.checkpoint import read_checkpoint

    content = read_checkpoint(path)
    return {name: value.numpy().tobytes() for name, value in content["network"].items()}


def _bank(path: Path) -> Any:
    from scangen_bundle.bags.virtual import read_bank

    return [array.tobytes() for array in read_bank(path)]


def _slide(path: Path) -> Any:
    from scangen_bundle.slides import open_slide

    with open_slide(str(path)) as slide:
        width, height = slide.level_dimensions[0]
        return slide.read_region(0, 0, 0, width, height).tobytes()


def _manifest(path: Path) -> Any:
    from scangen_bundle.cohort import load_manifest

    return load_manifest(str(path)).drop(columns=["slide_path", "features_path"]).to_csv()


def _predictions(path: Path) -> Any:
    from scangen_bundle.runs.predictions import read_predictions

    return read_predictions(path).to_csv()


def _metrics(path: Path) -> Any:
    from scangen_bundle.runs.evaluated import read_evaluated_run

    return read_evaluated_run(path.parent).metrics


KINDS = (
    Kind("bag", "data/features/efficientnet-lite0/*.h5", _bag, ANY),
    Kind("weights", "outputs/run/models/best.pt", _checkpoint, ANY),
    Kind("state of a training", "outputs/run/models/last.pt", _checkpoint, ANY),
    Kind("bank", "data/features/efficientnet-lite0/virtual/*.npz", _bank, ANY),
    Kind("slide", "data/slides/*.tif", _slide, WITHOUT_CHECKSUM),
    Kind("manifest", "data/manifest.csv", _manifest, WITHOUT_CHECKSUM),
    Kind("predictions", "outputs/run/predictions.csv", _predictions, WITHOUT_CHECKSUM),
    Kind("metrics", "outputs/run/metrics.json", _metrics, WITHOUT_CHECKSUM),
)


def damage_once(kind: Kind, base: Path, place: Path, rng: random.Random, row: Tally) -> None:
    """Damage one file of a kind in a copy of its folder, and read it."""
    source = rng.choice(sorted(base.glob(kind.pattern)))
    damage = rng.choice(kind.damages)
    place.mkdir(parents=True)
    if kind.name == "metrics":
        shutil.copy(source.with_name("predictions.csv"), place)
    path = place / source.name
    path.write_bytes(damage(source.read_bytes(), rng))
    if path.suffix == ".csv":
        path.write_bytes(_without_last_whole_line(path.read_bytes()))
    if (kind.name, source.name) not in _EXPECTED:
        _EXPECTED[kind.name, source.name] = _told(kind, source, place / "expected.json")
    expected = _EXPECTED[kind.name, source.name]
    given = _told(kind, path, place / "given.json")
    row.tries += 1
    if given["outcome"] == "read" and given["digest"] == expected["digest"]:
        row.right += 1
    elif given["outcome"] == "refused":
        row.refused += 1
    else:
        column = "silent" if given["outcome"] in ("read", "hang") else "tracebacks"
        row.fault(column, f"{damage.__name__} of {source.name}: {given['outcome']} {given.get('words', '')}"[:300])
    shutil.rmtree(place)


def _without_last_whole_line(content: bytes) -> bytes:
    """A table that is cut between two rows is a shorter table; one that is cut inside a row is damaged."""
    return content.rstrip(b"\n") if content.endswith(b"\n") and content.count(b"\n") > 1 else content


def _told(kind: Kind, path: Path, answer: Path) -> dict[str, Any]:
    """What reading a file in a child gives: `outcome` ("read", "refused", "error" or "hang"), and a digest or words."""

    def work() -> None:
        from scangen_bundle.errors import InputError

        try:
            told = {"outcome": "read", "digest": hashlib.sha256(repr(kind.read(path)).encode()).hexdigest()}
        except InputError as error:
            told = {"outcome": "refused", "words": str(error)}
        except BaseException as error:
            told = {"outcome": "error", "words": f"{type(error).__name__}: {error}"}
        answer.write_text(json.dumps(told))

    outcome = Child(work, answer.with_suffix(".log")).finish(SECONDS)
    if answer.is_file():
        return dict(json.loads(answer.read_text()))
    return {"outcome": "hang" if outcome.code == -14 else "error", "words": f"exit code {outcome.code}"}
