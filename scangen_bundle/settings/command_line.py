"""The command line of `monai.bundle run`: steps, settings and values that the config files do not allow are refused.

MONAI adds settings that it does not know to the config, where nothing reads them, takes any section for a step, and parses
values as Python. Each is refused here with one message, before any work; `--help` is answered.
"""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from scangen_bundle.errors import InputError, report_input_errors
from scangen_bundle.settings.entries import PLUMBING, Setting, is_part, is_reference, is_step, read_settings
from scangen_bundle.settings.help import help_text
from scangen_bundle.settings.kinds import Kind, kind_of
from scangen_bundle.settings.words import check_word, literal_list

TWO_FILES = """write two files as --config_file "['configs/a.yaml','configs/b.yaml']\""""


def options_of(words: Sequence[str]) -> dict[str, str]:
    """`--name value` and `--name=value` of a command's words, by name; words without a name are left out."""
    options: dict[str, str] = {}
    for word, value in zip(words, [*words, ""][1:], strict=True):
        if word.startswith("--"):
            name, equals, given = word.removeprefix("--").partition("=")
            options[name] = given if equals else value
    return options


def positional_words(words: Sequence[str]) -> list[str]:
    """Words that are neither an option nor its value."""
    positional: list[str] = []
    is_value = False
    for word in words:
        if word.startswith("-") and not word[1:2].isdigit():
            is_value = word.startswith("--") and "=" not in word
        elif is_value:
            is_value = False
        else:
            positional.append(word)
    return positional


def with_args_file(options: Mapping[str, str]) -> dict[str, Any]:
    """Options with those of the file that `--args_file` names, which the command line goes before."""
    from monai.bundle import ConfigParser

    from_file = ConfigParser.load_config_file(options["args_file"]) if "args_file" in options else {}
    return {**from_file, **options}


def files_of(option: str | Sequence[str]) -> list[str]:
    """The paths that `--config_file` names, one or a list of them; in an `--args_file` it can be a list itself.

    Raises:
        InputError: the option is a list that is not written as Python's.
    """
    if not isinstance(option, str):
        return list(option)
    if Path(option).is_file() or not option.startswith(("[", "(")):
        return [option]
    try:
        return literal_list(option)
    except ValueError:
        raise InputError(f"--config_file {option}", "is no list of files", TWO_FILES) from None


def load_config(option: str | Sequence[str]) -> Mapping[str, Any]:
    """The content of the files of `--config_file`, merged as MONAI does."""
    from monai.bundle import ConfigParser

    return ConfigParser.load_config_files(files_of(option))


def unknown_settings(options: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Names among `options` that are neither an argument of `monai.bundle run` nor an entry of `config`.

    Only the first part of a nested name is looked at (`train#trainer#max_epochs`): below it a name may be a new argument.
    """
    from monai.bundle import run

    arguments = inspect.signature(run).parameters
    return [name for name in options if name not in arguments and first_part(name) not in config]


def first_part(name: str) -> str:
    """Of a nested name, such as `train` of `train#trainer` and of `train::trainer`."""
    return name.replace("::", "#").split("#")[0]


def what_is_meant(name: str, names: Sequence[str], sign: str = "") -> str:
    """A remedy that proposes the nearest ones of the names that exist."""
    near = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(sign + each for each in near)}?" if near else "--help lists them"


def check_step(words: Sequence[str], options: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a word after `run` that is no step of the config, such as a section of it, and further words.

    Raises:
        InputError: it lists the steps.
    """
    _, *positional = positional_words(words)
    if len(positional) > 1:
        remedy = (
            TWO_FILES if positional[1].endswith((".yaml", ".yml", ".json")) else "settings are written --name value"
        )
        raise InputError(f"run {' '.join(positional)}", f"{positional[1]!r} is neither a step nor an option", remedy)
    step = str(options.get("run_id") or (positional[0] if positional else "run"))
    steps = [name for name, value in config.items() if is_step(value) and name not in PLUMBING]
    if step not in (*steps, "run"):
        problem = "is a part of the configuration, not a step" if first_part(step) in config else "is no step"
        near = difflib.get_close_matches(step, steps, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(f"run {step}", problem, f"{hint}{options['config_file']} can run {', '.join(steps)}")


def kinds_of(settings: Sequence[Setting]) -> dict[str, Kind]:
    """The types of settings by name; of several entries of a name the first that tells it counts."""
    kinds: dict[str, Kind] = {}
    for setting in settings:
        kind = kind_of(setting)
        if kind is not None:
            kinds.setdefault(setting.name, kind)
    return kinds


def check_values(files: Sequence[str], words: Mapping[str, str], from_file: Mapping[str, Any]) -> None:
    """Refuse values of another type or range than their settings have, in later config files and on the command line.

    Args:
        files: config files in their order.
        words: typed values by setting.
        from_file: values of an `--args_file` by setting.

    Raises:
        InputError: it names file or option, what was given and what is expected.
    """
    entries = [(file, setting) for file in files for setting in read_settings(Path(file).read_text("utf-8"))]
    kinds = kinds_of([setting for _, setting in entries])
    values = [(file, setting.name, setting.value) for file, setting in entries]
    values += [(f"--args_file {name}", name, value) for name, value in from_file.items() if name in kinds]
    for where, name, value in values:
        kind = kinds.get(name)
        is_set = value is not None and not is_reference(value) and not is_part(value)
        if kind is not None and is_set and not kind.admits(value):
            raise InputError(where, f"{name} is {value!r}, expected {kind}", "correct it")
    for name, word in words.items():
        check_word(name, word, kinds.get(name.replace("::", "#")))


def check_command_line() -> None:
    """Check this process's `python -m monai.bundle run ...`; another program's command line passes.

    With `--help` it prints what the files say of themselves and their settings, and ends the process with 0.

    Raises:
        InputError: a step, a setting or a value that the config files do not allow.
    """
    program, words = sys.argv[0], options_of(sys.argv[1:])
    if not Path(program).parent.match("monai/bundle") or sys.argv[1:2] != ["run"]:
        return
    report_input_errors()  # with a second word MONAI takes it for `initialize`, which then has not run
    options = with_args_file(words)
    if "config_file" not in options:
        return
    files = files_of(options["config_file"])
    if "help" in options or "-h" in sys.argv:
        print(help_text([Path(file) for file in files]))
        sys.exit(0)
    if "tracking" in options:  # MONAI's own experiment tracking takes settings of its own
        return
    try:
        config = load_config(options["config_file"])
        check_step(sys.argv[1:], options, config)
        for name in unknown_settings(options, config):
            hint = what_is_meant(name, list(config), "--")
            raise InputError(f"--{name}", f"{options['config_file']} has no such setting", hint)
        given = {name: word for name, word in words.items() if first_part(name) in config}
        check_values(files, given, {name: value for name, value in options.items() if name not in words})
    except yaml.YAMLError as error:
        raise InputError(options["config_file"], f"is no YAML ({error})", "correct it") from error
