"""`scangen`: the commands in the order of the work; each is imported when it is called."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib import import_module

import click

from scangen_bundle import RESEARCH_USE_ONLY, __version__
from scangen_bundle.cli.jobs import JOBS
from scangen_bundle.errors import report_input_errors
from scangen_bundle.settings.shipped import configs_folder

SECTIONS = {
    "Begin": ("init", "check", "doctor", "phantom"),
    "Work": ("extract", "audit", "bank", "train", "evaluate", "compare", "study", "predict", "benchmark"),
    "Look": ("view", "report", "score"),
    "Share and care": ("pack", "clean", "completion"),
}
# Words of the configs and of other programs.
OTHER_WORDS = {job.step: job.name for job in JOBS} | {
    "infer": "predict",
    "test": "evaluate",
    "viewer": "view",
    "deploy": "pack",
}
EXIT_CODES = (
    "Exit codes: 0 done; 1 the message says what to correct; 2 the command line is wrong; 3 some slides failed, the others "
    "are finished; 130 Ctrl-C; 143 terminated. The same command resumes."
)


class Commands(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work."""
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None where there is none."""
        name = cmd_name.replace("_", "-")
        for job in JOBS:
            if job.name == name and (configs_folder() / job.config).is_file():
                from scangen_bundle.cli.bundle_command import BundleCommand

                return BundleCommand(job)
        if name not in self.list_commands(ctx) or name in {job.name for job in JOBS}:
            return None
        command = import_module(f"scangen_bundle.cli.{name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word, or a usage error with what was meant."""
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            names = self.list_commands(ctx)
            near = difflib.get_close_matches(OTHER_WORDS.get(word, word), names, n=2, cutoff=0.5)
            hint = f": did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"there is no command {word!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Sections with a line for each command."""
        for title, names in SECTIONS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in commands if command])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What the exit codes mean."""
        formatter.write_paragraph()
        formatter.write_text(EXIT_CODES)
        formatter.write_paragraph()
        formatter.write_text(RESEARCH_USE_ONLY)


SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "token_normalize_func": lambda word: word.replace("_", "-"),
    "max_content_width": 110,
}


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(__version__)
def commands() -> None:
    """Measure and mend scanner sensitivity of pathology AI.

    `scangen COMMAND --help` lists a command's options. Settings that are the same for all commands stand in scangen.yaml,
    which `scangen init` writes.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    report_input_errors()
    try:
        code = commands.main(arguments, prog_name="scangen", standalone_mode=False)
    except click.UsageError as error:
        program = error.ctx.command_path if error.ctx else "scangen"
        click.echo(f"error: {error.format_message()}\n{program} --help lists what there is", err=True)
        return 2
    except click.Abort as error:
        raise error.__cause__ or KeyboardInterrupt from None
    return code if isinstance(code, int) else 0
