"""Make a cohort of synthetic H&E slides on six virtual scanners. Research use only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scangen_bundle.errors import report_input_errors
from scangen_bundle.phantom import SCANNERS, make_phantom_cohort

EXPLANATION = """
Each specimen is rendered once (glands, stroma, lymphocytes) and then scanned by every virtual scanner, each with its
own resolution, colours, sharpness, noise, JPEG quality and stage shift. In specimens with label 1 some glands have
enlarged, pale nuclei with nucleoli; in both labels some have enlarged nuclei without these two signs, so that size and
disorder alone do not tell the label. Every third patient has two specimens.

written to the output folder:
  manifest.csv   one row per scan: what the bundle's other commands take
  slides/        pyramidal .svs and .tif files that OpenSlide opens
  truth/         per specimen: phenotype map (PNG: 0 glass, 1 stroma, 2 gland, 3 altered gland) and facts (JSON)
  phantom.json   what the cohort was made with
  preview.png    the same field of two specimens on every scanner

Run it again to resume: finished slides are kept. Other parameters need another folder.

example:
  python scripts/make_phantom_cohort.py --output data/phantom
  python scripts/make_phantom_cohort.py --output /tmp/tiny --specimens 4 --size-um 400
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXPLANATION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", required=True, help="folder to write to; made if it is not there")
    parser.add_argument("--specimens", type=int, default=60, help=f"each on {len(SCANNERS)} scanners (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another cohort (default: 0)")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one per core); changes no pixel")
    parser.add_argument("--size-um", type=float, default=560.0, help="side of a scan in µm, with glass (default: 560)")
    options = parser.parse_args()
    report_input_errors()
    manifest = make_phantom_cohort(options.output, options.specimens, options.seed, options.workers, options.size_um)
    print(f"wrote {manifest}")


if __name__ == "__main__":
    main()
