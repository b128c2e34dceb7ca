"""`python -m scangen_bundle.cli` is the command `scangen`."""

import sys

from scangen_bundle.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
