"""Settings of a config as options of a command: `max_epochs: 30  # 1 or more` becomes `--max-epochs`, checked as it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from scangen_bundle.cli.config_files import nearest, overlay_names
from scangen_bundle.errors import InputError
from scangen_bundle.settings.entries import PLUMBING, Setting, is_part, is_step, read_settings
from scangen_bundle.settings.kinds import TEXTS, Kind, kind_of, stated_kind

NONE = ("none", "None", "null")
# Short names of options; the configs' own names serve as well.
SHORT = {"encoder_name": "encoder", "manifest_path": "manifest", "run_name": "run-name"}
# What arguments say, or nothing that a user sets.
LEFT_OUT = {
    "cohort": ("bundle_root", "dataset_dir", "run_dir", "num_classes", "num_features"),
    "run": ("bundle_root", "run_dir", "output_dir", "run_name"),
    "run and cohort": ("bundle_root", "run_dir", "output_dir", "run_name", "dataset_dir", "checkpoint"),
}


class SettingType(click.ParamType):
    """A typed value of a setting: read by its kind, and checked.

    Lists are written with commas, mappings as YAML writes them.
    """

    name = "value"

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value, or a usage error that says what is expected."""
        if not isinstance(value, str):
            return value
        if value.startswith(("$", "@", "%")):
            self.fail(f"{value!r} is an expression, which runs code; it is given with --set NAME=VALUE", param, ctx)
        meant = read_word(value, self.kind)
        if not self.kind.admits(meant):
            self.fail(f"{value!r} is not what is expected: {expectation(self.kind)}", param, ctx)
        return meant


class NameType(click.ParamType):
    """A name of what the bundle has, such as an encoder; "did you mean" where it has none of this name.

    Args:
        noun: what is named: "encoder", "method" or "tissue".
    """

    name = "name"

    def __init__(self, noun: str) -> None:
        self.noun = noun

    def names(self) -> list[str]:
        """All names."""
        if self.noun == "encoder":
            from scangen_bundle.encoders import ENCODERS

            return list(ENCODERS)
        return overlay_names({"method": "methods", "tissue": "tissue"}[self.noun])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The name as it is; the tissue's options, where they are given in its place, as a mapping."""
        text = str(value)
        if self.noun == "tissue" and text.startswith("{"):
            return read_word(text, Kind(("mapping",)))
        if text.endswith((".yaml", ".yml")) or (ctx is not None and ctx.params.get("plugins")):
            return value
        names = self.names()
        for each in text.split("+") if self.noun == "method" else [text]:
            if each not in names:
                self.fail(f"there is no {self.noun} {each!r}: {nearest(each, names)}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        """Names that begin like this."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self.names() if name.startswith(incomplete)]


NAMED = {"encoder_name": "encoder", "method": "method", "tissue": "tissue"}


class SettingOption(click.Option):
    """An option that sets a setting of the config.

    Attributes:
        setting: its name in the config.
    """

    def __init__(self, declarations: Sequence[str], setting: str, **more: Any) -> None:
        super().__init__(declarations, **more)
        self.setting = setting


def read_word(word: str, kind: Kind) -> Any:
    """What a typed word means for a setting of a kind; the word itself where it means nothing else."""
    if "none" in kind.names and word in NONE:
        return None
    if word.startswith(("[", "{")):
        return _yaml(word)
    if any(name.startswith("list") for name in kind.names):
        values = [each.strip() for each in word.split(",") if each.strip()]
        return values if "list of text" in kind.names else [_number(each) for each in values]
    if "mapping" in kind.names:
        return _yaml(word)
    if any(name in TEXTS for name in kind.names):
        return word
    return _number(word)


def _yaml(word: str) -> Any:
    try:
        return yaml.safe_load(word)
    except yaml.YAMLError:
        return word


def _number(word: str) -> Any:
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(word.lower(), word)


def expectation(kind: Kind) -> str:
    """What a setting may be, as it is typed."""
    words = str(kind).replace("'$None'", "none")
    return words.replace("list of text", "words with commas between them").replace(
        "list of numbers", "numbers with commas"
    )


def setting_options(config: Path, takes: str) -> list[click.Parameter]:
    """The options of a command that runs a config, in the config's order; those of its wiring are not listed by --help.

    Args:
        config: the file.
        takes: what the command is given besides, see `Job`.
    """
    options: list[click.Parameter] = []
    for setting in read_settings(config.read_text("utf-8")):
        entry = setting.name.partition("#")[0]
        if entry in (*PLUMBING, *LEFT_OUT[takes]) or is_step(setting.value) or is_part(setting.value):
            continue
        kind = kind_of(setting)
        if setting.name in NAMED or kind is not None:
            options.append(_option(setting, kind))
    return options


def _option(setting: Setting, kind: Kind | None) -> SettingOption:
    nested = "#" in setting.name
    word = SHORT.get(setting.name, setting.name).replace("_", "-").replace("#", ".")
    names = [f"--{word}"]
    if setting.name in SHORT and word != setting.name.replace("_", "-"):
        names.append(f"--{setting.name.replace('_', '-')}")
    variable = setting.name.replace("#", "__")
    hidden = (nested and not setting.comment) or "@stored" in str(setting.value)
    shown = {"help": _help(setting), "default": None, "hidden": hidden}
    if kind is not None and kind.names == ("True or False",):
        return SettingOption([f"--{word}/--no-{word}", variable], setting.name, **shown)
    type_: click.ParamType = NameType(NAMED[setting.name]) if setting.name in NAMED else SettingType(kind or Kind(()))
    return SettingOption([*names, variable], setting.name, type=type_, metavar=_metavar(setting, kind), **shown)


def _help(setting: Setting) -> str:
    is_computed = setting.written.startswith(("$", "@"))
    default = "" if is_computed or not setting.written else f"[default: {setting.written.replace('null', 'none')}]"
    _, _, rest = setting.comment.partition(";")
    stated = stated_kind(setting.comment)
    if stated is not None and stated.names and not stated.choices:
        limits = f"{stated.limits}; " if stated.limits and rest else stated.limits
        return f"{limits}{rest.strip()}  {default}".strip()
    return f"{setting.comment}  {default}".strip()


def _metavar(setting: Setting, kind: Kind | None) -> str:
    if setting.name in NAMED:
        return "NAME"
    names = kind.names if kind else ()
    for name, shown in (("list", "A,B,..."), ("mapping", "{A: B}"), ("path", "PATH"), ("number", "NUMBER")):
        if any(name in each for each in names):
            return shown
    return "WORD"


def read_assignment(text: str) -> tuple[str, Any]:
    """`NAME=VALUE` of `--set`, the value as YAML reads it.

    Raises:
        InputError: it is none.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--set {text}", "is no NAME=VALUE", "for example --set network_def#mil_mode=att")
    return name.replace("::", "#"), _yaml(value)
