"""What a user of the packed bundle does, in one process (a start costs seconds). Runs in the bundle's folder, by `python -c`.

MONAI's commands are run as `python -m monai.bundle` runs them. Each step prints to its own entry of `<results>/steps.json`;
a step that fails leaves its traceback there and does not keep the next from running.
"""

import contextlib
import io
import json
import runpy
import sys
import traceback
from pathlib import Path

import torch

data, results = map(Path, sys.argv[1:3])
image = torch.load(results / "image.pt", weights_only=True)
CONFIG = ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.yaml"]
DYNAMIC = (
    "{'dynamic_axes': {'image': {1: 'tiles'}}, 'input_names': ['image'], 'output_names': ['pred'], 'dynamo': False}"
)
COMMANDS = {
    "verify_net_in_out": ["--net_id", "network_def", *CONFIG],
    "ckpt_export": ["--net_id", "network_def", "--filepath", "models/exported.ts", "--ckpt_file", "models/model.pt", *CONFIG],
    "onnx_export": [
        *("--net_id", "network_def", "--filepath", "models/model.onnx", "--ckpt_file", "models/model.pt", *CONFIG),
        *("--input_shape", "[1,7,1280]", "--use_trace", "True", "--converter_kwargs", DYNAMIC),
    ],
    "run": [
        *("inferring", "--config_file", "configs/inference.yaml"),
        *("--dataset_dir", str(data), "--output_dir", str(results / "out")),
    ],
}  # fmt: skip


def command(name):
    sys.argv = ["monai.bundle", name, *COMMANDS[name]]
    runpy.run_module("monai.bundle", run_name="__main__", alter_sys=True)


def probability(logits):
    return torch.softmax(logits.double(), 1)[0, 1].item()


def load():
    """Probabilities of the network and of the TorchScript that `monai.bundle.load` gives."""
    from monai.bundle import load

    place = {"bundle_dir": str(Path.cwd().parent), "device": "cpu"}
    network = load("scangen_egfr", workflow_type="inference", **place).eval()
    scripted, metadata, _ = load("scangen_egfr", load_ts_module=True, **place)
    with torch.no_grad():
        values = {"network": probability(network(image)), "scripted": scripted(image)[0, 1].item()}
    return {**values, "name": metadata["name"]}


def create_workflow():
    """What the inference workflow says of itself, and which of MONAI's properties it lacks."""
    from monai.bundle import create_workflow

    config = {"config_file": "configs/inference.yaml", "workflow_type": "inference", "bundle_root": "."}
    workflow = create_workflow(**config, dataset_dir=str(data))
    return {"missing": workflow.check_properties() or [], "version": workflow.version}


def code():
    """Where the library came from."""
    import scangen_bundle

    return scangen_bundle.__file__


steps = {name: lambda name=name: command(name) for name in COMMANDS}
steps.update(load=load, create_workflow=create_workflow, code=code)
said, output = {}, io.StringIO()  # one stream for all, as loggers keep the one that they were made with
with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
    for name, step in steps.items():
        value, error, start = None, "", output.tell()
        try:
            value = step()
        except (Exception, SystemExit):
            error = traceback.format_exc()
        said[name] = {"value": value, "error": error, "output": output.getvalue()[start:]}
(results / "steps.json").write_text(json.dumps(said))
