import runpy
import sys

import pandas as pd
import pytest

from scangen_bundle.cohort import label_manifest, load_manifest, read_egfr_table
from scangen_bundle.cohort.egfr import classify_change, classify_changes, label_of_class
from scangen_bundle.errors import InputError
from tests import commands

HEADER = "sample_id,EGFR_protein_change,source_site"


def table(folder, rows, header=HEADER):
    path = folder / "egfr.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def manifest(rows) -> pd.DataFrame:
    """Scans of (slide, specimen, patient)."""
    frame = pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id"])
    return frame.assign(scanner="AT2", label=-1, slide_path="", features_path="", mpp=float("nan"), split="")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("L858R", "L858R"),
        ("p.L858R", "L858R"),
        ("L861Q", "L861Q"),
        ("L861R", "other"),
        ("G719A", "G719X"),
        ("G719S", "G719X"),
        ("G719C", "G719X"),
        ("G719=", "silent"),
        ("G719G", "silent"),
        ("G721V", "other"),
        ("S768I", "S768I"),
        ("S768N", "other"),
        ("T790M", "other"),
        ("L210=", "silent"),
        ("Q486*", "other"),
        ("D1083Efs*11", "other"),
        ("D1083fs", "other"),
        ("X688_splice", "other"),
        ("E746_A750del", "exon19_deletion"),
        ("E746_A750delELREA", "exon19_deletion"),
        ("L747_P753delinsS", "exon19_deletion"),
        ("L747_A750delinsP", "exon19_deletion"),
        ("L747_T751>P", "exon19_deletion"),
        ("T751_I759delinsN", "exon19_deletion"),
        ("K754_I759del", "exon19_deletion"),
        ("K745del", "exon19_deletion"),
        ("L747_A750delinsPKLI", "other"),  # as many residues as before
        ("I744_K745insKIPVAI", "other"),  # an exon-19 insertion
        ("E709_T710delinsD", "other"),  # an exon-18 deletion
        ("I853_L858del", "other"),  # exon 21
        ("E762_A763del", "other"),  # a deletion, but in exon 20
        ("D770_N771insSVD", "exon20_insertion"),
        ("D770_N771insGL", "exon20_insertion"),
        ("D761_E762insEAFQ", "exon20_insertion"),  # the gap before the exon's first codon
        ("A763_Y764insFQEA", "exon20_insertion"),
        ("A767_V769dup", "exon20_insertion"),
        ("H773dup", "exon20_insertion"),
        ("N771delinsGY", "exon20_insertion"),
        ("D770_P772delinsGYNPHV", "exon20_insertion"),
        ("E746_A750dup", "other"),
        ("P848_L858dup", "other"),
    ],
)
def test_class_of_a_change(change, expected):
    assert classify_change(change) == expected


@pytest.mark.parametrize(
    "text", ["", "WT", "mutated", "858", "L858", "Leu858Arg", "A750_E746del", "D770_P780insG", "NS"]
)
def test_unknown_change_is_never_guessed(text):
    with pytest.raises(InputError, match="is unknown"):
        classify_change(text)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("WT", "wild_type"),
        ("S768I G719C", "G719X+S768I"),
        ("G719A S768I", "G719X+S768I"),
        ("L858R T790M", "L858R+other"),
        ("L858R,L62R", "L858R+other"),
        ("L861Q L387M D1083Efs*11", "L861Q+other"),
        ("R222L; E545Q", "other"),
    ],
)
def test_class_of_combined_changes(changes, expected):
    assert classify_changes(changes) == expected


def test_wild_type_beside_a_change_is_a_contradiction():
    with pytest.raises(InputError, match="'WT' is unknown"):
        classify_changes("WT L858R")


@pytest.mark.parametrize(
    ("egfr_class", "any_change", "activating", "with_exon20"),
    [
        ("wild_type", 0, 0, 0),
        ("silent", 0, 0, 0),
        ("other", 1, 0, 0),
        ("L858R", 1, 1, 1),
        ("exon19_deletion+other", 1, 1, 1),
        ("exon20_insertion", 1, 0, 1),
        ("S768I+exon20_insertion", 1, 1, 1),
    ],
)
def test_label_follows_the_definition(egfr_class, any_change, activating, with_exon20):
    assert label_of_class(egfr_class, "any") == any_change
    assert label_of_class(egfr_class, "activating") == activating
    assert label_of_class(egfr_class, "activating_or_exon20") == with_exon20


def test_table_of_tcga_has_the_counts_of_a_hand_count(real_data):
    path = real_data / "reference" / "tcga_luad_egfr.csv"
    frame = read_egfr_table(path, "activating")
    # Counted with sort | uniq -c: 496 WT, one silent (L210=); L858R 19 alone and 4 with another change; exon-19 deletions
    # 16 + 2 + 2 alone and 3 with another; G719X 1, with S768I 2; L861Q 1, with others 2; exon-20 insertions 3.
    assert len(frame) == 566
    assert frame["egfr_class"].value_counts().to_dict() == {
        "wild_type": 496,
        "silent": 1,
        "L858R": 19,
        "L858R+other": 4,
        "exon19_deletion": 20,
        "exon19_deletion+other": 3,
        "G719X": 1,
        "G719X+S768I": 2,
        "L861Q": 1,
        "L861Q+other": 2,
        "exon20_insertion": 3,
        "other": 14,
    }
    assert frame["label"].sum() == 52
    assert read_egfr_table(path, "any")["label"].sum() == 69
    assert read_egfr_table(path, "activating_or_exon20")["label"].sum() == 55
    assert frame["patient_id"].is_unique
    assert frame.loc[0, ["patient_id", "sample_id", "source_site", "protein_change"]].tolist() == [
        "TCGA-05-4244",
        "TCGA-05-4244-01",
        "Indivumed",
        "WT",
    ]


def test_bad_rows_of_the_table_are_all_named(tmp_path):
    rows = ["TCGA-05-4244-01,L858R,x", ",WT,x", "TCGA-05-4244-01,WT,x", "TCGA-05-4250-01,L858,x"]
    with pytest.raises(InputError) as caught:
        read_egfr_table(table(tmp_path, rows), "any")
    message = str(caught.value)
    assert "row 3, column sample_id: is empty" in message
    assert "row 4, column sample_id: 'TCGA-05-4244-01' is there twice" in message
    assert "row 5, column EGFR_protein_change: 'L858' is unknown" in message


def test_table_that_is_missing_or_lacks_a_column_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_egfr_table(tmp_path / "none.csv", "any")
    with pytest.raises(InputError, match=r"columns missing: \['EGFR_protein_change'\]"):
        read_egfr_table(table(tmp_path, ["TCGA-05-4244-01,x"], "sample_id,source_site"), "any")


def test_unknown_definition_is_refused(tmp_path):
    with pytest.raises(InputError, match="give one of any, activating, activating_or_exon20"):
        read_egfr_table(table(tmp_path, []), "activated")


def test_labels_reach_all_scans_of_a_patient_and_unmatched_patients_are_told(tmp_path):
    egfr = read_egfr_table(table(tmp_path, ["TCGA-05-4244-01,L858R,x", "TCGA-05-4249-01,WT,x"]), "activating")
    scans = manifest(
        [("a", "a", "TCGA-05-4244"), ("b", "a", "TCGA-05-4244"), ("c", "c", "TCGA-99-0000"), ("d", "d", "TCGA-05-4249")]
    ).assign(label=[0, 0, 1, 0])
    labelled, unmatched = label_manifest(scans.iloc[::-1], egfr)
    assert labelled.sort_index()["label"].tolist() == [1, 1, -1, 0]  # 1 of the unmatched patient is dropped
    assert labelled.sort_index()["egfr_class"].tolist() == ["L858R", "L858R", "", "wild_type"]
    assert unmatched == ["TCGA-99-0000"]


def test_normal_tissue_of_a_mutated_patient_gets_no_label(tmp_path):
    egfr = read_egfr_table(table(tmp_path, ["TCGA-05-4244-01,L858R,x"]), "any")
    scans = manifest(
        [("a", "TCGA-05-4244-01A-01-TS1", "TCGA-05-4244"), ("b", "TCGA-05-4244-11A-01-TS1", "TCGA-05-4244")]
    )
    labelled, unmatched = label_manifest(scans, egfr)
    assert labelled["label"].tolist() == [1, -1]
    assert unmatched == ["TCGA-05-4244"]


def test_patient_whose_samples_differ_is_ambiguous_unless_the_specimen_tells(tmp_path):
    egfr = read_egfr_table(table(tmp_path, ["TCGA-05-4244-01,L858R,x", "TCGA-05-4244-02,WT,x"]), "any")
    with pytest.raises(InputError, match="specimen block7: its patient has samples with label 0 and with label 1"):
        label_manifest(manifest([("a", "block7", "TCGA-05-4244")]), egfr)
    labelled, _ = label_manifest(manifest([("a", "TCGA-05-4244-02Z-00-DX1", "TCGA-05-4244")]), egfr)
    assert labelled["label"].tolist() == [0]


def test_manifest_without_any_known_patient_is_refused(tmp_path):
    egfr = read_egfr_table(table(tmp_path, ["TCGA-05-4244-01,L858R,x"]), "any")
    with pytest.raises(InputError, match="no patient of the manifest"):
        label_manifest(manifest([("a", "a", "TCGA-05-4244-01Z")]), egfr)


def test_command_writes_a_labelled_manifest(tmp_path, bundle_root, monkeypatch, capsys):
    source = tmp_path / "manifest.csv"
    source.write_text(
        "slide_id,specimen_id,patient_id,scanner,label,slide_path\n"
        "a,a,TCGA-05-4244,AT2,,a.svs\nb,b,TCGA-05-4249,AT2,,b.svs\nc,c,TCGA-99-0000,AT2,,c.svs\n"
    )
    egfr = table(tmp_path, ["TCGA-05-4244-01,E746_A750del,x", "TCGA-05-4249-01,WT,x"])
    output = tmp_path / "labelled.csv"
    arguments = ["--manifest", source, "--table", egfr, "--definition", "activating", "--output", output]
    monkeypatch.setattr(sys, "argv", ["label_egfr.py", *map(str, arguments)])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "path", list(sys.path))
    runpy.run_path(str(bundle_root / "scripts" / "label_egfr.py"), run_name="__main__")
    labelled = load_manifest(output)
    assert labelled["label"].tolist() == [1, 0, -1]
    assert labelled["slide_path"].tolist() == [str(tmp_path / f"{name}.svs") for name in "abc"]
    shown = capsys.readouterr().out
    assert "without label, because not in the table (1 patients): TCGA-99-0000" in shown


def test_command_ends_with_one_message_and_writes_nothing_on_bad_input(tmp_path, bundle_root):
    source = tmp_path / "manifest.csv"
    source.write_text("slide_id,specimen_id,patient_id,scanner,label,slide_path\n../a,a,TCGA-05-4244,AT2,,a.svs\n")
    output = tmp_path / "labelled.csv"
    script = bundle_root / "scripts" / "label_egfr.py"
    arguments = ["--manifest", source, "--table", "none.csv", "--definition", "any", "--output", output]
    done = commands.run([sys.executable, script, *arguments])
    assert done.returncode != 0
    assert done.stderr.startswith(f"error: {source}: 1 problem in the manifest")
    assert "row 2, column slide_id: '../a' has a slash" in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


def test_ids_of_cptac_and_of_a_hospital_match_the_manifests_patients(tmp_path):
    path = table(tmp_path, ["C3L-00604,L858R", "C3N-01023,WT"], "sample_id,EGFR_protein_change")
    scans = manifest([("a", "C3L-00604-21", "C3L-00604"), ("b", "b", "C3N-01023"), ("c", "c", "C3L-9")])
    labelled, unmatched = label_manifest(scans, read_egfr_table(path, "any"))
    assert labelled["label"].tolist() == [1, 0, -1]
    assert unmatched == ["C3L-9"]
    path = table(tmp_path, ["S1,7,WT", "S2,7,L858R"], "sample_id,patient_id,EGFR_protein_change")
    labelled, _ = label_manifest(manifest([("a", "S1", "7"), ("b", "S2", "7")]), read_egfr_table(path, "any"))
    assert labelled["label"].tolist() == [0, 1]
    with pytest.raises(InputError, match=r"no patient of the manifest \(P1\) is in the EGFR table \(7\)"):
        label_manifest(manifest([("a", "S1", "P1")]), read_egfr_table(path, "any"))
