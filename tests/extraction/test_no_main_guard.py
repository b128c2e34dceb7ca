"""A script of a user that starts its work when it is imported: the reader processes import it again."""

import subprocess
import sys

from scangen_bundle.testing import make_slide

SCRIPT = """
import pandas as pd
from scangen_bundle.cohort import load_manifest
from scangen_bundle.encoders import create_encoder
from scangen_bundle.extraction import ExtractionJob
ExtractionJob(load_manifest("manifest.csv"), "bags", create_encoder("colour-statistics"), workers=2).extract()
"""


def test_a_script_without_a_main_guard_is_told_so_and_no_slide_is_blamed(tmp_path):
    rows = ["slide_id,specimen_id,patient_id,scanner,label,slide_path"]
    for name in "abc":
        make_slide(tmp_path / f"{name}.tif")
        rows.append(f"{name},{name},{name},s,0,{name}.tif")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "mine.py").write_text(SCRIPT)
    ended = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "reader processes: end as soon as they start" in ended.stderr
    assert "__name__ == '__main__'" in ended.stderr
    assert not (tmp_path / "bags" / "failures.csv").exists()
