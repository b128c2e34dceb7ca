"""MONAI's own commands on the packed bundle."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from scangen_bundle.features import open_bag
from tests.share.conftest import run_python


@pytest.fixture(scope="module")
def bundle(packed, tmp_path_factory):
    copy = tmp_path_factory.mktemp("conformance") / "scangen_egfr"
    shutil.copytree(packed[2], copy)
    return copy


@pytest.fixture(scope="module")
def example(trained_run):
    """Features [1, N, D] of a test scan, and its probability."""
    row = pd.read_csv(trained_run[0] / "predictions.csv").iloc[0]
    return torch.from_numpy(open_bag(trained_run[1] / f"{row.slide_id}.h5").rows())[None], row.probability


FILES = ["--meta_file", "configs/metadata.json", "--config_file", "configs/inference.yaml"]


@pytest.fixture
def data(trained_run, tmp_path):
    """A data folder with a manifest of the test scans."""
    table = pd.read_csv(trained_run[0] / "predictions.csv")
    shutil.copytree(trained_run[1], tmp_path / "features")
    table["features_path"] = [f"features/{name}.h5" for name in table["slide_id"]]
    table.drop(columns="probability").to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


def test_metadata_follow_monais_schema(bundle, real_data):
    pytest.importorskip("jsonschema")
    from monai.bundle import verify_metadata

    schema = bundle / "eval" / "schema.json"
    schema.parent.mkdir()
    shutil.copy(real_data / "reference" / "meta_schema_20240725.json", schema)
    verify_metadata(meta_file=str(bundle / "configs" / "metadata.json"), filepath=str(schema))


def test_network_takes_and_gives_what_the_metadata_say(bundle):
    done = run_python("-m", "monai.bundle", "verify_net_in_out", "--net_id", "network_def", *FILES, cwd=bundle)
    assert done.returncode == 0, done.stderr
    assert "verified with no error" in done.stderr + done.stdout


def test_checkpoint_exports_to_torchscript(bundle, example):
    command = ["-m", "monai.bundle", "ckpt_export", "--net_id", "network_def", "--filepath", "models/exported.ts"]
    done = run_python(*command, "--ckpt_file", "models/model.pt", *FILES, cwd=bundle)
    assert done.returncode == 0, done.stderr
    network = torch.jit.load(bundle / "models" / "exported.ts").eval()
    with torch.no_grad():
        assert torch.softmax(network(example[0]).double(), 1)[0, 1].item() == pytest.approx(example[1], abs=1e-6)


def test_checkpoint_exports_to_onnx(bundle, example):
    import onnxruntime

    command = ["-m", "monai.bundle", "onnx_export", "--net_id", "network_def", "--filepath", "models/model.onnx"]
    dynamic = (
        "{'dynamic_axes': {'image': {1: 'tiles'}}, 'input_names': ['image'], 'output_names': ['pred'], 'dynamo': False}"
    )
    options = ["--input_shape", "[1,7,1280]", "--use_trace", "True", "--converter_kwargs", dynamic]
    done = run_python(*command, "--ckpt_file", "models/model.pt", *FILES, *options, cwd=bundle)
    assert done.returncode == 0, done.stderr
    session = onnxruntime.InferenceSession(str(bundle / "models" / "model.onnx"))
    (logits,) = session.run(None, {session.get_inputs()[0].name: example[0].numpy()})
    positive = np.exp(logits[0, 1]) / np.exp(logits[0]).sum()
    assert positive == pytest.approx(example[1], abs=1e-5)


def test_monai_loads_network_and_workflow(bundle, example, data):
    from monai.bundle import create_workflow, load

    network = load("scangen_egfr", bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu")
    with torch.no_grad():
        assert torch.softmax(network.eval()(example[0]).double(), 1)[0, 1].item() == pytest.approx(example[1], abs=1e-6)
    scripted, metadata, _ = load("scangen_egfr", bundle_dir=str(bundle.parent), load_ts_module=True, device="cpu")
    with torch.no_grad():
        assert scripted(example[0])[0, 1].item() == pytest.approx(example[1], abs=1e-6)
    assert metadata["name"].startswith("ScanGen")
    config = str(bundle / "configs" / "inference.yaml")
    workflow = create_workflow(
        config_file=config, workflow_type="inference", bundle_root=str(bundle), dataset_dir=str(data)
    )
    assert workflow.check_properties() in (None, [])
    assert workflow.version == metadata["version"]
