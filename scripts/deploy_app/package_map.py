"""Write the build context of a MONAI Application Package (MAP), everything but the image; runs without Docker.

    <deploy environment>/bin/python scripts/deploy_app/package_map.py --models MODELS --out CONTEXT

The packager's own code makes the context; only its last step, `docker buildx build`, is left out. See docs/deploy.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import yaml
from holoscan_cli.__main__ import main as holoscan
from holoscan_cli.packager.container_builder import BuilderBase
from holoscan_cli.packager.parameters import PlatformBuildResults

HERE = Path(__file__).resolve().parent
LIBRARY = HERE.parents[1] / "scangen_bundle"
HOLOSCAN = "4.2.0"
BASE_IMAGE = "nvcr.io/nvidia/cuda:13.0.0-runtime-ubuntu24.04"


def stage(folder: Path) -> Path:
    """The application as the image holds it: the app's files with the library beside them."""
    skip = shutil.ignore_patterns("__pycache__", "package_map.py")
    shutil.copytree(HERE, folder, ignore=skip)
    shutil.copytree(LIBRARY, folder / "scangen_bundle", ignore=skip)
    return folder


def artifacts(path: Path) -> Path:
    """A list of base images for the packager, which would otherwise look for one on the network."""
    sdk = {
        "wheel-version": HOLOSCAN,
        "debian-version": HOLOSCAN,
        "base-images": {"dgpu": BASE_IMAGE},
        "build-images": {"dgpu": {}, "igpu": {}, "cpu": {}},  # of C++ applications only
    }
    path.write_text(json.dumps({HOLOSCAN: {"holoscan": sdk}}))
    return path


def write_context(models: Path, out: Path) -> None:
    """Write the whole build context to `out`."""

    def keep(builder: BuilderBase, dockerfile: str, platform: object) -> PlatformBuildResults:
        shutil.copytree(Path(dockerfile).parent, out, dirs_exist_ok=True)
        result = PlatformBuildResults(platform)
        result.succeeded, result.docker_tag = True, "not built"
        return result

    BuilderBase._build_internal = keep
    version = str(yaml.safe_load((HERE / "app.yaml").read_text())["application"]["version"])
    with tempfile.TemporaryDirectory(prefix="scangen-map-") as folder:
        application = stage(Path(folder, "app"))
        options = ["--config", str(HERE / "app.yaml"), "--models", str(models), "--platform", "x86_64", "--cuda", "13"]
        sdk = ["--sdk", "monai-deploy"]
        source = ["--source", str(artifacts(Path(folder, "artifacts.json")))]
        tag = ["--tag", f"scangen_bundle:{version}"]
        sys.exit(holoscan(["holoscan", "package", str(application), *options, *sdk, *source, *tag]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of named models: scangen_mil/model.ts")
    parser.add_argument("--out", type=Path, required=True, help="folder for the build context")
    args = parser.parse_args()
    write_context(args.models.resolve(), args.out.resolve())


if __name__ == "__main__":
    main()
