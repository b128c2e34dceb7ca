import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from monai.bundle import ConfigParser

from scangen_bundle.bags import open_bag, write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.methods import create_method, scanner_keys
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import RunFolder, RunSettings, read_checkpoint, save_checkpoint
from scangen_bundle.share.package import package_bundle, unambiguous_names
from scangen_bundle.share.slide_model import SlideModel
from scangen_bundle.testing import make_attributes, make_bag_arrays
from tests.share.conftest import DIM, SCANNERS, predict, write_features


@pytest.fixture(scope="module")
def strict(packed):
    return SlideModel(packed[1])


def test_probability_is_the_runs(strict, trained_run):
    for row in pd.read_csv(trained_run[0] / "predictions.csv").head(3).itertuples():
        told, attention = strict(open_bag(trained_run[1] / f"{row.slide_id}.h5"), row.slide_id)
        assert told["probability"]["positive"] == pytest.approx(row.probability, abs=1e-6)
        assert attention.sum() == pytest.approx(1, abs=1e-6)
        assert told["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "problem"), [({"encoder": "uni"}, "encoder is 'uni'"), ({"mpp": 0.25}, "mpp is 0.25")]
)
def test_what_is_refused_is_a_warning_where_the_site_allows_it(packed, strict, tmp_path, changes, problem):
    write_features(tmp_path / "a.h5", "a", "scanner-1", 0, np.random.default_rng(5), **changes)
    bag = open_bag(tmp_path / "a.h5")
    with pytest.raises(InputError, match=problem):
        strict(bag, "a.h5")
    told, _ = SlideModel(packed[1], frozenset({"other_encoder", "far_from_training"}))(bag, "a.h5")
    assert problem in told["warnings"][0]
    assert 0 < told["probability"]["positive"] < 1


def test_vectors_of_another_length_are_refused_even_where_the_encoder_is_allowed(packed, tmp_path):
    features, coords = make_bag_arrays(5, 4)
    write_bag(tmp_path / "short.h5", features, coords.astype(np.int64), make_attributes())
    with pytest.raises(InputError, match="D = 4, the model takes 1280"):
        SlideModel(packed[1], frozenset({"other_encoder"}))(open_bag(tmp_path / "short.h5"), "short.h5")


SHIFT = {"scanner-1": 2.0, "scanner-2": -3.0}  # means of two scanners whose features have the spread of the target


def shifting(shifts):
    """A method that was fitted on scanners whose features lie that far from the target's."""
    method = create_method("standardise")
    method.build(DIM, 1, 2)
    method.scanners.extend(list(shifts))
    method.mean = torch.stack([torch.full((DIM,), shift) for shift in shifts.values()])
    method.deviation, method.target_deviation = torch.ones(len(shifts), DIM), torch.ones(DIM)
    return method


def standardised_run(trained_run, folder, shifts=SHIFT):
    """The run as if it had been trained on standardised features: x - 2 on scanner-1, x + 3 on scanner-2."""
    run, features = folder / "run", trained_run[1]
    shutil.copytree(trained_run[0], run)
    content = read_checkpoint(RunFolder(run).best)
    network = MaskedMILModel(num_classes=2, num_features=DIM, mil_mode="gated_att").eval()
    network.load_state_dict(content["network"])
    content["network"].update({f"method.{name}": value for name, value in shifting(shifts).state_dict().items()})
    content["meta"].update(method="standardise", method_options={}, method_transforms=True)
    settings = RunSettings.read(RunFolder(run).settings)
    RunSettings({**settings.config, "method": "standardise"}).write(RunFolder(run).settings)
    save_checkpoint(RunFolder(run).best, content)
    for name in ("val_predictions.csv", "predictions.csv"):
        table = pd.read_csv(run / name)
        table["probability"] = [
            predict(network, features / f"{row.slide_id}.h5", lambda image, shift=SHIFT[row.scanner]: image - shift)
            for row in table.itertuples()
        ]
        table.to_csv(run / name, index=False)
    return run


@pytest.fixture(scope="module")
def standardised(checkout, trained_run, tmp_path_factory):
    """(run folder, archive and network of its package)"""
    folder = tmp_path_factory.mktemp("standardised")
    run = standardised_run(trained_run, folder)
    return run, package_bundle(checkout, run, str(trained_run[1]), "egfr", folder / "dist")


def test_features_are_standardised_by_the_scanner_that_the_file_names(standardised, trained_run):
    run, package = standardised
    model = SlideModel(package.network)
    assert model.description["scanner_names"] == {name: [f"maker-{name}"] for name in SCANNERS}
    for row in pd.read_csv(run / "predictions.csv").head(4).itertuples():
        told, _ = model(open_bag(trained_run[1] / f"{row.slide_id}.h5"), row.slide_id)
        assert told["probability"]["positive"] == pytest.approx(row.probability, abs=1e-6)
        assert told["scanner"]["training_name"] == row.scanner


def test_a_slide_of_an_unknown_scanner_or_of_none_is_refused(standardised, tmp_path):
    model = SlideModel(standardised[1].network)
    write_features(tmp_path / "a.h5", "a", "scanner-3", 0, np.random.default_rng(5))
    problem = r"the scanner 'maker-scanner-3', .*knows scanner-1/maker-scanner-1, scanner-2/.* -> no result"
    with pytest.raises(InputError, match=problem):
        model(open_bag(tmp_path / "a.h5"), "a.h5")
    bag = open_bag(tmp_path / "a.h5")
    bag.attributes.pop("scanner")
    with pytest.raises(InputError, match="its file names no scanner"):
        model(bag, "a.h5")


def test_the_weights_of_the_package_are_right_by_themselves(standardised, trained_run, tmp_path):
    with zipfile.ZipFile(standardised[1].archive) as file:
        file.extractall(tmp_path)
    (bundle,) = tmp_path.iterdir()
    parser = ConfigParser(yaml.safe_load((bundle / "configs" / "inference.yaml").read_text()))
    for weights in ("model.pt", "checkpoint.pt"):
        network = parser.get_parsed_content("network_def", lazy=False).eval()
        content = torch.load(bundle / "models" / weights, weights_only=True)
        network.load_state_dict(content if weights == "model.pt" else content["network"])
        for row in pd.read_csv(standardised[0] / "predictions.csv").head(4).itertuples():
            for name in (row.scanner, f"maker-{row.scanner}"):
                image = torch.from_numpy(open_bag(trained_run[1] / f"{row.slide_id}.h5").rows())[None]
                with torch.no_grad():
                    logits = network(image, None, scanner_keys([name]))
                assert torch.softmax(logits.double(), 1)[0, 1].item() == pytest.approx(row.probability, abs=1e-6)
        with pytest.raises(RuntimeError, match="call it with the scanner"):
            network(image)
    assert "- Method: standardise; it needs to know the scanner" in (bundle / "docs" / "model_card.md").read_text()


def test_a_name_that_two_scanners_have_in_their_files_stands_for_neither():
    names = {"a": ["maker 1", "maker"], "b": ["maker"], "c": []}
    assert unambiguous_names(names) == {"maker 1": "a"}


def test_a_scanner_held_out_is_known_by_the_name_in_its_files(checkout, trained_run, tmp_path):
    run, features = standardised_run(trained_run, tmp_path, {**SHIFT, "scanner-3": 2.0}), tmp_path / "features"
    shutil.copytree(trained_run[1], features)
    write_features(features / "p0-scanner-3.h5", "p0-scanner-3", "scanner-3", 0, np.random.default_rng(5))
    splits = pd.read_csv(run / "splits.csv")
    held_out = splits[splits.slide_id == "p0-scanner-1"].assign(
        slide_id="p0-scanner-3", scanner="scanner-3", split="excluded"
    )
    pd.concat([splits, held_out]).to_csv(run / "splits.csv", index=False)
    model = SlideModel(package_bundle(checkout, run, str(features), "egfr", tmp_path / "dist").network)
    told, _ = model(open_bag(features / "p0-scanner-3.h5"), "p0-scanner-3")
    network = MaskedMILModel(num_classes=2, num_features=DIM, mil_mode="gated_att").eval()
    network.load_state_dict(read_checkpoint(RunFolder(trained_run[0]).best)["network"])
    expected = predict(network, features / "p0-scanner-3.h5", lambda image: image - 2.0)
    assert told["probability"]["positive"] == pytest.approx(expected, abs=1e-6)
    assert not told["scanner"]["known_to_training"]
