"""What is wrong is said in one message, before any work is lost."""

import h5py
import numpy as np
import pandas as pd
import pytest
from monai.bundle import ConfigParser

from scangen_bundle.errors import find_input_error


@pytest.fixture
def cohort(bundle, tmp_path):
    """A copy of the manifest that a test may spoil, with its slides elsewhere."""
    manifest = pd.read_csv(bundle.data / "manifest.csv", dtype=str)
    manifest["slide_path"] = [str(bundle.data / path) for path in manifest.slide_path]

    def write(spoil):
        table = spoil(manifest.copy())
        table.to_csv(tmp_path / "manifest.csv", index=False)
        features = bundle.data / "features" / "efficientnet-lite0"
        return (
            *("--dataset_dir", str(tmp_path), "--allow_outside", "True", "--features_dir", str(features)),
            *("--output_dir", str(tmp_path / "out")),
        )

    return write


def message(ended):
    """The one line that a user reads."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.count(lines[0].removeprefix("error: ")) == 1  # not also from Ignite's log
    return lines[0]


def without_patient(table):
    return table.drop(columns="patient_id")


def with_two_labels(table):
    table.loc[0, "label"] = str(1 - int(table.loc[0, "label"]))
    return table


@pytest.mark.parametrize(("spoil", "words"), [(without_patient, "patient_id"), (with_two_labels, "row")])
def test_a_bad_manifest_ends_training_with_one_message(bundle, cohort, spoil, words):
    ended = bundle.run("training", "configs/train.yaml", *cohort(spoil), fails=True)
    assert "manifest.csv" in message(ended)
    assert words in ended.stderr


@pytest.mark.parametrize("config", ["train.yaml", "inference.yaml"])
@pytest.mark.parametrize("name", ["../elsewhere", "/elsewhere", "..", ""])
def test_a_runs_name_that_would_leave_the_output_folder_is_refused(bundle_root, config, name):
    parser = ConfigParser(ConfigParser.load_config_file(bundle_root / "configs" / config))
    parser["run_name"] = name
    with pytest.raises(RuntimeError, match="check_name") as caught:
        parser.get_parsed_content("run_dir")
    assert str(find_input_error(caught.value)).startswith("--run_name: the name")


def test_a_missing_manifest_is_named(bundle, tmp_path):
    ended = bundle.run("training", "configs/train.yaml", "--dataset_dir", str(tmp_path / "nowhere"), fails=True)
    assert "nowhere" in message(ended)


def test_bags_of_another_length_name_both_lengths(bundle, cohort):
    options = cohort(lambda table: table)
    ended = bundle.run("training", "configs/train.yaml", *options, "--num_features", "1536", fails=True)
    assert "1280" in message(ended)
    assert "1536" in message(ended)


def test_a_bag_with_nan_is_named(bundle, cohort, tmp_path):
    def spoil(table):
        source = bundle.data / "features" / "efficientnet-lite0"
        (tmp_path / "features").mkdir()
        for slide_id in table.slide_id:
            bag = tmp_path / "features" / f"{slide_id}.h5"
            bag.write_bytes((source / bag.name).read_bytes())
            with h5py.File(bag, "r+") as file:
                file["features"][:, 3] = np.nan
        table["features_path"] = [f"features/{slide_id}.h5" for slide_id in table.slide_id]
        return table

    ended = bundle.run("training", "configs/train.yaml", *cohort(spoil), fails=True)
    assert "NaN" in message(ended)
    assert ".h5" in message(ended)


def test_a_checkpoint_of_another_architecture_is_refused(trained, tmp_path):
    ended = trained.run(
        "inferring",
        "configs/inference.yaml",
        *("--run_dir", str(trained.outputs / "scangen"), "--prediction_dir", str(tmp_path)),
        *(
            "--network_def",
            "{'_target_': 'scangen_bundle.networks.MaskedMILModel', 'num_classes': 2, 'num_features': 1280, 'mil_mode': 'att'}",
        ),
        fails=True,
    )
    assert "best.pt" in message(ended)
    assert "architecture" in message(ended)
    assert list(tmp_path.iterdir()) == []


def test_bad_slides_are_listed_and_the_others_are_extracted(bundle, tmp_path):
    manifest = pd.read_csv(bundle.data / "manifest.csv", dtype=str).head(4)
    sources = [bundle.data / path for path in manifest.slide_path]
    names = ["good.svs", "truncated.svs", "missing.svs", "text.svs"]
    (tmp_path / names[0]).write_bytes(sources[0].read_bytes())
    (tmp_path / names[1]).write_bytes(sources[1].read_bytes()[: sources[1].stat().st_size // 2])
    (tmp_path / names[3]).write_text("not a slide")
    manifest["slide_path"] = names
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    ended = bundle.run("extracting", "configs/extract_features.yaml", "--dataset_dir", str(tmp_path), fails=True)
    assert "3" in message(ended)
    (failures,) = tmp_path.rglob("failures.csv")
    assert set(pd.read_csv(failures).slide_id) == set(manifest.slide_id[1:])
    assert [path.stem for path in tmp_path.rglob("*.h5")] == [manifest.slide_id[0]]
