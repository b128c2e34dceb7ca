"""The validation numbers of a network, for statements about new slides: packed with it, or made from its run folder."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, RunSettings, load_weights, read_checkpoint, read_predictions
from scangen_bundle.runs.evaluation import choose_threshold
from scangen_bundle.share.reference import REFERENCE_FILE, SiteReference, build_reference
from scangen_bundle.share.trained_run import TrainedRun, validate_again


@dataclass(frozen=True)
class KnownOfNetwork:
    """What is known of a network besides its weights.

    Attributes:
        threshold: of the probability of class 1, for two classes; None: the largest probability wins.
        reference: its validation numbers; None where they cannot be made.
        problem: why not.
    """

    threshold: float | None
    reference: SiteReference | None
    problem: str = ""


def read_reference(checkpoint: str | Path) -> KnownOfNetwork:
    """The validation numbers of a checkpoint.

    They lie beside it, where it was packed or where they were made before. Otherwise they are made, from the run folder that
    the checkpoint is in and from the bags of its validation patients, and written there.

    Args:
        checkpoint: `<run>/models/best.pt`, or `models/checkpoint.pt` of a packed bundle.

    Returns:
        Without a reference where the bags are not here any more, or the validation patients are too few.
    """
    checkpoint = Path(checkpoint)
    path = checkpoint.parent / REFERENCE_FILE
    if path.is_file() and path.stat().st_mtime >= checkpoint.stat().st_mtime:
        reference = SiteReference.from_json(json.loads(path.read_text("utf-8")))
        return KnownOfNetwork(reference.threshold, reference)
    folder = RunFolder(checkpoint.parent.parent)
    if not folder.val_predictions.is_file():
        return KnownOfNetwork(None, None, f"{folder.val_predictions} is missing")
    run = _validated_run(folder)
    threshold = None
    if len(run.meta["class_names"]) == 2:
        threshold, _, _ = choose_threshold(run.validation, folder.val_predictions)
    try:
        network = run.settings["network_def"]
        assert isinstance(network, MaskedMILModel)
        load_weights(network, checkpoint)
        validation, _ = validate_again(run, network.eval(), run.settings["features_dir"])
        reference = build_reference(validation, run.meta["class_names"], threshold)
    except (InputError, ValueError) as error:
        return KnownOfNetwork(threshold, None, str(error))
    with contextlib.suppress(OSError), write_atomically(path) as temporary:  # of a run that may not be written to
        temporary.write_text(json.dumps(reference.to_json(), allow_nan=False), "utf-8")
    return KnownOfNetwork(threshold, reference)


def _validated_run(folder: RunFolder) -> TrainedRun:
    """The run without metrics of test patients: it need not be evaluated, nor fit to be given away."""
    content = read_checkpoint(folder.best)
    meta = content["meta"]
    validation = read_predictions(folder.val_predictions)
    if "label" in validation:
        validation["label"] = [-1 if math.isnan(label) else int(label) for label in validation["label"]]
    settings = RunSettings.read(folder.settings)
    name = str(meta["encoder"])
    encoder = ENCODERS[name].spec if name in ENCODERS else next(iter(ENCODERS.values())).spec
    return TrainedRun(folder.path, content["network"], meta, settings, {}, validation, encoder)
