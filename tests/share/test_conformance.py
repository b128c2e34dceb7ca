"""The packed bundle where nothing of the repository is: MONAI's own commands, inference, the zoo's checks, publishing."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from scangen_bundle.bags import open_bag
from scangen_bundle.share.package import LARGE
from tests.share.conftest import run_python

SCRIPT = Path(__file__).with_name("in_bundle.py").read_text()


@pytest.fixture(scope="module")
def bundle(packed, tmp_path_factory):
    copy = tmp_path_factory.mktemp("conformance") / "scangen_egfr"
    shutil.copytree(packed[2], copy)
    return copy


@pytest.fixture(scope="module")
def table(trained_run):
    """Predictions of the run on its test scans."""
    return pd.read_csv(trained_run[0] / "predictions.csv")


@pytest.fixture(scope="module")
def example(trained_run, table):
    """Features [1, N, D] of the first test scan."""
    return torch.from_numpy(open_bag(trained_run[1] / f"{table.slide_id[0]}.h5").rows())[None]


@pytest.fixture(scope="module")
def results(bundle, trained_run, table, example, tmp_path_factory):
    """Folder of what `in_bundle.py` left."""
    data, folder = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("results")
    shutil.copytree(trained_run[1], data / "features")
    manifest = table.drop(columns="probability").assign(label="")
    manifest["features_path"] = [f"features/{name}.h5" for name in table["slide_id"]]
    manifest.to_csv(data / "manifest.csv", index=False)
    torch.save(example, folder / "image.pt")
    done = run_python("-c", SCRIPT, data, folder, cwd=bundle)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def step(results):
    """Gives a step's value and what it printed, or fails with its traceback."""
    said = json.loads((results / "steps.json").read_text())

    def get(name):
        assert not said[name]["error"], said[name]["error"] + said[name]["output"]
        return said[name]["value"], said[name]["output"]

    return get


def test_the_code_is_the_bundles_own(step, bundle):
    assert Path(step("code")[0]) == bundle / "scangen_bundle" / "__init__.py"


def test_metadata_follow_monais_schema(packed, real_data, tmp_path):
    from monai.bundle import verify_metadata

    schema = tmp_path / "schema.json"  # a file that is there is not downloaded
    shutil.copy(real_data / "reference" / "meta_schema_20240725.json", schema)
    verify_metadata(meta_file=str(packed[2] / "configs" / "metadata.json"), filepath=str(schema))
    broken = json.loads((packed[2] / "configs" / "metadata.json").read_text())
    del broken["network_data_format"]
    (tmp_path / "broken.json").write_text(json.dumps(broken))
    with pytest.raises(ValueError, match="network_data_format"):
        verify_metadata(meta_file=str(tmp_path / "broken.json"), filepath=str(schema))


def test_network_takes_and_gives_what_the_metadata_say(step):
    assert "data shape of network is verified with no error" in step("verify_net_in_out")[1]


def test_checkpoint_exports_to_torchscript(step, bundle, table, example):
    step("ckpt_export")
    network = torch.jit.load(bundle / "models" / "exported.ts").eval()
    with torch.no_grad():
        positive = torch.softmax(network(example).double(), 1)[0, 1].item()
    assert positive == pytest.approx(table.probability[0], abs=1e-6)


def test_checkpoint_exports_to_onnx(step, bundle, table, example):
    import onnxruntime

    step("onnx_export")
    session = onnxruntime.InferenceSession(str(bundle / "models" / "model.onnx"))
    (logits,) = session.run(None, {session.get_inputs()[0].name: example.numpy()})
    positive = np.exp(logits[0, 1]) / np.exp(logits[0]).sum()
    assert positive == pytest.approx(table.probability[0], abs=1e-5)


def test_inference_gives_the_runs_predictions(step, results, table):
    step("run")
    (found,) = (results / "out").rglob("predictions.csv")
    result = pd.read_csv(found).set_index("slide_id")["probability"]
    np.testing.assert_allclose(result[table["slide_id"]], table["probability"], atol=1e-6)


def test_monai_loads_network_and_torchscript(step, table):
    value, _ = step("load")
    assert value["network"] == pytest.approx(table.probability[0], abs=1e-6)
    assert value["scripted"] == pytest.approx(table.probability[0], abs=1e-6)
    assert value["name"].startswith("ScanGen")


def test_monai_makes_the_inference_workflow(step, bundle):
    value, _ = step("create_workflow")
    assert value["missing"] == []
    assert value["version"] == json.loads((bundle / "configs" / "metadata.json").read_text())["version"]


def test_folder_is_as_the_zoo_checks_it(packed):
    """The checks of the model zoo's `ci/verify_bundle.py` that are about files; the others are MONAI's commands above."""
    bundle = packed[2]
    for name in ("configs/metadata.json", "LICENSE", "models/model.pt", "configs/inference.json", "docs/README.md"):
        assert (bundle / name).is_file(), name
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["version"] in metadata["changelog"]
    torch.jit.load(bundle / "models" / "model.ts")
    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert max(path.stat().st_size for path in bundle.rglob("*") if path.is_file()) <= LARGE


def test_configs_have_the_zoos_keys(packed):
    """Of the zoo's CONTRIBUTING, "Preferred Files and Keys"."""
    from monai.bundle import ConfigParser

    keys = {
        "inference": [
            "bundle_root",
            "device",
            "network_def",
            "inferer",
            "output_dir",
            "preprocessing",
            "postprocessing",
        ],
        "train": [
            *("bundle_root", "device", "dataset_dir", "output_dir", "val_interval", "train#trainer#max_epochs"),
            *(
                "train#dataset#data",
                "train#handlers",
                "validate#evaluator",
                "validate#handlers",
                "validate#dataset#data",
            ),
            *(
                f"{part}#{key}"
                for part in ("train", "validate")
                for key in ("preprocessing", "postprocessing", "inferer", "key_metric")
            ),
        ],
    }
    for name, wanted in keys.items():  # train is the last
        parser = ConfigParser()
        parser.read_config(packed[2] / "configs" / f"{name}.yaml")
        missing = [key for key in wanted if key not in parser]
        assert not missing, name
    assert parser.get(reference_of(parser, "ValidationHandler"))["interval"] == "@val_interval"


def reference_of(parser, target):
    """The entry, listed by train#handlers, whose class has this name."""
    names = [handler.removeprefix("@") for handler in parser["train"]["handlers"][0]["handlers"]]
    return next(name for name in names if parser[name]["_target_"].endswith(target))


class FakeHub:
    """Hugging Face's API at its boundary: notes what would be sent."""

    def __init__(self, token=None):
        self.calls = {"token": token}
        FakeHub.last = self

    def create_repo(self, **options):
        self.calls["create_repo"] = options

    def upload_folder(self, repo_id, folder_path):
        self.calls["upload_folder"] = repo_id
        root = Path(folder_path)
        self.files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        return f"https://hub.example/{repo_id}"

    def create_tag(self, repo_id, tag, exist_ok):
        self.calls.setdefault("tags", []).append(tag)


def test_push_to_hugging_face_sends_the_whole_bundle(packed, tmp_path, monkeypatch):
    import huggingface_hub
    from monai.bundle import push_to_hf_hub

    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    shutil.copytree(packed[2], tmp_path / "scangen_egfr")
    url = push_to_hf_hub(
        "somebody/scangen_egfr", "scangen_egfr", str(tmp_path), token="secret", version="0.1.0", private=False
    )
    assert url == "https://hub.example/somebody/scangen_egfr"
    hub = FakeHub.last
    assert hub.calls == {
        "token": "secret",
        "create_repo": {"repo_id": "somebody/scangen_egfr", "private": False, "exist_ok": True},
        "upload_folder": "somebody/scangen_egfr",
        "tags": ["0.1.0"],
    }
    card = hub.files.pop("README.md").decode()
    assert card.startswith("---\ntags:\n- monai\n- medical\nlibrary_name: monai\nlicense: apache-2.0\n---")
    assert "Research use only" in card
    sent = {str(path.relative_to(packed[2])): path.read_bytes() for path in packed[2].rglob("*") if path.is_file()}
    assert hub.files == sent


def test_a_published_bundle_is_found_and_unpacked(packed, tmp_path, monkeypatch):
    """`get_bundle_info` and `download` of a release that holds our archive; the network's place is taken at its boundary."""
    import requests
    from monai.bundle import download, get_bundle_info

    entry = {packed[0].stem: {"checksum": "", "source": packed[0].as_uri()}}  # models/model_info.json of the zoo
    asked = []

    def get(url, headers=None):
        asked.append(url)
        return SimpleNamespace(text=json.dumps(entry), raise_for_status=lambda: None)

    monkeypatch.setattr(requests, "get", get)
    info = get_bundle_info("scangen_egfr", version="0.1.0", repo="somebody/model-zoo", tag="dev")
    assert asked == ["https://raw.githubusercontent.com/somebody/model-zoo/dev/models/model_info.json"]
    assert info["name"] == "scangen_egfr_v0.1.0"
    download("scangen_egfr", url=info["browser_download_url"], bundle_dir=str(tmp_path), progress=False)
    assert (tmp_path / "scangen_egfr" / "configs" / "metadata.json").is_file()
