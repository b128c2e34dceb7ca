"""Record what the pipeline gives on a small phantom, and compare a later run with the record, byte for byte.

    python scripts/reference.py record  outputs/reference
    python scripts/reference.py compare outputs/reference            # all steps
    python scripts/reference.py compare outputs/reference --reuse    # with the record's slides and bags: faster

Bytes are the same on one machine and one set of libraries only, so the record is made, not shipped. Files of weights are
compared entry by entry, JSON value by value; everything else by its bytes. Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import torch

ROOT = Path(__file__).parents[1]
RUN = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run"]
# Facts about the moment of the run, not about its result.
VOLATILE = {"tiles_per_second", "seconds", "command", "created", "mtime", "path", "folder", "output_dir", "peak_mb"}


def make(folder: Path, reused: Path | None = None) -> None:
    """Run cohort, extraction, training, evaluation and encoder benchmark into `folder`.

    Args:
        folder: where to.
        reused: a folder made before, whose slides and bags are linked and not made again.
    """
    data, out = folder / "phantom", folder / "outputs"
    if reused:
        data.symlink_to(reused / "phantom")
    logging = ["--logging_file", "configs/logging.conf"]
    where = ["--dataset_dir", str(data), *logging]
    training = [
        "--output_dir",
        str(out),
        "--run_name",
        "reference",
        "--max_epochs",
        "6",
        "--unseen_scanners",
        "['scanner-6']",
    ]
    benchmark = ["--output_dir", str(out), "--resamples", "200", "--head", "{'max_epochs': 5}", "--max_places", "8"]
    benchmark += ["--encoders", "['efficientnet-lite0','colour-statistics']"]
    commands = [
        [sys.executable, "-m", "scangen_bundle.cli", "phantom", str(data), "--specimens", "12"],
        [*RUN, "extracting", "--config_file", "configs/extract_features.yaml", *where],
        [*RUN, "training", "--config_file", "configs/train.yaml", *where, *training],
        [*RUN, "evaluating", "--config_file", "configs/evaluate.yaml", *logging, "--run_dir", str(out / "reference")],
        [*RUN, "benchmarking", "--config_file", "configs/benchmark.yaml", *where, *benchmark],
    ]
    for command in commands[2:] if reused else commands:
        print("$", " ".join(command), flush=True)
        subprocess.run(command, cwd=ROOT, check=True)


def read(folder: Path) -> dict[str, Any]:
    """What is compared: a digest or a value by name."""
    run = folder / "outputs" / "reference"
    facts: dict[str, Any] = {}
    for path in sorted((folder / "phantom" / "features").rglob("*.h5")):
        facts[f"bag {path.parent.name}/{path.stem}"] = bag_digest(path)
    for name in ("splits.csv", "val_predictions.csv", "predictions.csv"):
        facts[name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    content = torch.load(run / "models" / "best.pt", weights_only=True)
    for name, tensor in sorted(content["network"].items()):
        facts[f"weights {name}"] = hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
    facts.update(flat("metrics.json", json.loads((run / "metrics.json").read_text())))
    results = folder / "outputs" / "benchmark" / "results.json"
    facts.update(flat("results.json", json.loads(results.read_text())))
    return facts


def bag_digest(path: Path) -> str:
    """Digest of features and coordinates."""
    digest = hashlib.sha256()
    with h5py.File(path) as file:
        for name in ("features", "coords"):
            digest.update(file[name][:].tobytes())
    return digest.hexdigest()


def flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Leaves of a JSON document by their path."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key not in VOLATILE:
                yield from flat(f"{name} > {key}", entry)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from flat(f"{name} > {index}", entry)
    else:
        yield name, value


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each fact that differs, is gone or is new."""
    lines = [f"- {name}" for name in before if name not in after]
    lines += [f"+ {name}" for name in after if name not in before]
    for name in before:
        if name in after and before[name] != after[name]:
            lines.append(f"! {name}: {before[name]} -> {after[name]}{distance(before[name], after[name])}")
    return lines


def distance(one: Any, other: Any) -> str:
    """How far two numbers are apart, in words; nothing for other values."""
    if isinstance(one, float) and isinstance(other, float) and not math.isnan(one):
        return f" ({other - one:+.2g})"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("folder", type=Path, help="where the record is kept; `facts.json` in it")
    parser.add_argument("--show", type=int, default=40, help="differences to print")
    parser.add_argument("--reuse", action="store_true", help="compare with the record's slides and bags")
    options = parser.parse_args()
    record = options.folder.resolve() / "facts.json"
    if options.what == "record":
        if options.folder.exists():
            parser.error(f"{options.folder} is there; remove it to record anew")
        make(record.parent)
        facts = read(record.parent)
        record.write_text(json.dumps(facts, indent=1))
        print(f"recorded {len(facts)} facts in {record}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        make(Path(temporary), record.parent if options.reuse else None)
        facts = read(Path(temporary))
    lines = compare(json.loads(record.read_text()), json.loads(json.dumps(facts)))
    print("\n".join(lines[: options.show]))
    print(f"{len(facts)} facts, {len(lines)} differ" if lines else f"all {len(facts)} facts are the same")
    sys.exit(bool(lines))


if __name__ == "__main__":
    main()
