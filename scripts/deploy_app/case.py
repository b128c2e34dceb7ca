"""One slide on its way through the app."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scangen_bundle.errors import InputError

logger = logging.getLogger("scangen")

BAG, SLIDE, DICOM = "bag", "slide", "dicom"


@dataclass
class Case:
    """What is known of a slide so far; each operator adds its part.

    Attributes:
        name: of the result's folder.
        kind: BAG, SLIDE or DICOM.
        paths: one file, or the files of one DICOM study.
        problem: why there will be no result; "" so far.
        header: of the DICOM slide.
        slide_path: the file that holds the pixels; None for a bag.
        bag: the open feature bag.
        attention: [N] weights of its tiles.
        result: content of `result.json`.
    """

    name: str
    kind: str
    paths: list[Path]
    problem: str = ""
    header: Any = None
    slide_path: Path | None = None
    bag: Any = None
    attention: Any = None
    result: dict[str, Any] = field(default_factory=dict)


def attempt(step: Callable[[Case], None], case: Case) -> Case:
    """Do one step of a case that is still well. What goes wrong is said once, and only this case is lost."""
    if case.problem:
        return case
    try:
        step(case)
    except InputError as error:
        case.problem = str(error)
    except OSError as error:
        case.problem = f"{error.filename or case.name}: {error.strerror or error}"
    except Exception as error:  # one strange file must not cost the others their results
        # Not the error's text: pydicom's errors quote values, a patient's among them.
        place = traceback.extract_tb(error.__traceback__)[-1]
        case.problem = f"unexpected {type(error).__name__} in {place.name} ({Path(place.filename).name}:{place.lineno})"
    if case.problem:
        logger.error("%s: %s", case.name, case.problem)
        case.bag = case.attention = case.header = None
    return case
