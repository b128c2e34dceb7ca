"""A training run as a bundle that runs anywhere: `<name>_v<version>.zip`, and its network alone as `.ts`."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from monai.bundle import ConfigParser

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.measures.predictions import BETWEEN
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, RunSettings, load_weights
from scangen_bundle.share.archive import write_archive
from scangen_bundle.share.card import model_card
from scangen_bundle.share.export import DESCRIPTION, export_torchscript
from scangen_bundle.share.reference import REFERENCE_FILE, build_reference
from scangen_bundle.share.source import Source, read_source
from scangen_bundle.share.trained_run import TrainedRun, names_of_scanners, read_trained_run, validate_again

LARGE = 25 * 2**20  # the zoo's limit; larger files are hosted elsewhere and named in large_files.yml
NOT_STATED = "not stated by whoever packed this network"


@dataclass(frozen=True)
class Package:
    """The two files of a packed run."""

    archive: Path
    network: Path


def package_bundle(
    root: Path,
    run_folder: Path,
    features_dir: str | None,
    task: str,
    out: Path,
    level: float = 0.9,
    data_source: str = "",
) -> Package:
    """Pack a run. The same commit, run and features give the same bytes.

    Args:
        root: the bundle's git checkout.
        run_folder: of a training that was evaluated.
        features_dir: bags of the validation patients, for the numbers that come with each result; None takes the run's.
        task: names the bundle, `scangen_<task>`.
        out: folder to write to.
        level: of the prediction sets.
        data_source: the slides that the run learnt from and was tested on, in a sentence; "" says that nobody stated them.

    Raises:
        InputError: a level that is no share, uncommitted or unknown source, an encoder that does not allow it, a run without
            held-out metrics.
    """
    if not re.fullmatch(r"[a-z0-9_]+", task):
        raise InputError("task", f"is {task!r}", "use lower case letters, digits and _")
    if not 0 < level < 1:
        raise InputError("level", f"of the prediction sets is {level:g}, expected a share between 0 and 1", "give 0.9")
    source, run = read_source(root), read_trained_run(run_folder)
    features_dir = features_dir or run.settings["features_dir"]
    name = f"scangen_{task}"
    config = packed_config((root / "configs" / "inference.yaml").read_text("utf-8"), run)
    network = build_network(config, run)
    validation, features = validate_again(run, network, features_dir)
    scanner_names = names_of_scanners(run, network.method, features_dir)
    network.method.alias(unambiguous_names(scanner_names))
    reference = build_reference(validation, run.meta["class_names"], run.threshold, level)
    metadata = json.loads((root / "configs" / "metadata.json").read_text("utf-8"))
    metadata = packed_metadata(metadata, task, data_source, source, run)
    stem = f"{name}_v{source.version}"
    description = {
        "name": name,
        "task": task,
        "class_names": run.meta["class_names"],
        "num_features": run.meta["num_features"],
        "training_scanners": run.meta["training_scanners"],
        "features": features,
        "method": network.method.name,
        "scanner_names": scanner_names,
    }
    numbers = json.dumps(reference.to_json(), allow_nan=False).encode()
    embedded = {**metadata, "timestamp": source.time, DESCRIPTION: description}
    exported = export_torchscript(network, embedded, {REFERENCE_FILE: numbers})
    files = source.read()
    files["configs/inference.yaml"] = config.encode()
    # MONAI's `bundle.load` looks for JSON only.
    files["configs/inference.json"] = (json.dumps(yaml.safe_load(config), indent=1) + "\n").encode()
    files["configs/metadata.json"] = (json.dumps(metadata, indent=2, ensure_ascii=False) + "\n").encode()
    files["docs/model_card.md"] = model_card(metadata, run, reference, network.method).encode()
    weights = network.state_dict()  # with the names in slide files that the method has taken in
    files["models/model.pt"] = _saved(weights)
    files["models/checkpoint.pt"] = _saved({"network": weights, "meta": run.meta})
    files["models/model.ts"] = exported
    files[f"models/{REFERENCE_FILE}"] = numbers
    if large := [path for path, content in files.items() if len(content) > LARGE]:
        raise InputError(large[0], "is over 25 MB, too large for the zoo", "host it, and name it in large_files.yml")
    package = Package(out / f"{stem}.zip", out / f"{stem}.ts")
    write_archive(package.archive, {f"{name}/{path}": content for path, content in files.items()})
    with write_atomically(package.network) as temporary:
        temporary.write_bytes(exported)
    return package


def unambiguous_names(scanner_names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The names in slide files, each with the one scanner that it is of; names that several scanners share are left out."""
    owners: dict[str, list[str]] = {}
    for scanner, names in scanner_names.items():
        for name in names:
            owners.setdefault(name, []).append(scanner)
    return {name: scanners[0] for name, scanners in owners.items() if len(scanners) == 1}


def packed_config(text: str, run: TrainedRun) -> str:
    """`configs/inference.yaml` with the run's own values in place of its questions to the run folder, comments kept.

    Args:
        text: of the config.
        run: whose values; a method that only had terms of the loss is not needed any more, and is packed as plain.
    """
    settings = run.settings
    if not run.meta.get("method_transforms"):
        settings = RunSettings({**settings.config, "method": "plain", "method_options": {}})
    entries: dict[str, Any] = {
        "dataset_dir": "$@bundle_root + '/data'",
        "plugins": [],
        "encoder_name": settings["encoder_name"],
        "num_features": settings["num_features"],
        "class_names": list(settings["class_names"]),
        "task": settings["task"],
        "manifest_path": "$@dataset_dir + '/manifest.csv'",
        "features_dir": "$@dataset_dir + '/features/' + @encoder_name",
        "allow_outside": False,
        "checkpoint": "$@bundle_root + '/models/checkpoint.pt'",
        "network_def": settings.definition("network_def"),
    }
    written = {name: yaml.safe_dump({name: entry}, sort_keys=False, width=120) for name, entry in entries.items()}
    for name, entry in {**written, "stored": ""}.items():
        text, count = re.subn(rf"(?m)^{name}: .*\n", lambda _, entry=entry: entry, text)  # type: ignore[misc]
        if count != 1:
            raise InputError("configs/inference.yaml", f"has {count} lines '{name}: ...', expected one", "put it back")
    return text


def build_network(config: str, run: TrainedRun) -> MaskedMILModel:
    """The network of the packed inference config with the run's weights, in eval mode.

    Raises:
        InputError: the config makes another architecture than the run's.
    """
    network = ConfigParser(yaml.safe_load(config)).get_parsed_content("network_def")
    load_weights(network, RunFolder(run.folder).best)
    return network.eval()


def packed_metadata(
    metadata: dict[str, Any], task: str, data_source: str, source: Source, run: TrainedRun
) -> dict[str, Any]:
    """`configs/metadata.json` with the run's task, data, figures, encoder and classes, and the commit."""
    definitions = run.metrics["definitions"]
    shown = {name for name, words in definitions.items() if words["headline"] or words["summary"]}
    figures = {
        key: figure["value"]
        for key, figure in run.metrics["figures"].items()
        if key.partition("/")[0] in shown and BETWEEN not in key and figure["value"] is not None
    }
    spec, classes = run.encoder, list(run.meta["class_names"])
    channels = {str(c): label for c, label in enumerate(classes)}
    data_format = json.loads(json.dumps(metadata["network_data_format"]))
    data_format["inputs"]["image"]["spatial_shape"] = [run.meta["num_features"]]
    data_format["outputs"]["pred"].update(num_channels=len(classes), channel_def=channels)
    return {
        **metadata,
        "task": f"{task}: slide-level classification, robust to the scanner",
        "data_source": data_source or NOT_STATED,
        "commit": source.commit,
        "eval_metrics": figures,
        "label_classes": ", ".join(f"{c}: {label}" for c, label in channels.items()),
        "encoder": {
            "name": spec.name,
            "revision": spec.revision,
            "licence": spec.licence,
            "source": spec.url,
            "trained_on": spec.domain,
        },
        "training_scanners": list(run.meta["training_scanners"]),
        "network_data_format": data_format,
        "notice": RESEARCH_USE_ONLY,
    }


def _saved(content: dict[str, Any]) -> bytes:
    """A torch file; its bytes depend on the content alone."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
