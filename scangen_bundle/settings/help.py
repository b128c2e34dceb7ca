"""What `--help` of a bundle command prints: what its config files say of themselves, and their settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from scangen_bundle.settings.entries import PLUMBING, Setting, is_part, is_step, read_settings, split_header

# How the command line takes what YAML writes so. MONAI passes over a None there; as an expression it counts.
PYTHON = {"true": "True", "false": "False", "null": "'$None'"}


def help_text(files: Sequence[Path]) -> str:
    """The help of a command with these config files, of which a later one changes what an earlier one says.

    Returns:
        For each file its own comment and the settings that no later file gives, with their values there; then the names of
        the parts, which have nested settings.
    """
    texts = [file.read_text(encoding="utf-8") for file in files]
    settings = [read_settings(text) for text in texts]
    lines: list[str] = []
    parts: dict[str, None] = {}
    for number, (file, text) in enumerate(zip(files, texts, strict=True)):
        given_later = {setting.name for later in settings[number + 1 :] for setting in later}
        shown = [setting for setting in settings[number] if _entry(setting) not in given_later and _is_set(setting)]
        lines += [f"{file}:", split_header(text)[0], ""]
        lines += [line for setting in shown for line in _lines(setting, shown)]
        lines.append("")
        parts.update(dict.fromkeys(setting.name for setting in shown if is_part(setting.value)))
    nested = [f"Any value of a part can be set as well (--part#name value): {', '.join(parts)}"] if parts else []
    return "\n".join(lines + nested)


def _entry(setting: Setting) -> str:
    return setting.name.partition("#")[0]


def _is_set(setting: Setting) -> bool:
    return _entry(setting) not in PLUMBING and not is_step(setting.value)


def _lines(setting: Setting, shown: Sequence[Setting]) -> Iterator[str]:
    """The lines of a setting; a mapping without plain values has none."""
    if setting.written:
        yield from setting.above
        comment = f"  # {setting.comment}" if setting.comment else ""
        yield f"--{setting.name} {_python(setting.written)}{comment}"
    elif any(other.name.startswith(f"{setting.name}#") for other in shown):
        yield from setting.above
        if setting.comment:
            yield f"# {setting.comment}"


def _python(written: str) -> str:
    """A value of YAML as the command line takes it."""
    return re.sub(r"^(true|false|null)$", lambda word: PYTHON[word[1]], written)
