"""The recipe "an encoder" of CONTRIBUTING, run from its text: the file is written, the command is run."""

import shlex
import sys

import numpy as np
import pytest

from scangen_bundle.bags import open_bag
from tests import commands
from tests.conftest import ROOT
from tests.recipes import recipe, write_recipe


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    from scangen_bundle.phantom import make_phantom_cohort

    folder = tmp_path_factory.mktemp("recipe") / "phantom"
    make_phantom_cohort(folder, specimens=2, seed=0, workers=2, size_um=500)
    return folder


def command(cohort, plugin):
    """The recipe's command on this cohort and with the plugin where it was written."""
    words = shlex.split(recipe("an encoder", "bash").replace("\\\n", " "))
    words[0] = sys.executable
    words[words.index("--dataset_dir") + 1] = str(cohort)
    words[words.index("--plugins") + 1] = f"['{plugin}']"
    return words


def test_the_recipes_encoder_makes_bags_of_its_vectors(cohort, tmp_path):
    plugin = write_recipe("an encoder", tmp_path / "my_encoder.py")
    done = commands.run(command(cohort, plugin), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    bags = [open_bag(path) for path in sorted((cohort / "features" / "mean-colour").glob("*.h5"))]
    assert len(bags) == 2 * 6
    assert {(bag.attributes["encoder"], bag.dim) for bag in bags} == {("mean-colour", 3)}
    assert np.median(np.concatenate([bag.rows() for bag in bags]), axis=0) == pytest.approx([200, 140, 170], abs=60)


def test_a_name_that_no_plugin_registers_is_one_message(cohort, tmp_path):
    plugin = write_recipe("an encoder", tmp_path / "my_encoder.py")
    words = command(cohort, plugin)
    words[words.index("--encoder_name") + 1] = "mean-color"
    done = commands.run(words, cwd=ROOT)
    assert done.returncode == 1
    assert "did you mean mean-colour" in done.stderr
    assert "Traceback" not in done.stderr
