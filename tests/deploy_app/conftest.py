"""A packed model, and one run of the app in its own environment over good and bad input."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


@pytest.fixture(scope="session")
def input_folder(packed_model, real_data, tmp_path_factory):
    """Two good slides and a good bag among five that must be refused."""
    folder = tmp_path_factory.mktemp("input")
    _, _, features = packed_model
    shutil.copy(features / "p20-scanner-1.h5", folder / "good_bag.h5")
    rng = np.random.default_rng(0)
    write_features(folder / "other_encoder.h5", "a", "scanner-1", 0, rng, encoder="uni")
    (folder / "one").mkdir()
    shutil.copy(real_data / "slides" / "camelyon_h_and_e.dcm", folder / "one" / "camelyon.dcm")
    slide = (real_data / "slides" / "cmu-1-small-region.svs").read_bytes()
    (folder / "truncated.svs").write_bytes(slide[: len(slide) // 3])
    (folder / "empty_bag.h5").write_bytes(b"")
    shutil.copy(real_data / "slides" / "cmu-1-small-region.svs", folder / "aperio.svs")
    return folder


@pytest.fixture(scope="session")
def app_run(packed_model, deploy_python, input_folder, tmp_path_factory):
    """(finished process, output folder)"""
    add_studies = (
        "import sys, pydicom; from pathlib import Path; from pydicom.uid import generate_uid\n"
        "source, folder = map(Path, sys.argv[1:])\n"
        "for name in ('two', 'ct'): (folder / name).mkdir()\n"
        "data = pydicom.dcmread(source); data.save_as(folder / 'two' / 'first.dcm')\n"
        "data.SeriesInstanceUID = generate_uid(); data.save_as(folder / 'two' / 'second.dcm')\n"
        "data.SOPClassUID = '1.2.840.10008.5.1.4.1.1.2'; data.Modality = 'CT'; data.save_as(folder / 'ct' / 'ct.dcm')\n"
    )
    source = input_folder / "one" / "camelyon.dcm"
    subprocess.run([deploy_python, "-W", "ignore", "-c", add_studies, source, input_folder], check=True)
    out = tmp_path_factory.mktemp("output") / "results"
    environment = {**os.environ, "SCANGEN_ALLOW": "far_from_training", "SCANGEN_MPP": "0.5", "OMP_NUM_THREADS": "1"}
    command = [deploy_python, APP, "-i", input_folder, "-o", out, "-m", packed_model[0]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    return done, out
