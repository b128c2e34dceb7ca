"""Write a manifest with EGFR labels from a table of TCGA-LUAD protein changes. Research use only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scangen_bundle.cohort import label_manifest, load_manifest, read_egfr_table, write_manifest
from scangen_bundle.cohort.egfr import Definition
from scangen_bundle.errors import report_input_errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", required=True, help="the cohort, one row per scan, patient ids as TCGA-05-4244")
    parser.add_argument("--table", required=True, help="CSV: sample_id, EGFR_protein_change, source_site")
    parser.add_argument("--definition", choices=get_args(Definition), required=True, help="what counts as label 1")
    parser.add_argument("--output", required=True, help="the manifest to write")
    parser.add_argument("--allow-outside", action="store_true", help="accept files that are not below the manifest")
    options = parser.parse_args()

    report_input_errors()
    manifest = load_manifest(options.manifest, allow_outside=options.allow_outside)
    labelled, unmatched = label_manifest(manifest, read_egfr_table(options.table, options.definition))
    write_manifest(labelled, options.output)

    print(labelled.drop_duplicates("patient_id").groupby(["egfr_class", "label"]).size().rename("patients").to_string())
    if unmatched:
        print(f"without label, because not in the table ({len(unmatched)} patients): {', '.join(unmatched)}")
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
