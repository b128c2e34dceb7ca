"""Write a manifest with EGFR labels from a table of TCGA-LUAD protein changes. Research use only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scangen_bundle import RESEARCH_USE_ONLY
from scangen_bundle.cohort import label_manifest, load_manifest, read_egfr_table, write_manifest
from scangen_bundle.cohort.egfr import Definition
from scangen_bundle.cohort.manifest import UNLABELLED
from scangen_bundle.errors import report_input_errors

EXPLANATION = """
definitions of label 1; everything else in the table is 0:
  any                   any change of the protein, passengers such as R222L included
  activating            L858R, exon-19 deletions, L861Q, G719X or S768I, alone or with others
  activating_or_exon20  those, and exon-20 insertions

The written manifest has a column egfr_class (L858R, exon19_deletion, exon20_insertion, other, wild_type, ...), so that
a class can be left out. Patients who are not in the table stay without a label.

sample_id is a TCGA barcode, or any id of a patient as the manifest writes it, such as CPTAC's C3L-00604; where a sample
has an id of its own, add a column patient_id.

the table:
  sample_id,EGFR_protein_change,source_site
  TCGA-05-4244-01,L858R,Indivumed
  TCGA-05-4249-01,WT,Indivumed

example:
  python scripts/label_egfr.py --manifest my_cohort/scans.csv --table egfr.csv --definition activating \\
      --output my_cohort/manifest.csv
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXPLANATION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifest", required=True, help="the cohort, one row per scan")
    parser.add_argument(
        "--table", required=True, help="CSV: sample_id, EGFR_protein_change, perhaps patient_id, source_site"
    )
    parser.add_argument("--definition", choices=get_args(Definition), required=True, help="what counts as label 1")
    parser.add_argument("--output", required=True, help="the manifest to write")
    parser.add_argument("--allow-outside", action="store_true", help="accept files that are not below the manifest")
    options = parser.parse_args()

    report_input_errors()
    manifest = load_manifest(options.manifest, allow_outside=options.allow_outside)
    labelled, unmatched = label_manifest(manifest, read_egfr_table(options.table, options.definition))
    write_manifest(labelled, options.output)

    patients = labelled[labelled["label"] != UNLABELLED].drop_duplicates("patient_id")
    print(patients.groupby(["egfr_class", "label"]).size().rename("patients").to_string())
    if unmatched:
        print(f"without label, because not in the table ({len(unmatched)} patients): {', '.join(unmatched)}")
    print(f"wrote {options.output}")
    print(RESEARCH_USE_ONLY)


if __name__ == "__main__":
    main()
