"""The app's steps on bad input, without holoscan (the operators around them hold no logic)."""

import math
from pathlib import Path

import h5py
import numpy as np
import pytest

from scangen_bundle.errors import InputError
from tests.share.conftest import write_features


def make_classifier(packed_model, *allowed):
    from infer import Classifier

    from scangen_bundle.share.slide_model import SlideModel

    return Classifier(SlideModel(packed_model[0] / "scangen_mil" / "model.ts", frozenset(allowed)))


def test_each_file_is_a_case_and_each_study_folder_one(tmp_path):
    from inputs import find_cases

    for name in ("a.svs", "a.h5", "b.TIFF", "study/1.dcm", "study/2.dcm", "other/3.dcm", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {case.name: (case.kind, len(case.paths)) for case in find_cases(tmp_path)}
    assert found == {
        "a.svs": ("slide", 1), "a.h5": ("bag", 1), "b": ("slide", 1), "study": ("dicom", 2), "3": ("dicom", 1),
    }  # fmt: skip


def test_files_of_one_name_in_several_folders_have_results_of_their_own(tmp_path):
    from inputs import find_cases

    names = (
        "p1/slide.svs",
        "p2/slide.svs",
        "p2/slide.tif",
        "p3/0.dcm",
        "p4/0.dcm",
        "x/s/1.dcm",
        "x/s/2.dcm",
        "y/s/1.dcm",
        "y/s/2.dcm",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {case.name: [str(path.relative_to(tmp_path)) for path in case.paths] for case in find_cases(tmp_path)}
    assert found == {
        "p1_slide.svs": ["p1/slide.svs"],
        "p2_slide.svs": ["p2/slide.svs"],
        "p2_slide.tif": ["p2/slide.tif"],
        "p3_0.dcm": ["p3/0.dcm"],
        "p4_0.dcm": ["p4/0.dcm"],
        "x_s": ["x/s/1.dcm", "x/s/2.dcm"],
        "y_s": ["y/s/1.dcm", "y/s/2.dcm"],
    }
    (tmp_path / "p1_slide.svs.svs").touch()
    with pytest.raises(InputError, match="rename one of them"):
        find_cases(tmp_path)


@pytest.mark.parametrize("name", ["...svs", "...dcm", "...h5", "..h5", ".hidden.svs", "a\nb.svs", "b\\c.svs"])
def test_a_name_that_cannot_be_a_folders_costs_only_its_case_the_result(tmp_path, name):
    from inputs import find_cases

    (tmp_path / name).touch()
    (tmp_path / "good.svs").touch()
    problems = {case.name: case.problem for case in find_cases(tmp_path)}
    assert problems.pop("good") == ""
    (problem,) = problems.values()
    assert problem.startswith(f"{name}: its result would have the name")


def test_the_input_folder_itself_is_a_study_by_its_own_name(tmp_path, monkeypatch):
    from inputs import find_cases

    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    for name in ("1.dcm", "2.dcm"):
        (tmp_path / "study" / name).touch()
    (case,) = find_cases(Path("."))
    assert (case.name, case.problem) == ("study", "")


def test_what_macos_writes_beside_a_file_is_no_slide(tmp_path):
    from inputs import find_cases

    (tmp_path / "a.tif").touch()
    (tmp_path / "._a.tif").write_bytes(b"\x00\x05\x16\x07\x00\x02")
    assert [case.name for case in find_cases(tmp_path)] == ["a"]


def test_an_input_without_a_slide_is_refused(tmp_path):
    from inputs import find_cases

    with pytest.raises(InputError, match="no slide and no feature bag"):
        find_cases(tmp_path)


def test_a_bag_of_another_length_is_refused_even_where_the_encoder_is_allowed(packed_model, tmp_path):
    from case import BAG, Case, attempt

    from scangen_bundle.bags import open_bag, write_bag
    from scangen_bundle.testing import make_attributes, make_bag_arrays

    features, coords = make_bag_arrays(5, 4)
    write_bag(tmp_path / "short.h5", features, coords.astype(np.int64), make_attributes())
    case = Case("short", BAG, [tmp_path / "short.h5"], bag=open_bag(tmp_path / "short.h5"))
    attempt(make_classifier(packed_model, "other_encoder"), case)
    assert "D = 4, the model takes 1280" in case.problem
    assert case.result == {}
    assert case.bag is None


def test_a_failed_case_passes_later_steps_untouched():
    from case import BAG, Case, attempt

    def fail(case):
        raise InputError("file", "is broken")

    def forbidden(case):
        raise AssertionError("must not run")

    case = attempt(forbidden, attempt(fail, Case("x", BAG, [])))
    assert case.problem == "file: is broken"


def test_an_unexpected_error_costs_the_case_its_result_and_quotes_nothing():
    from case import BAG, Case, attempt

    def fail(case):
        raise ValueError("invalid value for PN: SECRETNAME^JANE")

    problem = attempt(fail, Case("x", BAG, [])).problem
    assert problem.startswith("unexpected ValueError in fail (test_steps.py:")
    assert "SECRET" not in problem


def test_an_unwritable_place_costs_the_case_its_result_only(tmp_path):
    from case import BAG, Case, attempt

    def write(case):
        (tmp_path / "absent" / "file").write_text("")

    assert "No such file" in attempt(write, Case("x", BAG, [])).problem


@pytest.mark.parametrize("kind", ["other_encoder", "unknown_mpp", "far_from_training"])
def test_each_objection_refuses_the_slide_unless_the_site_allows_it(packed_model, tmp_path, kind):
    from case import BAG, Case, attempt

    from scangen_bundle.bags import open_bag

    changes = {"encoder": "uni"} if kind == "other_encoder" else {}
    path = tmp_path / "slide.h5"
    write_features(path, "slide", "scanner-1", 0, np.random.default_rng(0), **changes)
    if kind == "far_from_training":
        with h5py.File(path, "a") as file:
            file["features"][...] = file["features"][()] * 50
            file.attrs.update(digest="", header_digest="")  # as in a bag of an earlier version
    bag = open_bag(path)
    if kind == "unknown_mpp":  # as in bags of other tools; ours always say it
        bag.attributes["effective_mpp_x"] = math.nan
    refused = attempt(make_classifier(packed_model), Case("slide", BAG, [path], bag=bag))
    assert f"allow {kind}" in refused.problem
    assert refused.result == {}
    warned = attempt(make_classifier(packed_model, kind), Case("slide", BAG, [path], bag=bag))
    assert warned.problem == ""
    assert [text.partition(":")[0] for text in warned.result["warnings"]] == [kind]
