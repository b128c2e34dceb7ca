"""View a run in the browser: `python -m scangen_bundle.viewer outputs/mine`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from scangen_bundle.errors import report_input_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, and serve until Ctrl-C.

    Raises:
        InputError: the run or its manifest cannot be read, or the port cannot be listened on.
    """
    parser = argparse.ArgumentParser(prog="python -m scangen_bundle.viewer", description=__doc__)
    parser.add_argument("run", help="folder of a run that was evaluated, or of its inference")
    parser.add_argument("--manifest", help="CSV of the cohort, which says where the slides are")
    parser.add_argument("--features-dir", help="folder of the feature bags, where the manifest does not name them")
    parser.add_argument("--allow-outside", action="store_true", help="accept slides outside the manifest's folder")
    parser.add_argument("--specimen", default="", help="name of the specimen that is opened first")
    parser.add_argument("--port", type=int, default=0, help="to listen on; 0 (default) for any that is free")
    parser.add_argument("--no-browser", action="store_true", help="print the address only")
    options = parser.parse_args(arguments)

    from scangen_bundle.viewer.inputs import read_viewed_run
    from scangen_bundle.viewer.serve import serve

    run = read_viewed_run(options.run, options.manifest, options.features_dir, options.allow_outside)
    serve(run, options.port, browser=not options.no_browser, specimen=options.specimen)


if __name__ == "__main__":
    report_input_errors()
    main()
