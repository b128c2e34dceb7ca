"""The app as a site runs it: one process over good and bad inputs."""

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from tests.deploy_app.conftest import APP, PATIENT

DICOM = {"camelyon", "japanese", "korean"}
GOOD = {"aperio", "good_bag"} | DICOM
EARLIER = {"earlier", "someone_elses"}
REFUSED = {
    "..": "...h5: its result would have the name '..': '..' starts with a dot",
    ".": "..h5: its result would have the name '.': '.' starts with a dot",
    "ct": "is no whole-slide image",
    "eight_bit": "its PatientName is not as DICOM wants it",
    "empty_bag": "empty",
    "forbidden_date": "its PatientBirthDate is not as DICOM wants it",
    "half_file": "half_file.dcm",
    "long_name": "its PatientName is not as DICOM wants it",
    "no_orientation": "has no ImageOrientationSlide, by which a result is placed",
    "other_encoder": "encoder is 'uni'",
    "other_length": "D = 7, the model takes 1280",
    "someone_elses": "was not written by this program",
    "truncated": "truncated.svs",
    "unknown_set": "its SpecificCharacterSet 'ISO_IR 999' is not one of DICOM's",
    "two": "a study with 2 slides",
}


def test_bad_slides_are_named_and_the_others_have_results(app_run):
    done, out = app_run
    assert done.returncode == 1, done.stderr
    assert {path.name for path in out.iterdir() if path.is_dir()} == GOOD | EARLIER
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for name, problem in REFUSED.items():
        assert any(line.startswith(f"error: {name}: ") and problem in line for line in said), (name, said)
    assert len(said) == len(REFUSED)
    assert f"{len(GOOD)} of {len(GOOD) + len(REFUSED)} slides have a result" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_from_outside_deletes_nothing_and_only_results_of_the_app_are_replaced(app_run, input_folder):
    out = app_run[1]
    assert (out.parent / "beside.txt").read_text() == "must stay"
    assert (input_folder / "...h5").is_file()
    for name in EARLIER:
        assert (out / name / "note.txt").read_text() == "of an earlier run"
    assert not (out / "good_bag" / "note.txt").exists()
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []


def readable(path):
    """What a file says, unpacked; of a PNG the texts beside its pixels. Coded bytes hold any four letters by chance."""
    if path.suffix == ".png":
        return repr(Image.open(path).info).encode()
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@pytest.mark.parametrize(("name", "text"), [("japanese", "山田^太郎"), ("korean", "홍^길동")])
def test_a_patients_name_keeps_its_characters(app_run, deploy_python, name, text):
    script = "import sys, pydicom; print(pydicom.dcmread(sys.argv[1]).PatientName)"
    command = [deploy_python, "-X", "utf8", "-c", script, app_run[1] / name / "report.dcm"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout.decode().strip().endswith(text)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_dicom_result_says_in_its_title_that_the_slide_is_far_from_training(app_run, name):
    far = json.loads((app_run[1] / name / "result.json").read_text())["novelty"]["far_from_training"]
    assert far == (name != "good_bag")
    for path in (app_run[1] / name).glob("*.dcm"):
        assert (b"CAUTION: slide far from training" in path.read_bytes()) == far, path


def test_what_a_slide_says_of_its_patient_goes_into_its_dicom_results_only(app_run):
    done, out = app_run
    texts = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    texts |= {str(path): readable(path) for path in out.rglob("*") if path.is_file()}
    dicom = {name: text for name, text in texts.items() if name.endswith("camelyon/report.dcm")}
    assert len(dicom) == 1
    assert all(PATIENT["PatientName"].encode() in text for text in dicom.values())
    secrets = [*PATIENT.values(), "1947-02-03", *PATIENT["PatientName"].split("^")]
    for name, text in texts.items():
        if not name.endswith(".dcm") or Path(name).parent.name not in DICOM:
            assert [secret for secret in secrets if secret.encode().lower() in text.lower()] == [], name


def test_probability_is_that_of_the_bundle(app_run, packed_model):
    result = json.loads((app_run[1] / "good_bag" / "result.json").read_text())
    table = pd.read_csv(packed_model[1] / "predictions.csv").set_index("slide_id")
    assert abs(result["probability"]["positive"] - table.loc["p20-scanner-1", "probability"]) < 1e-6


def test_slide_has_the_probability_of_extraction_and_bundle(app_run, packed_model, real_data, tmp_path):
    """`run extracting` on the slide, then the network: nothing of the app. The app had no label and macro image."""
    from scangen_bundle.encoders import create_encoder
    from scangen_bundle.extraction import ExtractionJob
    from scangen_bundle.networks import MaskedMILModel
    from scangen_bundle.runs.checkpoint import read_checkpoint
    from tests.share.conftest import DIM, predict

    slide = real_data / "slides" / "cmu-1-small-region.svs"
    row = {
        "slide_id": "x",
        "specimen_id": "x",
        "patient_id": "x",
        "scanner": "x",
        "label": -1,
        "slide_path": str(slide),
    }
    manifest = pd.DataFrame([{**row, "features_path": "", "mpp": 0.5, "split": ""}])
    encoder = create_encoder("efficientnet-lite0")
    ExtractionJob(manifest, tmp_path, encoder, workers=1, progress=False).run()
    network = MaskedMILModel(num_classes=2, num_features=DIM, mil_mode="gated_att").eval()
    network.load_state_dict(read_checkpoint(packed_model[1] / "models" / "best.pt")["network"])
    result = json.loads((app_run[1] / "aperio" / "result.json").read_text())
    assert abs(result["probability"]["positive"] - predict(network, tmp_path / "x.h5")) < 1e-6


@pytest.mark.parametrize("name", sorted(GOOD))
def test_result_follows_its_schema(app_run, name):
    schema = json.loads((APP / "result.schema.json").read_text())
    result = json.loads((app_run[1] / name / "result.json").read_text())
    Draft202012Validator(schema).validate(result)
    assert "Research use only" in result["notice"]
    assert result["scanner"]["known_to_training"] is (name == "good_bag")
    assert (app_run[1] / name / "attention.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", sorted(GOOD))
def test_dicom_is_valid(app_run, name):
    if shutil.which("dciodvfy") is None or shutil.which("dsrdump") is None:
        pytest.skip("dciodvfy or dsrdump is not here: scripts/install_system.sh")
    files = sorted((app_run[1] / name).glob("*.dcm"))
    assert [path.name for path in files] == (["attention.dcm", "report.dcm"] if name in DICOM else ["report.dcm"])
    for path in files:
        checked = subprocess.run(["dciodvfy", path], capture_output=True, text=True)
        said = checked.stdout + checked.stderr
        assert [line for line in said.splitlines() if line.startswith(("Error", "Abort"))] == [], path.name
        assert checked.returncode == 0
    dumped = subprocess.run(["dsrdump", "+Pl", app_run[1] / name / "report.dcm"], capture_output=True, text=True)
    assert dumped.returncode == 0, dumped.stderr
    result = json.loads((app_run[1] / name / "result.json").read_text())
    assert result["predicted_class"] in dumped.stdout
    assert ("Comprehensive 3D SR" if name in DICOM else "Basic Text SR") in dumped.stdout
