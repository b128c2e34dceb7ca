"""Measure and mend scanner sensitivity of computational pathology. Research use only, not a medical device."""

import getpass
import os

__version__ = "0.1.0"

RESEARCH_USE_ONLY = "Research use only. Not a medical device; not for diagnosis or treatment."


def _name_user() -> None:
    """Give the user a name where the system has none, as in many containers: importing MONAI asks for it, and fails."""
    try:
        getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        os.environ["USER"] = f"uid{os.getuid()}"


def _decline_telemetry() -> None:
    """Switch off what MLflow and ONNX Runtime report of their use, unless the user has said otherwise."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


_name_user()
_decline_telemetry()
