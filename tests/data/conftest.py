import pytest

from .cohort import read_cohort, write_cohort


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    """Six specimens on three scanners, with bags of 21 to 24 tiles."""
    return read_cohort(write_cohort(tmp_path_factory.mktemp("cohort"), specimens=6))
