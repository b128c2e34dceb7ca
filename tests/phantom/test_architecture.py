from collections import Counter

import numpy as np
import pytest

from scangen_bundle.phantom.architecture import build_architecture
from scangen_bundle.phantom.nuclei import nucleus_library
from scangen_bundle.phantom.plan import plan_cohort, random_stream

MPP = 0.2125


@pytest.mark.parametrize("label", [0, 1])
def test_shares_of_disordered_glands_are_the_planned_ones(label: int) -> None:
    specimen = next(one for one in plan_cohort(10, 3) if one.label == label)

    glands = build_architecture(specimen, 500.0, 40.0, random_stream(3, 2, specimen.index)).glands

    counts = Counter(gland.nuclei for gland in glands)
    assert sum(counts.values()) == len(glands) > 5
    assert counts["altered"] == pytest.approx(specimen.altered_fraction * len(glands), abs=1)
    assert counts["reactive"] == pytest.approx(specimen.reactive_fraction * len(glands), abs=1)
    assert (counts["altered"] > 0) == bool(label)


def test_reactive_glands_are_in_both_labels_so_that_disorder_alone_does_not_tell() -> None:
    reactive = {label: [one.reactive_fraction for one in plan_cohort(60, 3) if one.label == label] for label in (0, 1)}

    assert all(min(fractions) > 0 for fractions in reactive.values())
    assert np.mean(reactive[0]) == pytest.approx(np.mean(reactive[1]), abs=0.08)


def test_altered_nuclei_are_as_large_as_reactive_ones_but_paler() -> None:
    def area_and_tone(kind: str) -> tuple[float, float]:
        stain, coverage = nucleus_library(kind, MPP)[:, 0, 0], nucleus_library(kind, MPP)[:, 0, 1]
        return float(coverage.sum()), float(stain.sum() / coverage.sum())

    plain, reactive, altered = (area_and_tone(kind) for kind in ("epithelial", "reactive", "altered"))

    assert altered[0] == pytest.approx(reactive[0], rel=0.15)
    assert min(altered[0], reactive[0]) > 1.3 * plain[0]
    assert altered[1] < 0.95 * reactive[1]
