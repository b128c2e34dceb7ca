"""Files of the repository that no other test reads: citation, pre-commit, templates, what the package carries."""

import re

import pytest
import yaml

import scangen_bundle


def test_the_citation_is_of_this_version_and_of_the_papers_loss(bundle_root):
    citation = yaml.safe_load((bundle_root / "CITATION.cff").read_text())
    assert (citation["cff-version"], citation["license"]) == ("1.2.0", "Apache-2.0")
    assert citation["version"] == scangen_bundle.__version__
    (paper,) = citation["references"]
    assert paper["identifiers"] == [{"type": "other", "value": "arXiv:2507.22092"}]


def test_pre_commit_runs_what_make_lint_runs(bundle_root):
    config = yaml.safe_load((bundle_root / ".pre-commit-config.yaml").read_text())
    (repository,) = config["repos"]
    hooks = {re.sub(r"^\.venv/bin/(python -m )?| --force-exclude", "", hook["entry"]) for hook in repository["hooks"]}
    makefile = (bundle_root / "Makefile").read_text().replace("$(PY)", ".venv/bin/python")
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.M)
    steps = {re.sub(r"^\.venv/bin/(python -m )?| \.$", "", line.strip()) for line in recipe.splitlines()}
    assert hooks == steps


@pytest.mark.parametrize("folder", [".github", ".github/ISSUE_TEMPLATE"])
def test_templates_are_yaml(bundle_root, folder):
    for path in (bundle_root / folder).glob("*.yml"):
        assert yaml.safe_load(path.read_text()), path


def test_the_package_carries_its_types(bundle_root):
    assert re.search(r'^scangen_bundle = \[.*"py\.typed"', (bundle_root / "pyproject.toml").read_text(), re.M)
    assert (bundle_root / "scangen_bundle" / "py.typed").is_file()
