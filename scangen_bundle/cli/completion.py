"""Completion of commands, options and names by the tabulator key."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

FILES = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/scangen.fish"}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(FILES)))
def command(shell: str) -> None:
    """Print the script that completes commands in a shell.

    \b
      scangen completion bash >> ~/.bashrc
    """
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(f"# scangen, for {FILES[shell]}")
    click.echo(complete(click.Command("scangen"), {}, "scangen", "_SCANGEN_COMPLETE").source())
