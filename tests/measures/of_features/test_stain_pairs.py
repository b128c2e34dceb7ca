"""Pairs are grouped and summed up as plism-benchmark does, which is done here again by sorting all cosines."""

from itertools import combinations

import numpy as np
import pytest

from scangen_bundle.measures.measure import NotApplicable
from scangen_bundle.measures.of_features.stain_pairs import PairMedians, measure_pairs, slide_pairs, stain_pairs

from .generated import draw_points, views

STAINS, SCANNERS = ("x", "y", "z"), ("1", "2", "3", "4")


@pytest.fixture(scope="module")
def slides():
    generator = np.random.default_rng(0)
    tissue = generator.normal(size=(40, 8))
    names = [(stain, scanner) for stain in STAINS for scanner in SCANNERS]
    return [tissue + generator.normal(size=8) + generator.normal(size=(40, 8)) for _ in names], names


def by_sorting(slides, names):
    """(group, cosine, top-10 accuracy) of each pair by a sort of the stacked rows."""
    rows = []
    for a, b in combinations(range(len(slides)), 2):
        stacked = np.concatenate([slides[a], slides[b]])
        stacked = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
        similarity, n = stacked @ stacked.T, len(slides[a])
        cosine = np.diag(similarity[:n, n:]).mean()
        np.fill_diagonal(similarity, -2)
        first = np.argsort(-similarity, axis=1)[:, :10]
        partner = np.concatenate([np.arange(n) + n, np.arange(n)])
        (stain_a, scanner_a), (stain_b, scanner_b) = names[a], names[b]
        group = {(True, False): "inter_scanner", (False, True): "inter_staining", (False, False): "both"}
        kind = group[stain_a == stain_b, scanner_a == scanner_b]
        rows.append((kind, cosine, (first == partner[:, None]).any(axis=1).mean()))
    return rows


def test_leaderboard_is_the_mean_of_four_medians(slides):
    slides, names = slides
    pairs = slide_pairs(slides, *zip(*names, strict=True))
    assert pairs.group.value_counts().to_dict() == {"inter_scanner": 18, "inter_staining": 12, "both": 36}
    expected = by_sorting(slides, names)
    assert pairs.cosine.to_numpy() == pytest.approx([cosine for _, cosine, _ in expected], abs=1e-6)
    assert pairs.top10.to_numpy() == pytest.approx([accuracy for _, _, accuracy in expected])
    medians = [np.median([cosine for _, cosine, _ in expected])]
    for group in ("inter_scanner", "inter_staining", "both"):
        medians.append(np.median([accuracy for kind, _, accuracy in expected if kind == group]))
    measured = measure_pairs(pairs, slides)
    found = measured.statistics[0](np.ones((1, measured.patients), int))
    assert found["stain_pairs/cosine_all"][0] == pytest.approx(medians[0], abs=1e-6)
    assert found["stain_pairs/top10_both"][0] == pytest.approx(medians[3])
    assert found["stain_pairs/leaderboard"][0] == pytest.approx(np.mean(medians), abs=1e-6)


def test_a_stain_that_is_drawn_twice_counts_as_two_glasses(slides):
    slides, names = slides
    pairs = slide_pairs(slides, *zip(*names, strict=True))
    weights = {"x": 2, "y": 0, "z": 1}
    found = PairMedians(pairs, STAINS)(np.array([list(weights.values())]))
    times = [
        weights[row.stain_a] * (1 if row.stain_a == row.stain_b else weights[row.stain_b]) for row in pairs.itertuples()
    ]
    repeated = pairs.loc[pairs.index.repeat(times)]
    assert found["stain_pairs/cosine_all"][0] == pytest.approx(repeated.cosine.median())
    both = repeated[repeated.group == "both"]
    assert found["stain_pairs/top10_both"][0] == pytest.approx(both.top10.median())


def test_a_collapsed_space_is_shown_beside_its_baseline():
    generator = np.random.default_rng(0)
    slides = [5 + 0.01 * generator.normal(size=(30, 8)) for _ in range(4)]
    measured = measure_pairs(slide_pairs(slides, "xxyy", "1212"), slides)
    found = measured.statistics[0](np.ones((1, measured.patients), int))
    assert found["stain_pairs/cosine_all"][0] > 0.99
    assert measured.baselines["stain_pairs/cosine_all"] > 0.99
    assert measured.baselines["stain_pairs/top10_both"] == pytest.approx(10 / 59)


def test_one_scanner_has_no_pairs_of_scanners():
    slides = [np.random.default_rng(i).normal(size=(20, 4)) for i in range(3)]
    medians = PairMedians(slide_pairs(slides, "xyz", "111"), ["x", "y", "z"])
    assert medians.reasons["stain_pairs/top10_both"] == "there is no such pair of slides"
    assert medians.reasons["stain_pairs/leaderboard"] == "one of its medians is undefined"
    assert np.isnan(medians(np.ones((1, 3), int))["stain_pairs/leaderboard"][0])


def test_slides_of_one_stain_are_no_question_for_it():
    with pytest.raises(NotApplicable):
        stain_pairs(views(draw_points(), one_frame=True))
