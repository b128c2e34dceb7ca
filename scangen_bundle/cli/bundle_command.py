"""A command that runs a step of a config: its options are the config's settings."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import click

from scangen_bundle.cli.arguments import make_call
from scangen_bundle.cli.jobs import Job
from scangen_bundle.cli.options import SettingOption, read_assignment, setting_options
from scangen_bundle.cli.preflight import check_before
from scangen_bundle.settings.shipped import configs_folder


class BundleCommand(click.Command):
    """The command of a job. Its config is read when options are needed.

    Args:
        job: what it runs.
    """

    def __init__(self, job: Job) -> None:
        super().__init__(job.name, help=f"{job.title}\n\n  {job.example}", short_help=job.title)
        self.job = job

    @cached_property
    def _options(self) -> list[click.Parameter]:
        arguments: list[click.Parameter] = []
        if self.job.takes_run:
            arguments.append(click.Argument(["run"], required=False, type=click.Path()))
        if self.job.takes_cohort:
            arguments.append(click.Argument(["cohort"], required=False, type=click.Path()))
        common: list[click.Parameter] = [
            click.Option(
                ["--overlay"], multiple=True, metavar="FILE", help="A config file over the command's own; repeatable."
            ),
            click.Option(["--set"], multiple=True, metavar="NAME=VALUE", help="Any value of the config; repeatable."),
            click.Option(
                ["--show-config"], is_flag=True, help="Print the command of MONAI that does the same, and stop."
            ),
        ]
        return [*arguments, *setting_options(configs_folder() / self.job.config, self.job.takes), *common]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Arguments and options of the config, and those of all commands."""
        return [*self._options, *super().get_params(ctx)]

    def invoke(self, ctx: click.Context) -> None:
        """Check what can be known, then run the step."""
        given: dict[str, Any] = {}
        for option in self._options:
            if isinstance(option, SettingOption) and _is_given(ctx, option):
                given[option.setting] = ctx.params[str(option.name)]
        given.update(read_assignment(text) for text in ctx.params["set"])
        arguments = {name: ctx.params.get(name) for name in ("run", "cohort")}
        call = make_call(self.job, **arguments, given=given, overlays=ctx.params["overlay"])
        if ctx.params["show_config"]:
            click.echo(call.command_line())
            return
        check_before(self.job, call)
        call.run()


def _is_given(ctx: click.Context, option: click.Option) -> bool:
    source = ctx.get_parameter_source(str(option.name))
    return source is click.core.ParameterSource.COMMANDLINE
