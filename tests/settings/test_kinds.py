"""What a setting may be follows from its value and the beginning of its comment."""

import math

import pytest

from scangen_bundle.settings.entries import Setting, is_part, is_step, read_settings
from scangen_bundle.settings.kinds import kind_of
from tests.conftest import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def kind(value, comment=""):
    return kind_of(Setting("x", value, str(value), comment))


@pytest.mark.parametrize(
    ("value", "comment", "admitted", "refused"),
    [
        (3, "", [0, -1], [1.5, True, "3", None]),
        (3, "1 or more; of a batch", [1], [0, "1"]),
        (0.5, "", [1, -0.5], [True, "a", math.nan, math.inf]),
        (0.5, "above 0", [1e-9], [0]),
        (0.5, "0 to 1", [0, 1], [1.1, -1]),
        (True, "", [False], [1, "True"]),
        ("a", "", ["b", ""], [1, None, ["a"]]),
        ("a", "one of a, b-c, d; prose", ["b-c"], ["e", 1]),
        (None, "whole number or none, 2 or more; of folds", [None, 2], [1, "2"]),
        (None, "text or none", [None, "a"], [1]),
        ("$f()", "device", ["cpu", "cuda", "cuda:3"], ["gpu", "cuda:x", 0]),
        ("$f()", "True or False; prose", [True], ["True"]),
        ([], "list of text; prose", [[], ["a"], ("a",)], [["a", 1], "a", 3]),
        ([0.5, 0.5], "0 to 1; shares", [[0, 1]], [[2], ["a"], 1]),
        (["a"], "list of text or mapping", [["a"], {"a": 1}], ["a"]),
        ({}, "", [{"a": 1}], [[], "a"]),
    ],
)
def test_values_are_admitted_by_type_and_range(value, comment, admitted, refused):
    found = kind(value, comment)
    assert [each for each in admitted if not found.admits(each)] == []
    assert [each for each in refused if found.admits(each)] == []


@pytest.mark.parametrize(
    ("value", "comment"),
    [(None, "none takes the encoder's"), ("$f()", ""), ("@a", "of b"), ({"_target_": "a"}, ""), ([], ""), (["@a"], "")],
)
def test_what_is_not_stated_is_not_checked(value, comment):
    assert kind(value, comment) is None


def test_prose_that_looks_like_a_type_but_is_none_is_prose():
    assert kind(3, "number of tiles, 1 or more each").limits == ""
    assert str(kind(3, "1 or more, say")) == "whole number"


def is_wiring(setting):
    return is_part(setting.value) or is_step(setting.value) or setting.name in ("imports", "finalize")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_setting_admits_its_own_value(path):
    for setting in read_settings(path.read_text()):
        found = kind_of(setting)
        if found is not None and not is_wiring(setting) and not str(setting.value).startswith("$"):
            assert found.admits(setting.value) or setting.value is None, setting


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_setting_of_a_job_has_a_type_and_a_comment(path):
    """The settings of a file are what stands above its wiring."""
    settings = path.read_text().partition("# --- wiring ---")[0]
    for setting in read_settings(settings):
        is_component = isinstance(setting.value, dict) and "_target_" in setting.value
        if setting.name not in ("imports", "stored", "network_def") and "#" not in setting.name and not is_component:
            assert kind_of(setting) is not None, setting.name
            assert setting.comment or setting.above, setting.name
