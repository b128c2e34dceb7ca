"""In the repository the configs lie beside the package, as MONAI expects of a bundle; when installed, inside it."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["scangen_bundle*"]), "scangen_bundle.configs"],
    package_dir={"scangen_bundle.configs": "configs"},
)
