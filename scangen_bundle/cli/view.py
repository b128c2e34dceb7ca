"""View a run in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from scangen_bundle.cli.arguments import find_run
from scangen_bundle.cli.project import find_project


@click.command("view")
@click.argument("run", required=False)
@click.option("--manifest", help="Table of the cohort, which says where the slides are.")
@click.option("--features-dir", help="Folder of the feature bags, where the manifest does not name them.")
@click.option("--allow-outside", is_flag=True, help="Accept slides outside the manifest's folder.")
@click.option("--specimen", default="", help="Name of the specimen that is opened first.")
@click.option("--port", default=0, help="To listen on.  [default: any that is free]")
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def command(
    run: str | None,
    manifest: str | None,
    features_dir: str | None,
    allow_outside: bool,
    specimen: str,
    port: int,
    no_browser: bool,
) -> None:
    """The same tissue on all scanners, side by side, in a browser.

    RUN is an evaluated run, or a folder of predictions. Only this machine can see the page.
    """
    folder = find_run(run, find_project(Path.cwd()))
    click.echo("loading ...", err=True)
    from scangen_bundle.viewer.inputs import read_viewed_run
    from scangen_bundle.viewer.serve import serve

    viewed = read_viewed_run(str(folder), manifest, features_dir, allow_outside)
    serve(viewed, port, browser=not no_browser, specimen=specimen)
