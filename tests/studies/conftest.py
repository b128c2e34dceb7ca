from __future__ import annotations

import pytest

from tests.studies.small import small_cohort, small_study


@pytest.fixture(scope="package")
def cohort(tmp_path_factory):
    """Sixteen specimens on three scanners."""
    return small_cohort(tmp_path_factory.mktemp("cohort") / "data")


@pytest.fixture(scope="package")
def finished(cohort, tmp_path_factory):
    """The folder of a study of two methods that ran to its end, and its outcome."""
    folder = tmp_path_factory.mktemp("study") / "study"
    return folder, small_study(cohort, folder, seeds=2).run()
