import os

import numpy as np
import pandas as pd
import pytest

from scangen_bundle.cohort import check_files, load_manifest, write_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.measures import per_pair, predictions

HEADER = "slide_id,specimen_id,patient_id,scanner,label,slide_path,features_path,mpp,split"
GOOD = ["a1,a,P1,AT2,0,a1.svs,,0.25,train", "a2,a,P1,GT450,0,a2.svs,,,train", "b1,b,P2,AT2,1,,b1.h5,,test"]


def write(folder, rows, header=HEADER):
    path = folder / "manifest.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def problem_of(path, **options) -> str:
    with pytest.raises(InputError) as caught:
        load_manifest(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


def row(**cells) -> str:
    """A sound row with some cells replaced."""
    sound = dict(zip(HEADER.split(","), ["x1", "x", "P9", "AT2", "0", "x1.svs", "", "", "train"], strict=True))
    assert set(cells) <= set(sound)
    return ",".join((sound | cells).values())


def test_sound_manifest_has_the_types_of_the_contract(tmp_path):
    manifest = load_manifest(write(tmp_path, GOOD), classes=2, min_scanners=2)
    assert list(manifest.columns) == HEADER.split(",")
    assert manifest["label"].dtype == np.int64
    assert manifest["label"].tolist() == [0, 0, 1]
    assert manifest["slide_path"].tolist() == [str(tmp_path / "a1.svs"), str(tmp_path / "a2.svs"), ""]
    assert manifest["features_path"].tolist() == ["", "", str(tmp_path / "b1.h5")]
    assert manifest["mpp"].iloc[0] == 0.25
    assert manifest["mpp"].isna().tolist() == [False, True, True]
    assert manifest["split"].tolist() == ["train", "train", "test"]
    assert all(isinstance(value, str) for value in manifest["patient_id"])


def test_optional_columns_may_be_absent_and_further_ones_are_kept_as_text(tmp_path):
    path = write(
        tmp_path, ["1,1,007,AT2,,s.svs,Indivumed"], "slide_id,specimen_id,patient_id,scanner,label,slide_path,site"
    )
    manifest = load_manifest(path)
    assert manifest.loc[0, ["slide_id", "patient_id", "features_path", "split", "site"]].tolist() == [
        "1",
        "007",
        "",
        "",
        "Indivumed",
    ]
    assert manifest.loc[0, "label"] == -1
    assert np.isnan(manifest.loc[0, "mpp"])


def test_byte_order_mark_spaces_and_blank_lines_do_no_harm(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_bytes(("\ufeff" + HEADER + "\r\n\r\n a1 , a,P1,AT2,0,a1.svs,,,\r\n,,,,,,,,\r\n").encode())
    assert load_manifest(path)["slide_id"].tolist() == ["a1"]


def test_labels_as_pandas_writes_them_beside_gaps_are_whole_numbers(tmp_path):
    path = write(tmp_path, [row(label="1.0"), row(slide_id="x2", label="1"), row(slide_id="x3", label="")])
    assert load_manifest(path)["label"].tolist() == [1, 1, -1]


def test_unlabelled_scan_of_a_labelled_specimen_is_no_second_label_and_stays_unlabelled(tmp_path):
    path = write(tmp_path, [row(label=""), row(slide_id="x2", label="1")])
    assert load_manifest(path)["label"].tolist() == [-1, 1]


@pytest.mark.parametrize("content", ["", "\n\n", HEADER + "\n"])
def test_manifest_without_rows_is_refused(tmp_path, content):
    path = tmp_path / "manifest.csv"
    path.write_text(content)
    assert "empty" in problem_of(path) or "no rows" in problem_of(path)


def test_missing_manifest_is_refused(tmp_path):
    assert "there is no such manifest" in problem_of(tmp_path / "none.csv")


def test_manifest_that_cannot_be_read_is_refused(tmp_path):
    assert "cannot be read: Is a directory" in problem_of(tmp_path)


def test_manifest_that_is_no_csv_is_refused(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_bytes((HEADER + '\n"a1,a').encode())
    assert "not a CSV file in UTF-8" in problem_of(path)


@pytest.mark.parametrize("column", ["slide_id", "specimen_id", "patient_id", "scanner", "label"])
def test_missing_column_is_named_beside_those_found(tmp_path, column):
    header = HEADER.replace(column + ",", column + "_typo,", 1)
    problem = problem_of(write(tmp_path, GOOD, header))
    assert f"column {column}: this column is missing" in problem
    assert f"'{column}_typo'" in problem


def test_one_of_the_path_columns_is_needed(tmp_path):
    path = write(tmp_path, ["a1,a,P1,AT2,0"], "slide_id,specimen_id,patient_id,scanner,label")
    assert "column slide_path or features_path: one of these columns is needed" in problem_of(path)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_than_commas_are_read(tmp_path, separator):
    decimal = "0,25" if separator == ";" else "0.25"  # as spreadsheets write it where the decimal sign is a comma
    rows = [line.replace(",", separator).replace("0.25", decimal) for line in GOOD]
    manifest = load_manifest(write(tmp_path, rows, HEADER.replace(",", separator)))
    assert manifest["mpp"].iloc[0] == 0.25
    assert manifest["slide_id"].tolist() == ["a1", "a2", "b1"]


def test_labels_may_be_the_names_of_classes(tmp_path):
    rows = [
        row(slide_id=str(i), specimen_id=str(i), label=label, slide_path=f"{i}.svs")
        for i, label in enumerate(["mutated", "wild type", "Mutated", "", "1"])
    ]
    manifest = load_manifest(write(tmp_path, rows), classes=2, class_names=["wild type", "mutated"])
    assert manifest["label"].tolist() == [1, 0, 1, -1, 1]
    problem = problem_of(write(tmp_path, rows), classes=2, class_names=["negative", "positive"])
    assert "column label: 'mutated' is none of the classes negative, positive" in problem
    assert (
        'the positive one last, such as --class-names "negative,positive" with Mutated, mutated, wild type in their places'
        in problem
    )
    free = load_manifest(write(tmp_path, [rows[0], rows[1]]))  # a job that needs no label
    assert free["label"].tolist() == [0, 1]


def test_backslashes_of_windows_are_named(tmp_path):
    problem = problem_of(write(tmp_path, [row(slide_path="C:\\slides\\a.svs")]))
    assert "has backslashes, as Windows writes paths; write them with /" in problem


def test_a_problem_of_many_rows_is_one_line(tmp_path):
    rows = [row(slide_id=str(i), slide_path=f"{i}.svs", patient_id="") for i in range(9)]
    problem = problem_of(write(tmp_path, rows))
    assert "9 problems in the manifest" in problem
    assert problem.count("column patient_id: is empty") == 1
    assert "all rows, column patient_id: is empty" in problem


def test_column_that_is_there_twice_is_refused(tmp_path):
    assert "twice: ['label']" in problem_of(write(tmp_path, [GOOD[0] + ",1"], HEADER + ",label"))


def test_row_of_another_length_is_refused(tmp_path):
    assert "row 3, column (all): 10 cells, but the header has 9" in problem_of(
        write(tmp_path, [GOOD[0], GOOD[1] + ","])
    )


def test_duplicate_id_names_both_rows(tmp_path):
    problem = problem_of(write(tmp_path, [*GOOD, row(slide_id="a1")]))
    assert "row 5, column slide_id: 'a1' is already in row 2" in problem


@pytest.mark.parametrize("column", ["slide_id", "specimen_id", "patient_id", "scanner"])
@pytest.mark.parametrize("name", ["..", "../x", "a/b", "a\\b", ".hidden", "a\tb", "a\x7fb", "a\u202eb", "é" * 101, ""])
def test_id_that_is_unsafe_as_a_file_name_is_refused(tmp_path, column, name):
    assert f"row 2, column {column}: " in problem_of(write(tmp_path, [row(**{column: name})]))


@pytest.mark.parametrize("name", ["TCGA-05-4244-01Z.svs", "Leica GT450 (2)", "é" * 100, "a..b", "日本"])
def test_ordinary_ids_are_accepted(tmp_path, name):
    assert load_manifest(write(tmp_path, [row(slide_id=name, scanner=name)]))["slide_id"].tolist() == [name]


def test_specimen_with_two_patients_or_labels_is_refused(tmp_path):
    problem = problem_of(write(tmp_path, [*GOOD, row(specimen_id="b", patient_id="P3", label="0")]))
    assert "row 5, column patient_id: another patient than in row 4" in problem
    assert "row 5, column label: another label than in row 4" in problem


def test_patient_in_two_splits_is_refused_but_excluded_scans_are_not_a_split(tmp_path):
    problem = problem_of(write(tmp_path, [*GOOD, row(patient_id="P1", split="val")]))
    assert "row 5, column split: another split than in row 2" in problem
    assert len(load_manifest(write(tmp_path, [*GOOD, row(patient_id="P1", split="excluded")]))) == 4


@pytest.mark.parametrize("label", ["positive", "1.5", "-1", "nan", "9" * 30, "²"])
def test_label_that_is_no_whole_number_is_refused(tmp_path, label):
    assert "row 2, column label: " in problem_of(write(tmp_path, [row(label=label)]))


def test_label_outside_the_classes_is_refused(tmp_path):
    path = write(tmp_path, [row(label="2")])
    assert "row 2, column label: 2 is outside 0 to 1 (2 classes)" in problem_of(path, classes=2)
    assert load_manifest(path, classes=3)["label"].tolist() == [2]


def test_scan_without_slide_and_bag_is_refused(tmp_path):
    assert "row 2, column slide_path or features_path: both are empty" in problem_of(
        write(tmp_path, [row(slide_path="")])
    )


@pytest.mark.parametrize("mpp", ["1000", "0", "-0.25", "0.049", "5.01", "nan", "inf", "0.25 um", '"0,25"'])
def test_bogus_mpp_is_refused(tmp_path, mpp):
    assert "row 2, column mpp: " in problem_of(write(tmp_path, [row(mpp=mpp)]))


@pytest.mark.parametrize("mpp", ["0.05", "0.2527", "5", "5.0"])
def test_plausible_mpp_is_accepted(tmp_path, mpp):
    assert load_manifest(write(tmp_path, [row(mpp=mpp)]))["mpp"].tolist() == [float(mpp)]


def test_unknown_split_is_refused(tmp_path):
    assert "row 2, column split: 'validation' is unknown; expected train, val, test" in problem_of(
        write(tmp_path, [row(split="validation")])
    )


@pytest.mark.parametrize("column", ["slide_path", "features_path"])
@pytest.mark.parametrize("target", ["../x.svs", "/elsewhere/x.svs", "slides/../../x.svs"])
def test_path_out_of_the_folder_needs_leave(tmp_path, column, target):
    folder = tmp_path / "cohort"
    folder.mkdir()
    path = write(folder, [row(**{column: target})])
    assert f"row 2, column {column}: {target!r} leads out of the manifest's folder" in problem_of(path)
    expected = os.path.normpath(folder / target)
    assert load_manifest(path, allow_outside=True)[column].tolist() == [expected]


def test_link_out_of_the_folder_needs_leave_and_is_not_replaced_by_its_target(tmp_path):
    (tmp_path / "archive").mkdir()
    folder = tmp_path / "cohort"
    folder.mkdir()
    (folder / "slides").symlink_to(tmp_path / "archive")
    path = write(folder, [row(slide_path="slides/x1.svs")])
    assert "leads out of" in problem_of(path)
    manifest = load_manifest(path, allow_outside=True)
    assert manifest["slide_path"].tolist() == [str(folder / "slides" / "x1.svs")]


def test_manifest_in_a_linked_folder_is_at_home_there(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "real", [row(), row(slide_id="x2", slide_path=str(tmp_path / "real" / "x2.svs"))])
    manifest = load_manifest(tmp_path / "link" / "manifest.csv")
    assert manifest["slide_path"].tolist() == [str(tmp_path / "link" / "x1.svs"), str(tmp_path / "real" / "x2.svs")]


def test_path_that_does_not_print_is_refused(tmp_path):
    assert "row 2, column slide_path: " in problem_of(write(tmp_path, [row(slide_path="a\x07b.svs")]))


def test_too_few_scanners_are_refused(tmp_path):
    path = write(tmp_path, [row()])
    assert "column scanner: 1 scanner(s) ['AT2'], but this job compares at least 2" in problem_of(path, min_scanners=2)


def test_all_violations_come_together_in_the_order_of_the_file(tmp_path):
    rows = [
        row(label="x", mpp="1000"),
        "",
        '"line\nbreak",x2,P2,AT2,0,x.svs,,,train',
        row(slide_id="x1", specimen_id="../x", split="all", slide_path=""),
        "short,row",
    ]
    problem = problem_of(write(tmp_path, rows), min_scanners=2)
    places = [line.strip().split(":")[0] for line in problem.splitlines()[1:-1]]
    assert places == [
        "column scanner",
        "row 2, column label",
        "row 2, column mpp",
        "row 4, column slide_id",
        "row 6, column slide_id",
        "row 6, column slide_path or features_path",
        "row 6, column specimen_id",
        "row 6, column split",
        "row 7, column (all)",
    ]
    assert "9 problems" in problem


def test_written_manifest_is_read_back_alike_and_has_relative_paths(tmp_path):
    rows = [*GOOD, row(label="", slide_path="/elsewhere/x1.svs")]
    manifest = load_manifest(write(tmp_path, rows), allow_outside=True).assign(site="Ü, or so")
    target = tmp_path / "again.csv"
    write_manifest(manifest, target)
    pd.testing.assert_frame_equal(load_manifest(target, allow_outside=True), manifest)
    raw = pd.read_csv(target, dtype=str, keep_default_na=False)
    assert raw["slide_path"].tolist() == ["a1.svs", "a2.svs", "", "/elsewhere/x1.svs"]
    assert raw["label"].tolist() == ["0", "0", "1", ""]
    assert raw["mpp"].tolist() == ["0.25", "", "", ""]


def test_manifest_written_to_another_folder_still_names_the_same_files(tmp_path):
    manifest = load_manifest(write(tmp_path, GOOD))
    write_manifest(manifest, tmp_path / "sub" / "manifest.csv")
    again = load_manifest(tmp_path / "sub" / "manifest.csv", allow_outside=True)
    assert again["slide_path"].tolist() == manifest["slide_path"].tolist()


def test_failed_write_leaves_the_old_manifest(tmp_path, monkeypatch):
    path = write(tmp_path, GOOD)
    before = path.read_bytes()
    manifest = load_manifest(path)

    def broken(self, target, **_):
        target.write_text("half a manif")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(OSError, match="disk full"):
        write_manifest(manifest, path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["manifest.csv"]


def test_check_files_names_every_missing_file_at_once(tmp_path):
    manifest = load_manifest(write(tmp_path, GOOD))
    (tmp_path / "a1.svs").touch()
    with pytest.raises(InputError) as caught:
        check_files(manifest, "slide_path")
    assert "2 of 3 files are missing" in str(caught.value)
    assert f"slide a2: no such file: {tmp_path / 'a2.svs'}" in str(caught.value)
    assert "slide b1: no slide_path is given" in str(caught.value)
    assert "a1:" not in str(caught.value)
    check_files(manifest.iloc[:1], "slide_path")


@pytest.mark.parametrize("scanner", [*predictions.RESERVED, per_pair.pair_name("AT2", "GT450")])
def test_a_scanner_that_the_metrics_would_refuse_is_refused_before_any_work(tmp_path, scanner):
    table = pd.DataFrame(
        {"slide_id": ["x"], "specimen_id": ["x"], "patient_id": ["P"], "scanner": [scanner], "label": [0]}
    )
    with pytest.raises(ValueError, match=f"'{scanner}'"):
        predictions.check_predictions(table.assign(probability=0.5))
    assert f"row 5, column scanner: '{scanner}'" in problem_of(write(tmp_path, [*GOOD, row(scanner=scanner)]))


def test_names_that_differ_by_their_spelling_alone_are_one_question_before_any_work(tmp_path):
    scanners = ["GT450", "gt450", "GT 450", "GT-450", "AT2", "GT450"]
    rows = [row(slide_id=f"s{i}", scanner=scanner, slide_path=f"{i}.svs") for i, scanner in enumerate(scanners)]
    rows += [
        row(slide_id=f"t{i}", specimen_id=name, slide_path=f"t{i}.svs") for i, name in enumerate(["1", "1.0", "10"])
    ]
    message = problem_of(write(tmp_path, rows))
    assert "4 problems in the manifest" in message
    for line, spelling in ((3, "gt450"), (4, "GT 450"), (5, "GT-450")):
        assert (
            f"row {line}, column scanner: '{spelling}' differs from 'GT450' in row 2 by its spelling alone" in message
        )
    assert "row 9, column specimen_id: '1.0' differs from '1' in row 8" in message


def test_a_tissue_that_is_unknown_is_named(tmp_path):
    header = HEADER + ",tissue"
    problem = problem_of(write(tmp_path, [f"{GOOD[0]},smear", f"{GOOD[1]},smeer", f"{GOOD[2]},"], header))
    assert "1 problem" in problem
    assert "row 3, column tissue: 'smeer' is unknown; expected section, smear or empty" in problem
