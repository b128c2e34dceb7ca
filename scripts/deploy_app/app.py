"""The MONAI Deploy application: slides or feature bags in, one result folder for each out. Research use only."""

from __future__ import annotations

import gc
import logging
import os
from contextlib import ExitStack
from pathlib import Path

from case import Case, attempt
from holoscan.conditions import CountCondition
from infer import Classifier
from inputs import find_cases
from make_bag import BagMaker
from monai.deploy.core import AppContext, Application, Fragment, Operator, OperatorSpec
from monai.deploy.operators.dicom_text_sr_writer_operator import (
    DICOMTextSRWriterOperator,
    EquipmentInfo,
    ModelInfo,
)
from write_result import ResultWriter

from scangen_bundle.errors import InputError
from scangen_bundle.files import check_writable, working_folder
from scangen_bundle.share.slide_features import SlideFeatures
from scangen_bundle.share.slide_model import SlideModel
from scangen_bundle.share.statement import KINDS

logger = logging.getLogger("scangen")

MODEL, ENCODER = "scangen_mil", "encoder"
# Settings of the site, as environment variables: a MAP takes no options of its own.
ALLOW = "SCANGEN_ALLOW"  # kinds of objection that become warnings, joined by commas
STATED_MPP = "SCANGEN_MPP"  # µm/px of level 0 of all slides, where the files do not say it or are wrong


class SourceOperator(Operator):
    """Emits one case per tick."""

    def __init__(self, fragment: Fragment, *args, cases: list[Case], **kwargs) -> None:
        self.cases, self._next = cases, 0
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.output("case")

    def compute(self, op_input, op_output, context) -> None:
        case, self.cases[self._next] = self.cases[self._next], None  # let go of it: memory must not grow
        self._next += 1
        logger.info("slide %d of %d: %s", self._next, len(self.cases), case.name)
        op_output.emit(case, "case")


class StepOperator(Operator):
    """Applies one step to each case and hands it on; a failed case passes through untouched."""

    def __init__(self, fragment: Fragment, *args, step, **kwargs) -> None:
        self.step = step
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("case_in")
        spec.output("case")

    def compute(self, op_input, op_output, context) -> None:
        op_output.emit(attempt(self.step, op_input.receive("case_in")), "case")


class TallyOperator(Operator):
    """Counts what became of the cases."""

    def __init__(self, fragment: Fragment, *args, problems: dict[str, str], **kwargs) -> None:
        self.problems = problems
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("case_in")

    def compute(self, op_input, op_output, context) -> None:
        case = op_input.receive("case_in")
        if case.problem:
            self.problems[case.name] = case.problem
        gc.collect()  # a drawn figure holds itself; waiting for Python to notice costs some 10 MB a slide


class ScanGenApp(Application):
    """Source, bag, inference, result: a chain with one case in each place.

    Attributes:
        problems: after the run, why a case has no result, by its name.
        total: number of cases.
    """

    def __init__(self, context: AppContext, *args, **kwargs) -> None:
        self.problems: dict[str, str] = {}
        self.total = 0
        self.settings = context
        super().__init__(*args, **kwargs)

    def prepare(self, resources: ExitStack) -> None:
        """Read the model and the input folder.

        Args:
            resources: closed after the run; then the folder for the bag in hand goes.

        Raises:
            InputError: there is no model, no input, no right to write, or a wrong setting.
        """
        allowed = frozenset(filter(None, map(str.strip, os.environ.get(ALLOW, "").split(","))))
        if unknown := sorted(allowed - set(KINDS)):
            raise InputError(ALLOW, f"does not know {', '.join(unknown)}", f"it takes {', '.join(KINDS)}")
        self.cases = find_cases(Path(self.settings.input_path))
        self.total = len(self.cases)
        models = Path(self.settings.model_path)
        self.model = SlideModel(_model_file(models), allowed)
        self.output = Path(self.settings.output_path)
        try:
            check_writable(self.output)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            raise InputError(self.output, problem, "give a folder you may write") from error
        weights = models / ENCODER if (models / ENCODER).is_dir() else None
        workdir = resources.enter_context(working_folder("scangen"))
        self.bag_maker = BagMaker(SlideFeatures(self.model.features, _only_file(weights)), workdir, _stated_mpp())
        gc.freeze()  # what the imports left stays: collecting after each slide need not look at it

    def compose(self) -> None:
        description, metadata = self.model.description, self.model.metadata
        text_report = DICOMTextSRWriterOperator(
            self,
            name="text_report",
            output_folder=self.output,
            copy_tags=False,
            model_info=ModelInfo("scangen_bundle", description["name"], metadata["version"], ""),
            equipment_info=EquipmentInfo("scangen_bundle", "scangen_bundle deploy app", "1", metadata["version"]),
        )
        writer = ResultWriter(self.output, lambda text, folder: text_report.write(text, None, folder))
        source = SourceOperator(self, CountCondition(self, len(self.cases)), name="source", cases=self.cases)
        steps = [
            StepOperator(self, name=name, step=step)
            for name, step in (("bag", self.bag_maker), ("inference", Classifier(self.model)), ("result", writer))
        ]
        tally = TallyOperator(self, name="tally", problems=self.problems)
        for first, second in zip([source, *steps], [*steps, tally], strict=True):
            self.add_flow(first, second, {("case", "case_in")})


def _stated_mpp() -> float:
    stated = os.environ.get(STATED_MPP, "nan")
    try:
        return float(stated)
    except ValueError as error:
        raise InputError(STATED_MPP, f"is {stated!r}", "give µm/px, such as 0.5") from error


def _model_file(models: Path) -> Path:
    """The exported network in a folder of named models, or the file itself."""
    return models if models.is_file() else models / MODEL / "model.ts"


def _only_file(folder: Path | None) -> Path | None:
    """The weights file in a model's folder; the folder itself if it holds several."""
    if folder is None:
        return None
    files = list(folder.iterdir())
    return files[0] if len(files) == 1 and files[0].is_file() else folder
