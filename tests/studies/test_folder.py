from __future__ import annotations

import json
from dataclasses import replace

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.studies.folder import claim_folder
from scangen_bundle.studies.results import CELLS, DONE
from tests.studies.small import small_cohort, small_study


def claim(job, **changes):
    plan = job.design.plan(job.manifest, job.training.features_dir)
    facts = replace(job.training.facts(job.design, plan, job.analysis.rules), **changes)
    return claim_folder(job.folder, job.manifest, facts)


@pytest.fixture
def job(cohort, tmp_path):
    job = small_study(cohort, tmp_path / "study")
    job.folder.mkdir()
    claim(job)
    finish_a_cell(job)
    return job


def finish_a_cell(job):
    result = job.folder / CELLS / "a cell" / DONE
    result.parent.mkdir(parents=True)
    result.touch()


def test_a_study_without_a_result_blocks_no_other(cohort, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    claim(small_study(cohort, folder))
    assert claim(small_study(cohort, folder, folds=3)).rules.folds == 3


def test_methods_seeds_and_schemes_may_be_added(cohort, job):
    claim(small_study(cohort, job.folder, methods=("plain",), seeds=5))
    schemes = {"one out": {"hold_out": "scanner 2"}, "all": {}}
    assert set(claim(small_study(cohort, job.folder, schemes=schemes)).schemes) == {"one out", "all"}
    assert set(claim(job).schemes) == {"one out", "all"}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"settings": {"max_epochs": 9}}, "training max_epochs 2 .now 9."),
        ({"folds": 3}, "rules folds 2 .now 3."),
        ({"choose_by": "last"}, "choose_by"),
        ({"method_options": {"scangen": {"weight": 3}}}, "method_options scangen"),
        ({"schemes": {"one out": {"hold_out": "scanner 1"}}}, "scheme 'one out'"),
    ],
)
def test_other_settings_are_refused_by_name(cohort, job, changes, word):
    with pytest.raises(InputError, match=f"other settings: {word}"):
        claim(small_study(cohort, job.folder, **changes))


def test_another_manifest_is_refused(job):
    job.manifest = job.manifest.assign(label=1 - job.manifest["label"])
    with pytest.raises(InputError, match="the manifest changed"):
        claim(job)


def test_other_features_are_refused(tmp_path):
    job = small_study(small_cohort(tmp_path / "data"), tmp_path / "study")
    claim(job)
    finish_a_cell(job)
    with open(job.manifest["features_path"].iloc[0], "ab") as file:
        file.write(b"0")
    with pytest.raises(InputError, match="the features changed"):
        claim(job)


def test_rows_in_another_order_are_the_same_study(cohort, job):
    job.manifest = job.manifest.iloc[::-1].reset_index(drop=True)
    claim(job)


def test_something_else_under_the_name_is_refused(job):
    (job.folder / "study.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="this is no study"):
        claim(job)
