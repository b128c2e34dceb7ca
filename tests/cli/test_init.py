"""A folder of slides becomes a manifest that says what the files tell, to be completed by hand."""

import csv
import shutil

import pytest

from scangen_bundle.testing import make_slide


@pytest.fixture
def slides(tmp_path):
    """Two specimens in a folder for each of two scanners, and what is no slide."""
    for scanner in ("gt450", "s360"):
        for specimen in ("P1_S1", "P2_S2"):
            (tmp_path / "slides" / scanner).mkdir(parents=True, exist_ok=True)
            make_slide(tmp_path / "slides" / scanner / f"{specimen}.tif")
    (tmp_path / "slides" / "._P1_S1.tif").write_bytes(b"\x00\x05\x16\x07" + bytes(100))
    (tmp_path / "slides" / "note.tif").write_text("no slide")
    (tmp_path / "slides" / ".hidden").mkdir()
    shutil.copy(tmp_path / "slides" / "gt450" / "P1_S1.tif", tmp_path / "slides" / ".hidden" / "x.tif")
    return tmp_path / "slides"


def rows(folder):
    return list(csv.DictReader((folder / "manifest.csv").open(encoding="utf-8")))


def test_scanner_and_specimen_come_from_folders_with_the_same_names_and_the_patient_from_a_pattern(scangen, slides):
    ended = scangen("init", "slides", "--patient", r"(P\d)_")
    assert ended.code == 0, ended.stderr
    table = rows(slides.parent)
    assert [(row["slide_id"], row["specimen_id"], row["patient_id"], row["scanner"]) for row in table] == [
        ("P1_S1_gt450", "P1_S1", "P1", "gt450"),
        ("P2_S2_gt450", "P2_S2", "P2", "gt450"),
        ("P1_S1_s360", "P1_S1", "P1", "s360"),
        ("P2_S2_s360", "P2_S2", "P2", "s360"),
    ]
    assert {row["file_mpp"] for row in table} == {"0.5"}
    assert {row["mpp"] for row in table} == {""}
    assert "1 files are left out" in ended.stdout
    assert "label        of all 4 rows" in ended.stdout
    project = (slides.parent / "scangen.yaml").read_text()
    assert "allow_outside: false" in project
    checked = scangen("check", "--quick")
    assert checked.code == 0, checked.stderr
    assert "2 of 2 specimens were scanned on more than one scanner" in checked.stdout


def test_called_again_it_adds_new_slides_and_keeps_what_was_completed(scangen, slides):
    scangen("init", "slides")
    path = slides.parent / "manifest.csv"
    completed = path.read_text().replace(",,gt450,,", ",mine,gt450,1,")
    path.write_text(completed)
    make_slide(slides / "gt450" / "P3_S3.tif")
    ended = scangen("init", "slides")
    assert "5 slides: 1 written to manifest.csv, the others were there" in ended.stdout
    assert path.read_text().startswith(completed)
    assert rows(slides.parent)[-1]["slide_path"] == "slides/gt450/P3_S3.tif"


def test_slides_elsewhere_have_full_paths_and_are_allowed(scangen, slides, tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    scangen("init", slides)
    assert rows(tmp_path / "project")[0]["slide_path"] == f"{slides}/gt450/P1_S1.tif"
    assert "allow_outside: true" in (tmp_path / "project" / "scangen.yaml").read_text()


def test_real_slides_tell_scanner_patient_and_resolution(scangen, real_data, tmp_path):
    ended = scangen("init", real_data)
    table = {row["slide_id"]: row for row in rows(tmp_path)}
    assert len(table) == 11
    assert table["cmu-1-small-region"]["scanner"] == "aperio-cs"
    assert table["cmu-1-small-region"]["file_mpp"] == "0.499"
    assert table["tcga-cr-7395-01a-01-ts1"]["patient_id"] == "TCGA-CR-7395"
    assert table["Z_BB_563479_1"]["file_mpp"] == ""  # 1,000 µm/px is not believed
    assert "mpp          of 10 of 11 rows" in ended.stdout
