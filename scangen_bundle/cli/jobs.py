"""The commands that are bundle configs: each runs one step of one config file, as `python -m monai.bundle run` does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A command that runs a step of a config.

    Attributes:
        name: of the command.
        step: of the config.
        config: its file in `configs/`.
        title: what it does, a sentence.
        takes: what the command is given: "cohort", "run", or "run and cohort".
        example: a command line.
    """

    name: str
    step: str
    config: str
    title: str
    takes: str
    example: str

    @property
    def takes_run(self) -> bool:
        """Whether it is given the folder of a run."""
        return self.takes.startswith("run")

    @property
    def takes_cohort(self) -> bool:
        """Whether it is given the folder of a cohort."""
        return self.takes.endswith("cohort")


JOBS = (
    Job(
        *("extract", "extracting", "extract_features.yaml"),
        "Slides to features, at one exact resolution.",
        *("cohort", "scangen extract my_cohort --encoder virchow2 --tissue smear"),
    ),
    Job(
        *("audit", "auditing", "audit.yaml"),
        "Do the scanners' features come from one scale?",
        *("cohort", "scangen audit my_cohort"),
    ),
    Job(
        *("bank", "banking", "bank.yaml"),
        "Encode some tiles under virtual scanners, for the method `virtual`.",
        *("cohort", "scangen bank my_cohort"),
    ),
    Job(
        *("train", "training", "train.yaml"),
        "Train a network, with a method that makes scanners agree.",
        *("cohort", "scangen train my_cohort --run-name mine --method shrink"),
    ),
    Job(
        *("evaluate", "evaluating", "evaluate.yaml"),
        "Test a run on its held-out patients, per scanner.",
        *("run", "scangen evaluate outputs/mine"),
    ),
    Job(
        *("report", "reporting", "evaluate.yaml"),
        "Write a run's report again, from its folder alone.",
        *("run", "scangen report outputs/mine"),
    ),
    Job(
        *("predict", "inferring", "inference.yaml"),
        "Predict slides from their features, and show where the network looked.",
        *("run and cohort", "scangen predict outputs/mine new_slides"),
    ),
    Job(
        *("benchmark", "benchmarking", "benchmark.yaml"),
        "How scanner-sensitive is each encoder?",
        *("cohort", "scangen benchmark my_cohort --encoders uni2-h,virchow2"),
    ),
    Job(
        *("study", "studying", "study.yaml"),
        "Compare methods over folds, unseen scanners and seeds.",
        *("cohort", "scangen study my_cohort --methods plain,shrink"),
    ),
)
