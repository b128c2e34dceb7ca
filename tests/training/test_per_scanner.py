"""Per-scanner metrics inside MONAI's evaluator."""

import math

import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from scangen_bundle.errors import InputError
from scangen_bundle.measures.prediction_measure import prediction_measures
from scangen_bundle.measures.predictions import check_predictions
from scangen_bundle.training.per_scanner import ModelChoiceMetric, PerScannerMetrics, observed_values

from ..two_processes import in_two_processes
from .engines import make_evaluator

CHANCES = [0.1, 0.9, 0.4, 0.6, 0.2, 0.8, 0.3, 0.7]
LOGITS = [0.3, -0.2, 0.9, 0.1, -0.4, 0.6, 1.5, 0.2]


class Fixed(torch.nn.Module):
    """Logit difference of each scan from a list, in the order asked for."""

    def __init__(self, logits=LOGITS):
        super().__init__()
        self.logits, self.asked = torch.tensor(logits), 0

    def forward(self, image):
        start, self.asked = self.asked, (self.asked + len(image)) % 8
        odds = self.logits[start : start + len(image)]
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


def manifest(labels=(0, 0, 1, 1, 0, 0, 1, 1), scanners=("Aperio AT2", "GT450")):
    rows = [(f"s{i}", f"m{i // 2}", f"p{i // 2}", scanners[i % 2], labels[i]) for i in range(8)]
    return pd.DataFrame(rows, columns=["slide_id", "specimen_id", "patient_id", "scanner", "label"])


def run(metric, network=None):
    evaluator = make_evaluator((network or Fixed()).eval())
    metric.attach(evaluator, "key")
    evaluator.run()
    return evaluator


def test_every_scanner_has_its_auroc_under_its_name():
    metrics = run(PerScannerMetrics(manifest())).state.metrics
    label = [0, 1, 0, 1]
    first, second = roc_auc_score(label, LOGITS[0::2]), roc_auc_score(label, LOGITS[1::2])
    assert first != second
    assert metrics["auroc/Aperio AT2"] == pytest.approx(first, abs=1e-12)
    assert metrics["auroc/GT450"] == pytest.approx(second, abs=1e-12)
    assert metrics["auroc/worst"] == pytest.approx(min(first, second), abs=1e-12)
    assert metrics["auroc/mean"] == pytest.approx((first + second) / 2, abs=1e-12)


def test_cov_and_flip_rate_are_per_specimen_over_its_scanners():
    metrics = run(PerScannerMetrics(manifest())).state.metrics
    pairs = torch.sigmoid(torch.tensor(LOGITS).double()).reshape(4, 2)
    assert metrics["cov"] == pytest.approx(float((pairs.std(dim=1) / pairs.mean(dim=1)).mean()), abs=1e-7)
    assert metrics["flip_rate"] == 0.5  # the first and third specimen lie on both sides of 0.5


def test_a_second_run_forgets_the_first():
    metric = PerScannerMetrics(manifest())
    evaluator = run(metric)
    first = dict(evaluator.state.metrics)
    evaluator.run()
    assert evaluator.state.metrics == first


def test_a_scan_repeated_by_a_sampler_counts_once():
    metric = PerScannerMetrics(manifest())
    probability = torch.softmax(torch.stack([torch.zeros(8), torch.tensor(LOGITS)], dim=1).double(), dim=1)
    ids = [f"s{i}" for i in range(8)]
    metric.update((ids, probability))
    once = metric.compute()
    metric.update((ids[:3], probability[:3]))
    assert metric.compute() == once


def test_the_key_is_the_worst_scanner_and_equal_ones_are_ordered_by_cov():
    plain = run(ModelChoiceMetric(manifest(), break_ties=False)).state.metrics["key"]
    assert plain == min(roc_auc_score([0, 1, 0, 1], LOGITS[k::2]) for k in (0, 1))
    steady, shaky = [-1, -1, 1, 1, -1, -1, 1, 1], [-1, -3, 1, 3, -1, -3, 1, 3]
    keys = [
        run(ModelChoiceMetric(manifest()), Fixed(list(map(float, x)))).state.metrics["key"] for x in (steady, shaky)
    ]
    assert keys[0] == 1.0
    assert 1 - 1e-6 < keys[1] < keys[0]


def test_a_named_figure_chooses_and_less_is_better_where_it_is():
    steady, shaky = [-1.0, -1, 1, 1, -1, -1, 1, 1], [-1.0, -3, 1, 3, -1, -3, 1, 3]

    def key(metric, logits):
        return run(ModelChoiceMetric(manifest(), metric, break_ties=False), Fixed(logits)).state.metrics["key"]

    assert key("auroc/GT450", LOGITS) == roc_auc_score([0, 1, 0, 1], LOGITS[1::2])
    assert key("icc", steady) == pytest.approx(1.0)
    assert key("icc", shaky) < 0.9
    assert key("cov", steady) == 0 > key("cov", shaky)
    off = run(PerScannerMetrics(manifest(), ["calibration_slope"]), Fixed(LOGITS)).state.metrics
    slope = off["calibration_slope/mean"]
    assert key("calibration_slope/mean", LOGITS) == pytest.approx(-abs(slope - 1))


def test_a_figure_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(InputError, match=r"measure 'auc': no measure has this name -> did you mean auroc\?"):
        ModelChoiceMetric(manifest(), "auc/worst")
    with pytest.raises(InputError, match=r"no figure 'auroc/wurst'.*auroc/worst"):
        run(ModelChoiceMetric(manifest(), "auroc/wurst"))


@pytest.mark.parametrize(
    ("metric", "known"),
    [
        ("auroc/wurst", "auroc/GT450, auroc/mean, auroc/range, auroc/worst"),
        # a scanner of the manifest, not of these scans
        ("auroc/Aperio AT2", "auroc/GT450, auroc/mean, auroc/range, auroc/worst"),
        ("flip_rate/mean", "flip_rate"),
    ],
)
def test_with_the_scans_a_figure_that_they_do_not_have_is_refused_before_anything_runs(metric, known):
    records = [{"slide_id": f"s{i}"} for i in (1, 3, 5, 7)]
    with pytest.raises(InputError, match=rf"no figure '{metric}' here -> take one of: ") as caught:
        ModelChoiceMetric(manifest(), metric, records=records)
    assert sorted(caught.value.remedy.removeprefix("take one of: ").split(", ")) == known.split(", ")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", sorted(prediction_measures()))
def test_every_figure_that_a_run_has_can_be_chosen_by_beforehand(classes, name):
    table = manifest(labels=(0, 0, 1, 1, 0, 0, classes - 1, classes - 1))
    probability = {
        f"probability_{c}": [p / classes if c else 1 - (classes - 1) * p / classes for p in CHANCES]
        for c in range(classes)
    }
    there = observed_values(check_predictions(table.assign(**probability)), (name,))
    for key in there:
        ModelChoiceMetric(table, key, records=[{"slide_id": slide_id} for slide_id in table.slide_id])


def test_an_undefined_key_is_never_kept_as_the_best():
    network = Fixed([math.nan] * 8)
    evaluator = make_evaluator(network.eval(), key={"key": ModelChoiceMetric(manifest())})
    evaluator.run(1)
    network.logits = torch.tensor(LOGITS)
    evaluator.run(2)
    assert evaluator.state.best_metric_epoch == 2
    network.logits = torch.full((8,), math.nan)
    evaluator.run(3)
    assert evaluator.state.best_metric_epoch == 2
    assert math.isfinite(evaluator.state.best_metric)


def test_a_scanner_with_one_class_is_undefined_and_does_not_enter_the_worst():
    one_class = manifest(labels=(0, -1, 1, -1, 0, 0, 1, -1))
    metrics = run(PerScannerMetrics(one_class)).state.metrics
    assert math.isnan(metrics["auroc/GT450"])
    assert metrics["auroc/worst"] == metrics["auroc/Aperio AT2"] == pytest.approx(1.0)


def test_names_are_what_mlflow_takes():
    metrics = run(PerScannerMetrics(manifest(scanners=("P1000 (Pannoramic)", "B")))).state.metrics
    assert "auroc/P1000 _Pannoramic_" in metrics
    with pytest.raises(ValueError, match="differ only in characters"):
        PerScannerMetrics(manifest(scanners=("A(", "A)")))


def test_an_unknown_figure_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"measure 'auc': no measure has this name -> did you mean auroc\?"):
        PerScannerMetrics(manifest(), names=["auc"])


def compute_share(rank):
    metrics = PerScannerMetrics(manifest()), ModelChoiceMetric(manifest())
    mine = [0, 1, 2, 3, 4] if rank == 0 else [5, 6, 7, 0]  # unequal shares, one scan in both
    probability = torch.softmax(torch.stack([torch.zeros(8), torch.tensor(LOGITS)], dim=1).double(), dim=1)[mine]
    for metric in metrics:
        metric.update(([f"s{i}" for i in mine], probability))
    return [metric.compute() for metric in metrics]


def test_two_processes_equal_one_with_all_scans():
    expected = [run(PerScannerMetrics(manifest())), run(ModelChoiceMetric(manifest()))]
    for every, key in in_two_processes(compute_share):
        assert every == pytest.approx({name: expected[0].state.metrics[name] for name in every}, abs=1e-7)
        assert key == pytest.approx(expected[1].state.metrics["key"], abs=1e-7)


def fed(metric, tables):
    """The metric's values after each table of probabilities of class 1."""
    values = []
    for table in tables:
        metric.reset()
        probability = torch.tensor(table, dtype=torch.float64)
        metric.update((list(metric.manifest["slide_id"]), torch.stack([1 - probability, probability], dim=1)))
        values.append(metric.compute())
    return values


GOOD, POOR = [0.1, 0.2, 0.9, 0.8, 0.2, 0.1, 0.7, 0.9], [0.4, 0.6, 0.5, 0.6, 0.5, 0.4, 0.6, 0.5]


@pytest.mark.parametrize("rule", ["nll", "one_se"])
def test_a_rule_takes_an_epoch_or_not_among_those_before_it(rule):
    values = fed(ModelChoiceMetric(manifest(), rule), [POOR, GOOD, POOR])
    assert values == [1.0, 2.0, -math.inf]


def test_a_rule_goes_on_after_a_checkpoint(tmp_path):
    first = ModelChoiceMetric(manifest(), "nll")
    fed(first, [POOR, GOOD])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = ModelChoiceMetric(manifest(), "nll")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert fed(second, [POOR]) == [-math.inf]
    fresh = ModelChoiceMetric(manifest(), "nll")
    fresh.load_state_dict(ModelChoiceMetric(manifest(), "nll").state_dict())
    assert fed(fresh, [POOR]) == [1.0]
