"""What `scangen check` says before work."""

import pandas as pd
import pytest

from scangen_bundle.testing import make_manifest


@pytest.fixture
def cohort(tmp_path):
    """A cohort whose first scan is a slide in a store, without features."""
    path = make_manifest(tmp_path / "my_cohort")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["slide_path"] = ""
    table.loc[0, ["slide_path", "features_path"]] = ["s3://bucket/a.svs", ""]
    table.to_csv(path, index=False)
    return path.parent


def test_a_slide_in_a_store_is_not_looked_for_on_the_disk(scangen, cohort):
    ended = scangen("check", str(cohort), "--allow-outside")
    assert "1 lie in a store and are not opened" in ended.stdout
    assert "files are missing" not in ended.stdout
    assert ended.code == 0, ended.stdout + ended.stderr
