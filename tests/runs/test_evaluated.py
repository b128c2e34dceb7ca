"""A run folder is read back as it was written."""

import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.runs import read_evaluated_run, read_predictions


def test_ids_stay_text_and_numbers_exact(tmp_path):
    table = pd.DataFrame({"slide_id": ["001", "NA"], "specimen_id": ["1e5", ""], "patient_id": ["007", "nan"]})
    table = table.assign(scanner="A", label=[1.0, None], probability=[0.1 + 0.2, 1e-17])
    table.to_csv(tmp_path / "p.csv", index=False)
    read = read_predictions(tmp_path / "p.csv")
    assert read.slide_id.tolist() == ["001", "NA"]
    assert read.specimen_id.tolist() == ["1e5", ""]
    assert read.patient_id.tolist() == ["007", "nan"]
    assert read.probability.tolist() == table.probability.tolist()
    assert read.label.isna().tolist() == [False, True]


@pytest.mark.parametrize(("content", "message"), [("", "the file is empty"), (None, "no such file")])
def test_a_missing_or_empty_table_is_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "p.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize("content", ["{", "[1]", "{}", "3"])
def test_a_damaged_metrics_file_is_named(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_evaluated_run(tmp_path)
