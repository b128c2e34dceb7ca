"""The command line: aliases, validation threshold, comparison, errors that say what to do."""

import json

import numpy as np
import pytest

from scangen_bundle.cli.score import command
from scangen_bundle.cli.score_tables import model_names
from scangen_bundle.errors import InputError
from scangen_bundle.measures import sensitivity_at, youden_threshold

from ..measures.tables import cohort, multi_class


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command on tables or paths; gives (metrics.json, what was printed)."""

    def call(*arguments):
        words = []
        for position, argument in enumerate(arguments):
            if not isinstance(argument, str):
                path = tmp_path / f"table{position}.csv"
                argument.to_csv(path, index=False)
                argument = str(path)
            words.append(argument)
        output = tmp_path / "metrics.json"
        command.main([*words, "--output", str(output), "--resamples", "30"], standalone_mode=False)
        return json.loads(output.read_text()), capsys.readouterr().out

    return call


def test_short_column_names_and_extra_columns_are_fine(run):
    names = {"slide_id": "slide", "specimen_id": "specimen", "patient_id": "patient"}
    result, printed = run(cohort().rename(columns=names).assign(site="x"))
    assert result["cohort"]["scans"] == 180
    assert f"{result['figures']['auroc/B']['value']:.3f}" in printed
    assert "Research use only" in printed


def test_the_threshold_comes_from_the_validation_patients(run):
    validation = cohort(30, seed=9)
    result, _ = run(cohort(), "--validation", validation)
    expected = youden_threshold(validation.label, validation.probability)
    assert result["settings"]["threshold"] == pytest.approx(expected, abs=1e-12)
    expected = sensitivity_at(validation.label, validation.probability, expected)
    assert result["settings"]["validation_sensitivity"] == pytest.approx(expected)
    assert result["figures"]["threshold_drift/mean"]["value"] is not None


def test_two_files_are_compared_scan_by_scan(run):
    table = cohort()
    result, printed = run(table, table.assign(probability=table.probability**2).sample(frac=1, random_state=1))
    assert result["figures"]["auroc/A"]["difference"]["value"] == pytest.approx(0, abs=1e-12)
    assert result["figures"]["brier/A"]["p_holm"] is not None
    assert "Differences second - first (table1 - table0)" in printed


def test_what_is_undefined_or_left_out_is_printed_with_its_reason(run):
    table = cohort(20)
    table.loc[(table.scanner == "B") & (table.label == 1), "label"] = None
    table.loc[table.scanner == "C", "probability"] = 0.5
    _, printed = run(table)
    lines = printed.splitlines()
    undefined = "undefined: all labelled scans are of class 0 on scanner B"
    assert f"B: AUROC, Sensitivity {undefined}" in lines
    assert any(line.startswith("C: AUROC, ") and line.endswith("the same in every resample") for line in lines)
    assert any("auroc/mean" in line and "of 2 of 3 scanners" in line for line in lines)


def test_how_the_threshold_was_chosen_is_written_and_printed(run):
    for options, source in (
        ((), "the default, not chosen on validation patients"),
        (("--threshold", "0.4"), "as given"),
        (("--validation", cohort(30, seed=9)), "largest Youden's J on the validation patients"),
    ):
        result, printed = run(cohort(12), *options)
        assert result["settings"]["threshold_source"] == source
        assert source in printed


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ("runs/base.csv", "runs/scangen.csv", ("base", "scangen")),
        ("base/predictions.csv", "scangen/predictions.csv", ("base", "scangen")),
        ("a/x/p.csv", "b/x/p.csv", ("first model", "second model")),
    ],
)
def test_models_are_called_by_their_files_or_folders(first, second, names):
    assert model_names(first, second) == names


def test_more_classes_work_without_a_threshold(run):
    result, printed = run(multi_class())
    assert result["settings"]["classes"] == 3
    assert "the most probable one" in printed


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("missing.csv", "no such file"),
        (cohort(3).head(0), "no rows"),
        (cohort(3).assign(probability=np.nan), "probability is no finite number: row 1"),
        (cohort(3).assign(slide="x"), "slide_id under both its names"),
        (cohort(3).drop(columns="scanner"), "columns are missing: scanner"),
        (cohort(3).assign(probability=np.inf), r"probability is no finite number: row 1 \(inf\)"),
        (cohort(3).assign(probability=1.5), r"probability is not from 0 to 1: row 1 \(1.5\)"),
        (cohort(3).assign(slide_id="x"), "slide_id occurs twice"),
    ],
)
def test_a_wrong_file_is_an_input_error(run, table, message):
    with pytest.raises(InputError, match=message):
        run(table)


def test_an_empty_file_is_an_input_error(run, tmp_path):
    (tmp_path / "empty.csv").touch()
    with pytest.raises(InputError, match="the file is empty"):
        run(str(tmp_path / "empty.csv"))


def test_ids_that_look_like_gaps_or_numbers_stay_as_they_are(run):
    table = cohort().replace({"patient_id": {"p0": "NA", "p1": "null"}, "scanner": {"A": "None", "B": "007"}})
    names = {"slide_id": "slide", "specimen_id": "specimen", "patient_id": "patient"}
    result, _ = run(table.rename(columns=names))
    assert list(result["cohort"]["scanners"]) == ["007", "C", "None"]
    assert result["cohort"]["patients"] == 30


def test_perfect_separation_is_printed_with_an_interval_that_has_a_width(run):
    table = cohort(10, per_patient=1)
    result, printed = run(table.assign(probability=0.1 + 0.8 * table.label))
    figure = result["figures"]["auroc/A"]
    assert (figure["value"], figure["high"]) == (1, 1)
    assert figure["low"] < 0.7
    assert f"1.000 ({figure['low']:.3f}–1.000, exact)" in printed


def test_a_wrong_option_is_an_input_error(run):
    with pytest.raises(InputError, match="unseen scanner 'Z'; the table has A, B, C"):
        run(cohort(), "--unseen-scanner", "Z")
