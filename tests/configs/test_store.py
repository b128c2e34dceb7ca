"""What any job tracks is seen in one `mlflow ui`."""

import pytest
from monai.bundle import ConfigParser

from tests.conftest import ROOT

TRACKERS = {"train.yaml": "tracker", "evaluate.yaml": "tracker", "audit.yaml": "tracker", "benchmark.yaml": "job"}
TRACKED_ELSEWHERE = {"study.yaml"}  # tests/studies/test_job.py


@pytest.mark.parametrize("file", TRACKERS)
def test_every_job_tracks_into_the_store_of_the_output_folder(file, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    config = ConfigParser.load_config_file(ROOT / "configs" / file)
    inputs = {}
    if file == "benchmark.yaml":
        inputs |= {
            "cohort": "$__import__('pandas').DataFrame({'specimen_id': [], 'scanner': []})",
            "encoders": {"a": "b"},
        }
    parser = ConfigParser({**config, **inputs, "output_dir": str(tmp_path)})
    made = parser.get_parsed_content(TRACKERS[file])
    if file == "benchmark.yaml":
        tracker = made.tracking.start_run(made.output_dir, "benchmark", {})
    else:
        tracker = made
        tracker.start()
    assert tracker.uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert [path.name for path in tmp_path.glob("**/*.db")] == ["mlflow.db"]


def test_every_config_that_tracks_is_looked_at():
    tracking = {path.name for path in (ROOT / "configs").glob("*.yaml") if "tracking_uri:" in path.read_text()}
    assert tracking == set(TRACKERS) | TRACKED_ELSEWHERE
