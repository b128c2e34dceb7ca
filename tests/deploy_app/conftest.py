"""A packed model, and one run of the app in its own environment over good and bad input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from scangen_bundle import RESEARCH_USE_ONLY
from tests.share.conftest import make_checkout, make_run, write_features

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "scripts" / "deploy_app"
if str(APP) not in sys.path:  # the app's own files import each other by their plain names
    sys.path.append(str(APP))


@pytest.fixture(scope="session")
def packed_model(tmp_path_factory):
    """(folder of named models, run folder, features folder)"""
    from scangen_bundle.share.package import package_bundle

    folder = tmp_path_factory.mktemp("deploy")
    run, features = make_run(folder)
    (folder / "checkout").mkdir()
    packed = package_bundle(make_checkout(ROOT, folder / "checkout"), run, str(features), "egfr", folder / "dist")
    (folder / "models" / "scangen_mil").mkdir(parents=True)
    shutil.copy(packed.network, folder / "models" / "scangen_mil" / "model.ts")
    return folder / "models", run, features


@pytest.fixture(scope="session")
def deploy_python():
    """Python of the app's environment; CI builds it, others may skip."""
    done = subprocess.run(["bash", "scripts/make_deploy_env.sh", "--find"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("the deploy environment is not here: make deploy-env")
    return Path(done.stdout.strip()) / "bin" / "python"


# What a source says of its patient; it may be in DICOM results of that slide and nowhere else.
PATIENT = {
    "PatientName": "SECRETNAME^JANE",
    "PatientID": "PHI-4711",
    "PatientBirthDate": "19470203",
    "StudyDate": "20190817",
    "AccessionNumber": "ACC-90210",
    "ReferringPhysicianName": "OTHERSECRET^JOHN",
}
# Studies around one real slide: with a patient and a label image that cannot be decoded, two slides, no slide, values that
# DICOM forbids, several character sets, a header that lacks what the report needs, half a file. It runs where pydicom is.
MAKE_STUDIES = """
import copy, json, sys
from pathlib import Path
import pydicom
from pydicom.uid import generate_uid
source, folder, patient = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
data = pydicom.dcmread(source)
for keyword, value in patient.items():
    setattr(data, keyword, value)
def save(path, **changes):
    changed = copy.deepcopy(data)
    for keyword, value in changes.items():
        setattr(changed, keyword, value)
    path.parent.mkdir(exist_ok=True)
    changed.save_as(path)
save(folder / "camelyon" / "volume.dcm")
broken = pydicom.encaps.encapsulate([b"no picture" * 9])
uid = generate_uid()
save(folder / "camelyon" / "label.dcm", ImageType=["ORIGINAL", "PRIMARY", "LABEL", "NONE"], SOPInstanceUID=uid,
     PixelData=broken, NumberOfFrames=1, TotalPixelMatrixColumns=data.Columns, TotalPixelMatrixRows=data.Rows)
save(folder / "two" / "first.dcm")
save(folder / "two" / "second.dcm", SeriesInstanceUID=generate_uid())
save(folder / "ct" / "ct.dcm", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
pydicom.config.settings.writing_validation_mode = pydicom.config.IGNORE
save(folder / "birthday" / "forbidden_date.dcm", PatientBirthDate="1947-02-03")
save(folder / "length" / "long_name.dcm", PatientName="A" * 75)
save(folder / "bytes" / "eight_bit.dcm", PatientName="M=LLER")
path = folder / "bytes" / "eight_bit.dcm"
path.write_bytes(path.read_bytes().replace(b"M=LLER", b"M\\xdcLLER"))
save(folder / "set" / "unknown_set.dcm", SpecificCharacterSet="ISO_IR 999")
save(folder / "sets" / "japanese.dcm", SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎",
     PatientComments="x" * 20_000, StudyDescription="s" * 90)
save(folder / "sets2" / "korean.dcm", SpecificCharacterSet=["", "ISO 2022 IR 149"], PatientName="Hong^Gildong=洪^吉洞=홍^길동")
del data.ImageOrientationSlide
save(folder / "odd" / "no_orientation.dcm")
whole = source.read_bytes()
(folder / "half").mkdir()
(folder / "half" / "half_file.dcm").write_bytes(whole[: len(whole) // 2])
"""


def without_label_and_macro(slide: Path, target: Path) -> None:
    """A copy of an Aperio slide whose label and macro cannot be decoded."""
    import tifffile

    data = bytearray(slide.read_bytes())
    with tifffile.TiffFile(slide) as file:
        pages = [page for page in file.pages if "\nlabel" in page.description or "\nmacro" in page.description]
        assert len(pages) == 2
        for page in pages:
            for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                data[start : start + size] = b"\xff" * size
    target.write_bytes(data)


@pytest.fixture(scope="session")
def input_folder(packed_model, deploy_python, real_data, tmp_path_factory):
    """Two good slides and a good bag among many that must be refused."""
    folder = tmp_path_factory.mktemp("input")
    _, _, features = packed_model
    shutil.copy(features / "p20-scanner-1.h5", folder / "good_bag.h5")
    for name in ("someone_elses.h5", "...h5", "..h5"):
        shutil.copy(features / "p20-scanner-1.h5", folder / name)
    (folder / "._good_bag.h5").write_bytes(b"\x00\x05\x16\x07 as macOS writes it")
    rng = np.random.default_rng(0)
    write_features(folder / "other_encoder.h5", "a", "scanner-1", 0, rng, encoder="uni")
    write_features(folder / "other_length.h5", "a", "scanner-1", 0, rng)
    with h5py.File(folder / "other_length.h5", "a") as file:
        shorter = file["features"][:, :7]
        del file["features"]
        file["features"] = shorter
        file.attrs["dim"] = 7
        file.attrs.update(digest="", header_digest="")  # as in a bag of an earlier version
    (folder / "empty_bag.h5").write_bytes(b"")
    aperio = real_data / "slides" / "cmu-1-small-region.svs"
    (folder / "truncated.svs").write_bytes(aperio.read_bytes()[: aperio.stat().st_size // 3])
    without_label_and_macro(aperio, folder / "aperio.svs")
    dicom = real_data / "slides" / "camelyon_h_and_e.dcm"
    command = [deploy_python, "-W", "ignore", "-c", MAKE_STUDIES, dicom, folder, json.dumps(PATIENT)]
    subprocess.run(command, check=True)
    return folder


EARLIER = {"schema_version": 1, "notice": RESEARCH_USE_ONLY}


@pytest.fixture(scope="session")
def app_run(packed_model, deploy_python, input_folder, tmp_path_factory):
    """(finished process, output folder), in which an earlier result of `good_bag` and a folder of somebody else lie."""
    out = tmp_path_factory.mktemp("output") / "results"
    for name, content in (("good_bag", EARLIER), ("earlier", EARLIER), ("someone_elses", {"schema_version": 1})):
        (out / name).mkdir(parents=True)
        (out / name / "result.json").write_text(json.dumps(content))
        (out / name / "note.txt").write_text("of an earlier run")
    (out.parent / "beside.txt").write_text("must stay")
    environment = {**os.environ, "SCANGEN_ALLOW": "far_from_training", "SCANGEN_MPP": "0.5", "OMP_NUM_THREADS": "1"}
    command = [deploy_python, APP, "-i", input_folder, "-o", out, "-m", packed_model[0]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    return done, out
