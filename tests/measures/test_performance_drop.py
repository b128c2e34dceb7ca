"""The drop equals the published one of the accuracies it was published with."""

import json

import numpy as np
import pytest

from scangen_bundle.measures.performance_drop import average_performance_drop, performance_drops


def test_drop_by_hand():
    drops = performance_drops(np.array([[0.8, 1.0], [0.8, 0.5], [0.4, 0.5]]))
    assert drops.tolist() == pytest.approx([-0.25, -0.5])
    assert average_performance_drop(np.array([[0.8], [0.8], [0.4]])) == pytest.approx(-0.25)


@pytest.mark.parametrize("domain", ["id", "ood"])
def test_the_published_drop_follows_from_the_published_accuracies(real_data, domain):
    folder = real_data / "reference"
    raw = json.loads((folder / "pathorob_uni2h_camelyon_apd_raw.json").read_text())
    summary = json.loads((folder / "pathorob_uni2h_camelyon_apd_summary.json").read_text())
    accuracies = np.array(raw[f"{domain.upper()}_test_accuracies"])
    assert average_performance_drop(accuracies) == pytest.approx(summary[f"apd_{domain}"], abs=1e-10)


def test_no_accuracy_at_the_start_is_undefined():
    assert np.isnan(performance_drops(np.array([[0.0], [0.5]]))[0])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="at least two splits"):
        performance_drops(np.array([[0.5, 0.6]]))
