"""What would end a training after its first epoch is refused before there is one."""

import pytest
from monai.bundle import ConfigWorkflow

from scangen_bundle.errors import find_input_error
from tests.conftest import ROOT
from tests.data.cohort import FEATURES, write_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder, specimens=12)
    return folder


def refusal(cohort, outputs, **settings):
    """What a training with these settings is refused with, and that it has left no network behind."""
    workflow = ConfigWorkflow(
        str(ROOT / "configs" / "train.yaml"),
        logging_file=False,
        **{
            "dataset_dir": str(cohort),
            "output_dir": str(outputs),
            "num_features": FEATURES,
            "encoder_name": "fake",
            **settings,
        },
    )
    found = None
    try:
        workflow.initialize()
        workflow.run()
    except (RuntimeError, ValueError) as error:  # what MONAI wraps ours in
        found = find_input_error(error)
    assert not list(outputs.rglob("*.pt"))
    return str(found)


@pytest.mark.parametrize("figure", ["auroc/typo", "auroc/scanner 2"], ids=["no figure", "a scanner not validated on"])
def test_a_figure_to_choose_by_that_validation_does_not_have(cohort, tmp_path, figure):
    said = refusal(cohort, tmp_path, choose_by=figure, unseen_scanners=["scanner 2"])
    there = "auroc/scanner 0, auroc/scanner 1, auroc/mean, auroc/range, auroc/worst"
    assert said == f"model choice: there is no figure {figure!r} here -> take one of: {there}"


def test_a_network_that_takes_no_mask(cohort, tmp_path):
    said = refusal(cohort, tmp_path, network_def={"_target_": "torch.nn.Linear", "in_features": 8, "out_features": 2})
    assert said.startswith("network Linear: its forward(input: torch.Tensor) -> torch.Tensor cannot be called")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "scangan"}, "method 'scangan': no method has this name -> did you mean scangen"),
        ({"method_options": {"scangen": {"wait": 1}}}, "method 'scangen': has no option wait -> its options are alpha"),
        ({"task": "regression"}, "task 'regression': no task has this name -> did you mean classification"),
        (
            {"method": "standardise+plain", "method_options": {"standardise": {"fewest_patients": 99}}},
            "method standardise+plain: needs 99 training patients of each scanner, and scanner 0 has 6, scanner 1 has 6",
        ),
    ],
)
def test_a_method_or_task_that_is_unknown_or_whose_needs_are_not_met(cohort, tmp_path, settings, said):
    assert refusal(cohort, tmp_path, **settings).startswith(said)


@pytest.mark.parametrize("file", ["train.yaml", "inference.yaml"])
def test_every_start_of_a_network_looks_at_it(file):
    steps = (ROOT / "configs" / file).read_text(encoding="utf-8")
    assert "  - $scangen_bundle.networks.check_takes_mask(@network_def)" in steps
