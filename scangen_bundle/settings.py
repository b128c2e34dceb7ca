"""The command line of `monai.bundle run`: steps and settings that no config file has are refused, and `--help` is answered.

MONAI adds settings that it does not know to the config, where nothing reads them, and `--help` is one to it.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scangen_bundle.errors import InputError
from scangen_bundle.settings_help import PYTHON, help_text


def options_of(words: Sequence[str]) -> dict[str, str]:
    """`--name value` and `--name=value` of a command's words, by name; words without a name are passed over."""
    found: dict[str, str] = {}
    for word, value in zip(words, [*words, ""][1:], strict=True):
        if word.startswith("--"):
            name, equals, given = word.removeprefix("--").partition("=")
            found[name] = given if equals else value
    return found


def with_args_file(options: Mapping[str, str]) -> dict[str, Any]:
    """Options with those of the file that `--args_file` names, which the command line goes before."""
    from monai.bundle import ConfigParser

    from_file = ConfigParser.load_config_file(options["args_file"]) if "args_file" in options else {}
    return {**from_file, **options}


def files_of(option: str | Sequence[str]) -> list[str]:
    """The paths that `--config_file` names, one or a list of them; in an `--args_file` it can be a list itself."""
    if isinstance(option, str):
        return list(ast.literal_eval(option)) if option.startswith("[") else [option]
    return list(option)


def load_config(option: str | Sequence[str]) -> Mapping[str, Any]:
    """The content of the files of `--config_file`, merged as MONAI does."""
    from monai.bundle import ConfigParser

    return ConfigParser.load_config_files(files_of(option))


def unknown_settings(options: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Names among `options` that are neither an argument of `monai.bundle run` nor an entry of `config`.

    Only the first part of a nested name is looked at (`train#trainer#max_epochs`): below it a name may be a new argument.
    """
    from monai.bundle import run

    own = inspect.signature(run).parameters
    return [name for name in options if name not in own and first_part(name) not in config]


def first_part(name: str) -> str:
    """Of a nested name, such as `train` of `train#trainer` and of `train::trainer`."""
    return name.replace("::", "#").split("#")[0]


def step_of(words: Sequence[str], options: Mapping[str, Any]) -> str:
    """What `run` is to run: the word after it, or `--run_id`; "" leaves it to MONAI."""
    return str(options.get("run_id") or next((word for word in words[1:2] if not word.startswith("-")), ""))


def what_is_meant(name: str, known: Sequence[str], sign: str = "") -> str:
    """A remedy that names the nearest ones of those that there are."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(sign + one for one in near)}?" if near else "--help shows what there is"


def check_command_line() -> None:
    """Refuse this process's `python -m monai.bundle run ...` if it runs or sets what its config files do not have.

    With `--help` it prints what the files say of themselves and their settings, and ends the process with 0.

    Raises:
        InputError: it does; the message names what is meant, perhaps.
    """
    program, words = sys.argv[0], options_of(sys.argv[1:])
    if not Path(program).parent.match("monai/bundle") or sys.argv[1:2] != ["run"]:
        return
    options = with_args_file(words)
    if "config_file" not in options:
        return
    if "help" in options or "-h" in sys.argv:
        print(help_text([Path(file) for file in files_of(options["config_file"])]))
        sys.exit(0)
    if "tracking" in options:  # MONAI's own experiment tracking takes settings of its own
        return
    config = load_config(options["config_file"])
    if (step := step_of(sys.argv[1:], options)) and first_part(step) not in config:
        hint = what_is_meant(step, list(config))
        raise InputError(f"run {step}", f"{options['config_file']} has nothing of this name to run", hint)
    for name in unknown_settings(options, config):
        hint = what_is_meant(name, list(config), "--")
        raise InputError(f"--{name}", f"{options['config_file']} has no such setting", hint)
    for name, value in words.items():
        if value == "None" and first_part(name) in config:
            problem = "MONAI passes over a None of the command line, so that the setting would stay as it is"
            raise InputError(f"--{name} None", problem, f"write --{name} {PYTHON['null']}")
        if value in PYTHON:
            problem = f"is a text, {value!r}: values of the command line are Python's"
            raise InputError(f"--{name} {value}", problem, f"write --{name} {PYTHON[value]}")
