"""EGFR protein changes as slide labels: the TCGA-LUAD table, and what counts as mutated.

Which changes are which (lung adenocarcinoma; transcript NM_005228, whose exon 19 is codons 729 to 761 and exon 20 codons
762 to 823):

- `L858R` and `exon19_deletion`, the classical sensitising mutations: T. J. Lynch et al., N Engl J Med 350, 2004,
  2129-2139; J. G. Paez et al., Science 304, 2004, 1497-1500. Any deletion within the exon that removes more residues
  than it inserts counts, whatever its subtype: doi 10.1186/s12885-021-08942-x and PubMed 29340050 found no difference.
- `L861Q`, `G719X` (any substitution of G719) and `S768I`, the uncommon sensitising mutations: J. C.-H. Yang et al.,
  Lancet Oncol 16, 2015, 830-838; T. Zhang et al., Transl Lung Cancer Res 8, 2019, 302-316.
- `exon20_insertion` (duplications are insertions, too), oncogenic, but mostly resistant to the drugs that act on the
  others, hence listed apart: M. E. Arcila et al., Mol Cancer Ther 12, 2013, 220-229; Yang et al. 2015.
- `other`: every other change of the protein, from T790M and exon-18 deletions to passengers.
- `silent`: the codon changes, the protein does not.

Research use only: these labels are not a drug recommendation.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Literal, get_args

import pandas as pd

from scangen_bundle.cohort.manifest import UNLABELLED
from scangen_bundle.errors import InputError, listed, some
from scangen_bundle.tables import comma_separated

logger = logging.getLogger(__name__)

Definition = Literal["any", "activating", "activating_or_exon20"]

WILD_TYPE = "wild_type"
ACTIVATING = ("L858R", "exon19_deletion", "L861Q", "G719X", "S768I")
CLASSES = (*ACTIVATING, "exon20_insertion", "other", "silent")

_EXON_19 = (729, 761)
_EXON_20 = (762, 823)
_TABLE_COLUMNS = ("sample_id", "EGFR_protein_change")
_BARCODE = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-\d{2}")  # project, source site, patient, sample type
_PATIENT, _SAMPLE = 12, 15  # characters of a barcode that name the patient, and the sample with its type

_SUBSTITUTION = re.compile(r"([A-Z])(\d+)([A-Z=])")
_TRUNCATION = re.compile(r"[A-Z]\d+(\*|[A-Z]?fs(\*(\d+|\?)?)?)|[A-Z]?\d+_splice")
_RANGE = re.compile(
    r"[A-Z](?P<start>\d+)(_[A-Z](?P<end>\d+))?"
    r"(?P<kind>dup[A-Z]*|del[A-Z]*ins(?P<replacing>[A-Z]+)|>(?P<becoming>[A-Z]+)|del[A-Z]*|ins[A-Z]*)"
)


def classify_change(change: str) -> str:
    """Class (of `CLASSES`) of one protein change in one-letter HGVS, such as "L858R" or "p.E746_A750del".

    The older notation of cBioPortal for a deletion with insertion, "L747_T751>P", is understood as well.

    Raises:
        InputError: the text is not a protein change that this knows; it is never guessed.
    """
    text = change.strip().removeprefix("p.")
    if match := _SUBSTITUTION.fullmatch(text):
        before, position, after = match.groups()
        if after in ("=", before):
            return "silent"
        if before + position == "G719":
            return "G719X"
        return text if text in ACTIVATING else "other"
    if _TRUNCATION.fullmatch(text):
        return "other"
    if match := _RANGE.fullmatch(text):
        start, end = int(match["start"]), int(match["end"] or match["start"])
        change_type = match["kind"]
        # "A_B ins" names the two residues next to the gap, every other change the residues that are themselves changed.
        if change_type.startswith("ins") and end == start + 1:
            return "exon20_insertion" if end >= _EXON_20[0] and start <= _EXON_20[1] else "other"
        if not change_type.startswith("ins") and start <= end:
            inserted = match["replacing"] or match["becoming"] or ""
            gained = 1 if change_type.startswith("dup") else len(inserted) - (end - start + 1)
            if gained > 0 and _EXON_20[0] <= start and end <= _EXON_20[1]:
                return "exon20_insertion"
            if gained < 0 and _EXON_19[0] <= start and end <= _EXON_19[1]:
                return "exon19_deletion"
            return "other"
    raise InputError(
        "EGFR protein change",
        f"{change!r} is unknown",
        "write it as L858R, E746_A750del, L747_P753delinsS, H773dup ...",
    )


def classify_changes(changes: str) -> str:
    """Class of all the changes of a sample, which are separated by spaces, commas or semicolons.

    Returns:
        "wild_type" for "WT"; otherwise the classes in the order of `CLASSES`, each once, joined by "+", such as
        "G719X+S768I" or "L858R+other".

    Raises:
        InputError: no change, or an unknown one.
    """
    tokens = re.split(r"[\s,;]+", changes.strip())
    if tokens == ["WT"]:
        return WILD_TYPE
    classes = set(map(classify_change, tokens))
    return "+".join(name for name in CLASSES if name in classes)


def label_of_class(egfr_class: str, definition: Definition) -> int:
    """0 or 1 for a class (as from `classify_changes`).

    Definitions: "any" = any change of the protein; "activating" = one of `ACTIVATING`, alone or with others;
    "activating_or_exon20" = those and exon-20 insertions. What does not count is 0, so "activating" gives 0 to a
    tumour with an exon-20 insertion alone; `egfr_class` tells which these are, if one would rather leave them out.
    """
    _check_definition(definition)
    classes = set(egfr_class.split("+"))
    if definition == "any":
        return int(bool(classes - {WILD_TYPE, "silent"}))
    mutated = set(ACTIVATING)
    if definition == "activating_or_exon20":
        mutated.add("exon20_insertion")
    return int(bool(classes & mutated))


def read_egfr_table(path: str | os.PathLike[str], definition: Definition) -> pd.DataFrame:
    """Read the table of EGFR status per TCGA-LUAD sample.

    Args:
        path: CSV with the columns `sample_id` and `EGFR_protein_change` ("WT", or the changes separated by spaces), and
            perhaps `patient_id` and `source_site`. Without `patient_id` the patient of a TCGA barcode is its first 12
            characters, and any other id (CPTAC's C3L-00604, a hospital's own) is the patient's.
        definition: what counts as label 1, see `label_of_class`.

    Returns:
        One row per sample: `patient_id`, `sample_id`, `source_site`,
        `protein_change`, `egfr_class` (see `classify_changes`), `label` (int64).

    Raises:
        InputError: the file cannot be read, lacks a column, names a sample twice, or has an empty id or a protein
            change that is unknown; all rows at fault are named.
    """
    _check_definition(definition)
    try:
        table = pd.read_csv(comma_separated(path), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(path, f"the table cannot be read: {error}", "give a CSV file in UTF-8") from error
    if missing := [column for column in _TABLE_COLUMNS if column not in table]:
        raise InputError(path, f"columns missing: {missing}; found {list(table)}", f"name them {list(_TABLE_COLUMNS)}")

    problems, classes = [], []
    repeated = table["sample_id"].duplicated()
    rows = zip(table["sample_id"], table["EGFR_protein_change"], repeated, strict=True)
    for row, (sample, changes, is_repeated) in enumerate(rows, start=2):
        if not sample:
            problems.append(f"row {row}, column sample_id: is empty")
        elif is_repeated:
            problems.append(f"row {row}, column sample_id: {sample!r} is there twice")
        try:
            classes.append(classify_changes(changes))
        except InputError as error:
            problems.append(f"row {row}, column EGFR_protein_change: {error.problem}")
    if problems:
        raise InputError(path, listed(f"problems: {len(problems)}", problems), "correct or remove these rows")
    return pd.DataFrame(
        {
            "patient_id": table.get("patient_id", table["sample_id"].map(_patient_of)),
            "sample_id": table["sample_id"],
            "source_site": table.get("source_site", ""),
            "protein_change": table["EGFR_protein_change"],
            "egfr_class": classes,
            "label": pd.Series([label_of_class(name, definition) for name in classes], dtype="int64"),
        }
    )


def _patient_of(sample: str) -> str:
    return sample[:_PATIENT] if _BARCODE.fullmatch(sample) else sample


def label_manifest(manifest: pd.DataFrame, egfr: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give each scan of a manifest the EGFR label of its patient; labels that the manifest had before are dropped.

    A specimen with the id of a sample of the table gets this sample's label. Where a specimen id is a TCGA barcode, its
    sample has to be the one of the table, because slides of the same patient's normal tissue (sample type 11) do not
    carry the tumour's mutation.

    Args:
        manifest: the scans; `patient_id` as in the table.
        egfr: as from `read_egfr_table`.

    Returns:
        The manifest with `label` (-1 = unlabelled) and the column `egfr_class` ("" = unlabelled), and the sorted ids
        of the patients of whom at least one scan got no label.

    Raises:
        InputError: no patient is in the table, or a patient's samples have different labels.
    """
    samples: dict[str, pd.DataFrame] = {str(patient): group for patient, group in egfr.groupby("patient_id")}
    if not set(manifest["patient_id"]) & samples.keys():
        theirs, ours = some(sorted(samples), 3), some(sorted(set(manifest["patient_id"])), 3)
        problem = f"no patient of the manifest ({ours}) is in the EGFR table ({theirs})"
        raise InputError("patient_id", problem, "write the ids alike, or give the table a column patient_id")
    labels, classes = [], []
    ambiguous: list[str] = []
    for patient, specimen in zip(manifest["patient_id"], manifest["specimen_id"], strict=True):
        candidates = samples.get(patient, egfr.iloc[:0])
        sample = specimen[:_SAMPLE] if _BARCODE.match(specimen) else specimen
        if _BARCODE.match(specimen) or sample in set(candidates["sample_id"]):
            candidates = candidates[candidates["sample_id"] == sample]
        if candidates["label"].nunique() > 1:
            ambiguous.append(f"specimen {specimen}: its patient has samples with label 0 and with label 1")
        labels.append(int(candidates["label"].iloc[0]) if len(candidates) else UNLABELLED)
        classes.append("/".join(sorted(set(candidates["egfr_class"]))))
    if ambiguous:
        raise InputError(
            "EGFR table",
            listed("the label is ambiguous", sorted(set(ambiguous))),
            "keep the sample in the table that the slides are of",
        )
    labelled = manifest.assign(label=pd.Series(labels, index=manifest.index, dtype="int64"), egfr_class=classes)
    unmatched = sorted(set(labelled.loc[labelled["label"] == UNLABELLED, "patient_id"]))
    if unmatched:
        logger.warning("%d of %d patients are not all labelled", len(unmatched), manifest["patient_id"].nunique())
    return labelled, unmatched


def _check_definition(definition: str) -> None:
    if definition not in get_args(Definition):
        raise InputError("definition", f"{definition!r} is unknown", f"give one of {', '.join(get_args(Definition))}")
