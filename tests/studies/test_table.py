from __future__ import annotations

import numpy as np
import pytest

from scangen_bundle.statistics.compare import holm
from scangen_bundle.studies.figures import resample
from scangen_bundle.studies.models import ENSEMBLE, Model
from scangen_bundle.studies.table import tabulate
from tests.studies.tables import predictions, scans

NOISE = {"plain": 1.2, "scangen": 1.2, "steady": 0.15}


def models(hold_outs=(("ga",), ("gb",)), seeds=(0, 1), methods=tuple(NOISE)) -> list[Model]:
    """Methods that differ in the noise between scans; the specimens' own part is the same for all."""
    made = []
    for method in methods:
        for hold_out in hold_outs:
            tables = []
            for seed in seeds:
                rng = np.random.default_rng([seed, len(method), ord(hold_out[0][1])])
                table = predictions(scans(36), 7, noise=0.0)
                logit = np.log(table["probability"] / (1 - table["probability"]))
                logit = logit + NOISE[method] * rng.standard_normal(len(table))
                tables.append(table.assign(probability=1 / (1 + np.exp(-logit)), threshold=0.5))
                made.append(Model(method, hold_out, seed, tables[-1]))
            mean = np.mean([table["probability"] for table in tables], axis=0)
            if len(seeds) > 1:
                made.append(Model(method, hold_out, ENSEMBLE, tables[0].assign(probability=mean)))
    return made


@pytest.fixture(scope="module")
def rows():
    made = models()
    return made, tabulate(resample(made, resamples=300), ("plain", "scangen"), 4)


def row(rows, label):
    return next(each for each in rows if each.label == label)


def flips(model: Model) -> float:
    classes = model.table["probability"] >= model.table["threshold"]
    return float((classes.groupby(model.table["specimen_id"]).nunique() > 1).mean())


def test_each_method_and_each_ensemble_has_a_row(rows):
    assert [each.label for each in rows[1]] == [
        label for method in NOISE for label in (method, f"{method}, ensemble of seeds")
    ]


def test_differences_are_of_the_same_patients_and_seeds(rows):
    made, table = rows
    of = {method: [flips(m) for m in made if m.method == method and m.seed != ENSEMBLE] for method in NOISE}
    found = row(table, "steady").against["plain"]["flip_rate"]
    assert found.comparison.first == pytest.approx(np.mean(of["plain"]))
    assert found.comparison.second == pytest.approx(np.mean(of["steady"]))
    assert found.comparison.difference.value == pytest.approx(np.mean(of["steady"]) - np.mean(of["plain"]))
    seeds = []
    for seed in (0, 1):
        values = {m: np.mean([flips(x) for x in made if (x.method, x.seed) == (m, seed)]) for m in ("plain", "steady")}
        seeds.append(values["steady"] - values["plain"])
    assert found.seed_sd == pytest.approx(np.std(seeds, ddof=1))
    assert found.seeds == 2


def test_an_ensemble_is_compared_with_the_mean_of_the_single_networks(rows):
    made, table = rows
    found = row(table, "steady, ensemble of seeds").against["plain"]["flip_rate"].comparison
    assert found.first == pytest.approx(np.mean([flips(m) for m in made if m.method == "plain" and m.seed != ENSEMBLE]))
    assert found.second == pytest.approx(
        np.mean([flips(m) for m in made if m.method == "steady" and m.seed == ENSEMBLE])
    )


def test_p_values_are_adjusted_over_the_other_rows(rows):
    table = rows[1]
    others = [each for each in table if each.label != "plain"]
    assert "plain" not in row(table, "plain").against
    raw = [each.against["plain"]["flip_rate"].comparison.p_value for each in others]
    adjusted = [each.against["plain"]["flip_rate"].p_holm for each in others]
    assert adjusted == pytest.approx(holm(raw))


def test_a_large_difference_is_clear_and_none_is_not(rows):
    table = rows[1]
    assert row(table, "steady").against["plain"]["flip_rate"].is_clear
    assert not row(table, "scangen").against["plain"]["flip_rate"].is_clear


def test_each_held_out_scanner_has_its_own_estimates(rows):
    made, table = rows
    found = row(table, "steady").by_hold_out["gb",]["flip_rate"].value
    of_scanner = [flips(m) for m in made if (m.method, m.hold_out) == ("steady", ("gb",)) and m.seed != ENSEMBLE]
    assert found == pytest.approx(np.mean(of_scanner))


def test_only_what_both_have_is_compared_where_a_cell_failed():
    made = [m for m in models() if (m.method, m.hold_out, m.seed) != ("plain", ("gb",), 1)]
    table = tabulate(resample(made, resamples=50), ("plain",), 4)
    assert row(table, "plain").missing == 1
    found = row(table, "steady").against["plain"]["flip_rate"].comparison
    both = [(("ga",), 0), (("ga",), 1), (("gb",), 0)]
    of = {
        place: flips(next(m for m in made if m.method == "steady" and (m.hold_out, m.seed) == place)) for place in both
    }
    assert found.second == pytest.approx(((of[both[0]] + of[both[1]]) / 2 + of[both[2]]) / 2)


def test_one_seed_has_no_spread_and_no_ensemble():
    made = models(seeds=(0,))
    table = tabulate(resample(made, resamples=50), ("plain",), 2)
    assert [each.label for each in table] == list(NOISE)
    assert row(table, "steady").seed_sd == {}
    assert np.isnan(row(table, "steady").against["plain"]["flip_rate"].seed_sd)


def test_spread_between_seeds_can_make_a_difference_unclear(rows):
    found = row(rows[1], "steady").against["plain"]["flip_rate"]
    noisy = type(found)(found.comparison, found.p_holm, seed_sd=1.0, seeds=2)
    assert found.is_clear
    assert not noisy.is_clear
