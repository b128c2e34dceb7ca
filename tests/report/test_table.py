"""The headline table says what metrics.json says."""

import numpy as np

from scangen_bundle.report.table import headline_table

from .cohort import SCANNERS, evaluate, simulate


def test_a_row_per_training_with_intervals_and_unseen_scanners_last_with_a_star():
    results = {"before": evaluate(simulate(), ["Alpha 1"]), "after": evaluate(simulate(noise=0.1), ["Alpha 1"])}
    lines = headline_table(results).splitlines()
    assert lines[0].split("  ")[-1].strip() == "flip rate"
    places = [lines[0].index(name) for name in (*SCANNERS[1:], "Alpha 1 *", "mean AUROC", "worst scanner", "CoV")]
    assert places == sorted(places)
    for name, metrics in results.items():
        row = next(line for line in lines if line.startswith(name))
        figure = metrics["figures"]["auroc/Gamma/3"]
        assert f"{figure['value']:.3f}" in row
        assert f"{figure['low']:.3f}–{figure['high']:.3f}" in lines[lines.index(row) + 1]
    assert "* not seen in training" in lines
    results["after"]["settings"]["fitted_on_held_out"] = True
    assert "* not seen in training, though some methods were fitted on training" in headline_table(results)


def test_an_undefined_figure_is_named_with_its_reason():
    table = simulate()
    table = table[(table["scanner"] != "Alpha 1") | (table["label"] == 1)]
    metrics = evaluate(table)
    text = headline_table({"run": metrics})
    reason = metrics["figures"]["auroc/Alpha 1"]["reason"]
    assert reason
    assert f"run, Alpha 1: undefined, {reason}" in text
    assert "nan" not in text


def test_a_scanner_that_one_training_lacks_is_undefined_there():
    both, one = evaluate(simulate()), evaluate(simulate(scanners=SCANNERS[:2]))
    assert "two, Gamma/3: undefined, not computed" in headline_table({"three": both, "two": one})
    assert np.isfinite(both["figures"]["auroc/Gamma/3"]["value"])
