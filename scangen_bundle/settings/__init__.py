"""Settings of the bundle's commands: read from config files with their comments, explained by `--help`, checked before work."""

from scangen_bundle.settings.command_line import check_command_line
from scangen_bundle.settings.shipped import configs_folder

__all__ = ["check_command_line", "configs_folder"]
