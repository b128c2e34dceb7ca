import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from scangen_bundle.share.novelty import fit_novelty, held_out_scores


def cohort(seed: int = 0, patients: int = 40):
    """Embeddings [N, 4] of every patient on three scanners, each with a small shift of its own."""
    rng = np.random.default_rng(seed)
    patient, scanner = np.repeat(np.arange(patients), 3), np.tile(["a", "b", "c"], patients)
    shift = {"a": [0, 0, 0, 0], "b": [0.5, 0, 0, 0], "c": [0, 0.5, 0, 0]}
    embedding = rng.normal(size=(patients, 4)).repeat(3, axis=0) + np.array([shift[name] for name in scanner])
    return embedding, scanner, patient


def test_score_is_the_mahalanobis_distance():
    embedding, scanner, patient = cohort()
    novelty = fit_novelty(embedding, scanner, patient)
    expected = [mahalanobis(row, novelty.mean, novelty.precision) for row in embedding]
    np.testing.assert_allclose(novelty.score(embedding), expected)


def test_a_new_scanner_fit_for_use_passes_and_another_tissue_does_not():
    embedding, scanner, patient = cohort()
    novelty = fit_novelty(embedding, scanner, patient, level=0.95)
    fresh = np.random.default_rng(1).normal(size=(500, 4)) + np.array([0, 0, 0.5, 0])
    assert (novelty.score(fresh) > novelty.threshold).mean() < 0.1
    assert (novelty.score(fresh + 8) > novelty.threshold).all()


def test_a_held_out_score_does_not_see_its_own_scanner():
    embedding, scanner, patient = cohort()
    plain = held_out_scores(embedding, scanner, patient)
    moved = embedding.copy()
    moved[scanner == "c"] += 50
    assert (held_out_scores(moved, scanner, patient)[scanner == "c"] > 20).all()
    assert plain.max() < 10


def test_one_scanner_is_scored_against_other_patients():
    embedding, scanner, patient = cohort()
    one = scanner == "a"
    assert np.isfinite(held_out_scores(embedding[one], scanner[one], patient[one])).all()


def test_one_patient_is_too_few():
    embedding, scanner, patient = cohort(patients=1)
    with pytest.raises(ValueError, match="two patients"):
        fit_novelty(embedding, scanner, patient)
