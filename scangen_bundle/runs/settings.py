"""What a run was trained with: its whole configuration, as the config files and the command line gave it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from monai.bundle import ConfigParser, ReferenceResolver

from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.secrets import masked

# Settings of where and how a training runs. They may change when it resumes, since they leave the network as it is.
PLACES = frozenset(
    (
        *("bundle_root", "dataset_dir", "manifest_path", "features_dir", "allow_outside", "plugins"),
        *("output_dir", "run_name", "run_dir", "resume", "tracking_uri", "tracking_required", "device", "on_gpu"),
    )
)
# Entries that MONAI runs.
STEPS = frozenset(("imports", "initialize", "run", "training", "finalize"))


HEADER = """# What this run was trained with. `run evaluating`, `run inferring` and packing read it: they need --run_dir alone.
# Like every configuration it can run code: use no stranger's run folder.
"""


class RunSettings:
    """The configuration of a training. An entry is resolved when it is asked for, and reads as `settings["max_epochs"]`.

    Args:
        config: content of the config files, with the settings of the command line.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = _plain(config)
        self._parser = ConfigParser(deepcopy(self.config))

    @classmethod
    def in_use(cls) -> RunSettings:
        """Those of the configuration whose expression calls this.

        MONAI gives an expression no access to its parser, so it is looked for among the callers.
        """
        frame = inspect.currentframe()
        while frame is not None:
            caller = frame.f_locals.get("self")
            if isinstance(caller, ConfigParser):
                return cls({name: value for name, value in caller.get().items() if not name.startswith("_")})
            frame = frame.f_back
        raise RuntimeError("RunSettings.in_use() is for expressions of a config")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> RunSettings:
        """Read the settings of a run.

        Raises:
            InputError: there are none, or the file is damaged.
        """
        try:
            config = yaml.safe_load(Path(path).read_text("utf-8"))
        except FileNotFoundError:
            raise _missing(Path(path)) from None
        except (OSError, ValueError, yaml.YAMLError) as error:
            problem = f"cannot be read ({type(error).__name__})"
            raise InputError(path, problem, "copy the run folder again, or train again") from error
        if not isinstance(config, dict) or "network_def" not in config:
            raise InputError(path, "holds no settings of a training", "copy the run folder again, or train again")
        return cls(config)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the settings as YAML."""
        with write_atomically(path) as temporary:
            temporary.write_text(HEADER + yaml.safe_dump(self.config, sort_keys=False, allow_unicode=True), "utf-8")

    def __getitem__(self, name: str) -> Any:
        return self._parser.get_parsed_content(name)

    def get(self, name: str, default: Any = None) -> Any:
        """An entry, or the default where the configuration has none of this name."""
        return self[name] if name in self._parser else default

    def values(self) -> dict[str, Any]:
        """The plain settings but for places: entries that are neither components nor made from some."""
        left_out = STEPS | PLACES
        names = [name for name, value in self.config.items() if name not in left_out and self._is_setting(value)]
        values = {name: self[name] for name in names}
        return {name: value for name, value in values.items() if _is_plain(value)}

    def _is_setting(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            return "_target_" not in value and all(map(self._is_setting, value.values()))
        if isinstance(value, list):
            return all(map(self._is_setting, value))
        if not isinstance(value, str):
            return True
        return all(self._is_setting(self._parser.get(name)) for name in ReferenceResolver.match_refs_pattern(value))

    def definition(self, name: str) -> Any:
        """An entry as it is written, with what it refers to in place of the references: it needs no other entry.

        Args:
            name: of the entry; of a nested one, such as `network_def#method`.
        """
        value = self._parser.get(name)
        if isinstance(value, Mapping):
            return {key: self.definition(f"{name}#{key}") for key in value}
        if isinstance(value, list):
            return [self.definition(f"{name}#{index}") for index in range(len(value))]
        references = ReferenceResolver.match_refs_pattern(value) if isinstance(value, str) else {}
        if not references:
            return value
        if value.startswith("@"):
            return self.definition(value[1:])
        if _is_plain(self[name]):
            return self[name]
        value = ReferenceResolver.normalize_id(value)
        for reference in sorted(references, key=len, reverse=True):
            value = value.replace(f"@{reference}", repr(self[reference]))
        return value

    def changes(self, before: RunSettings) -> list[str]:
        """What differs from the settings before, as `name value (now value)`; places and steps do not count."""
        old, new = dict(_leaves(before.config)), dict(_leaves(self.config))
        return [
            f"{name} {old[name]!r} (now {value!r})" for name, value in new.items() if name in old and old[name] != value
        ]


def _is_plain(value: Any) -> bool:
    """Whether YAML can write the value."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _plain(value: Any) -> Any:
    """The value as YAML keeps it, without passwords: a device or a path is a text."""
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if value is None or isinstance(value, (bool, int, float)) else masked(str(value))


def _leaves(config: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Plain values by their full name; a list is one value."""
    if not isinstance(config, Mapping):
        yield name, config
        return
    for key, value in config.items():
        if name or key not in PLACES | STEPS:
            yield from _leaves(value, f"{name}#{key}" if name else key)


def _missing(path: Path) -> InputError:
    if (path.parent / "models").is_dir():
        problem = "was trained by an earlier version, which kept no settings.yaml"
        return InputError(path.parent, problem, "use that version for it, or train again under another --run_name")
    if not path.parent.is_dir():
        return InputError(path.parent, "there is no such run", "give --run_dir, or --output_dir and --run_name")
    return InputError(path.parent, "holds no finished epoch of a training", "train first: run training")
