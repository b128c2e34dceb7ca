"""The MAP's build context, as the packager writes it, without Docker."""

import json
import subprocess

import pytest

from tests.deploy_app.conftest import APP


@pytest.fixture(scope="module")
def context(deploy_python, packed_model, tmp_path_factory):
    out = tmp_path_factory.mktemp("map") / "context"
    command = [deploy_python, APP / "package_map.py", "--models", packed_model[0], "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_application_lies_beside_its_library_and_its_model(context, packed_model):
    assert (context / "app" / "__main__.py").is_file()
    assert (context / "app" / "scangen_bundle" / "share" / "statement.py").is_file()
    model = packed_model[0] / "scangen_mil" / "model.ts"
    assert (context / "models" / "scangen_mil" / "model.ts").read_bytes() == model.read_bytes()
    assert not list(context.rglob("__pycache__"))


def test_requirements_of_the_image_pin_holoscan(context):
    for path in (context / "pip" / "requirements.txt", context / "app" / "requirements.txt"):
        lines = path.read_text().splitlines()
        assert {"holoscan-cu13==4.2.0", "monai-deploy-app-sdk==4.0.0"} <= set(lines), path


def test_manifests_and_dockerfile_describe_this_app(context):
    application = json.loads((context / "map" / "app.json").read_text())
    package = json.loads((context / "map" / "pkg.json").read_text())
    assert "/opt/holoscan/app" in json.dumps(application["command"])
    assert application["input"]["formats"] == application["output"]["formats"] == ["file"]
    assert application["version"] == "0.1.0"
    assert package["models"] == {"scangen_mil": "/opt/holoscan/models/scangen_mil"}
    dockerfile = (context / "Dockerfile").read_text()
    assert "ubuntu24.04" in dockerfile
    for line in ("COPY ./models", "COPY ./app", "COPY ./map/app.json"):
        assert line in dockerfile, line
