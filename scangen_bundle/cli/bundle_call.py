"""One call of the bundle: config files, a step and settings; as a command line of MONAI, and run in this process."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scangen_bundle.settings.shipped import configs_folder
from scangen_bundle.settings.words import shell_word


@dataclass(frozen=True)
class BundleCall:
    """What `python -m monai.bundle run` is given.

    Attributes:
        step: what is run.
        files: config files, later ones over earlier ones.
        settings: values by setting.
    """

    step: str
    files: Sequence[Path]
    settings: Mapping[str, Any]

    def command_line(self) -> str:
        """The same call as a command line of MONAI."""
        files = [str(file) for file in self.files]
        words = [files[0] if len(files) == 1 else repr(files)]
        for name, value in self.settings.items():
            words += [f"--{name}", _word(value)]
        quoted = [word if shlex.quote(word) == word else shell_word(word) for word in words]
        return " ".join(["python", "-m", "monai.bundle", "run", self.step, "--config_file", *quoted])

    def run(self) -> None:
        """Run the step. This imports torch and MONAI, which takes some seconds."""
        print("loading torch and MONAI ...", file=sys.stderr, flush=True)
        if not sys.warnoptions:
            warnings.simplefilter("ignore")  # what libraries say to their developers
        import monai.bundle

        settings = {name: "$None" if value is None else value for name, value in self.settings.items()}
        folder = configs_folder()
        monai.bundle.run(
            run_id=self.step,
            config_file=[str(file) for file in self.files],
            meta_file=str(folder / "metadata.json"),
            logging_file=str(folder / "logging.conf"),
            **settings,
        )


def _word(value: Any) -> str:
    """A value as MONAI's command line takes it, which reads Python."""
    if value is None:
        return "$None"
    if not isinstance(value, str):
        return repr(value)
    from fire.parser import DefaultParseValue

    return value if DefaultParseValue(value) == value else repr(value)
