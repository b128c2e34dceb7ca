"""What the bundle says that it needs is what its environment pins."""

import json

from packaging.requirements import Requirement


def pins(bundle_root, python):
    """Pinned versions that apply to a Python version, by name."""
    lines = [line.strip() for line in (bundle_root / "requirements.txt").read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    found = {}
    for requirement in requirements:
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", f"{requirement} is not pinned"
            assert requirement.name not in found, f"{requirement.name} is pinned twice for Python {python}"
            found[requirement.name] = specifier.version
    return found


def test_metadata_names_the_tested_versions(bundle_root):
    metadata = json.loads((bundle_root / "configs" / "metadata.json").read_text())
    named = dict(metadata["required_packages_version"])
    named |= {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    }
    assert named == pins(bundle_root, "3.11")


def test_every_library_is_pinned_for_the_oldest_python_too(bundle_root):
    assert pins(bundle_root, "3.10").keys() == pins(bundle_root, "3.11").keys()


def test_the_version_is_the_same_everywhere(bundle_root):
    import scangen_bundle

    metadata = json.loads((bundle_root / "configs" / "metadata.json").read_text())
    assert metadata["version"] == scangen_bundle.__version__
    assert metadata["version"] in metadata["changelog"]
    assert f'version = "{metadata["version"]}"' in (bundle_root / "pyproject.toml").read_text()
    assert f"## {metadata['version']}" in (bundle_root / "CHANGELOG.md").read_text()
