"""Paired feature measures against brute force, closed forms and simulations with known truth."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from scangen_bundle.measures.paired_features import (
    own_neighbours,
    paired_cosine,
    retrieval_hits,
    unit_rows,
    unpaired_cosine,
)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_cosines_equal_a_loop(generator):
    a, b = generator.normal(size=(2, 30, 7))
    ua, ub = unit_rows(a), unit_rows(b)
    cosine = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)]
    assert_allclose(paired_cosine(ua, ub), cosine, atol=1e-6)
    others = [a[i] @ a[j] / np.sqrt((a[i] @ a[i]) * (a[j] @ a[j])) for i in range(30) for j in range(30) if i != j]
    assert unpaired_cosine(ua) == pytest.approx(np.mean(others), abs=1e-6)


def test_half_precision_features_do_not_overflow():
    features = np.full((2, 2560), 40.0, dtype=np.float16)  # the squares' sum exceeds float16's largest number
    assert_allclose(np.linalg.norm(unit_rows(features), axis=1), 1, atol=1e-6)


def brute_force_retrieval(a, b, k):
    """Rank the stacked rows for each query; ties share their places."""
    stack = np.vstack([a, b]).astype(np.float64)
    n, hits = len(a), []
    for i in range(2 * n):
        partner = i + n if i < n else i - n
        cosine = stack @ stack[i]
        others = [j for j in range(2 * n) if j not in (i, partner)]
        greater = sum(cosine[j] > cosine[partner] + 1e-6 for j in others)
        ties = sum(abs(cosine[j] - cosine[partner]) <= 1e-6 for j in others)
        hits.append(min(1.0, max(0, k - greater) / (ties + 1)))
    return np.mean(hits)


@pytest.mark.parametrize("duplicates", [0, 12])
def test_retrieval_equals_brute_force_also_with_ties(generator, duplicates):
    a = generator.normal(size=(60, 8))
    b = a + generator.normal(scale=0.8, size=a.shape)
    a[:duplicates], b[:duplicates] = a[0], b[0]
    a, b = unit_rows(a), unit_rows(b)
    hits = retrieval_hits(a, b, own_neighbours(a, 10, rows=16), own_neighbours(b, 10, rows=16), (1, 3, 5, 10), rows=16)
    found = hits.mean(axis=0)
    assert_allclose(found, [brute_force_retrieval(a, b, k) for k in (1, 3, 5, 10)], atol=1e-12)


@pytest.mark.cuda
def test_retrieval_on_a_gpu_equals_that_on_the_cpu(generator):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    a, b = (unit_rows(x) for x in generator.normal(size=(2, 300, 32)))
    on_cpu, on_gpu = (
        retrieval_hits(a, b, *(own_neighbours(x, 10, device=device) for x in (a, b)), device=device)
        for device in ("cpu", "cuda")
    )
    assert_allclose(on_gpu.mean(axis=0), on_cpu.mean(axis=0), atol=1e-2)


def test_retrieval_of_unrelated_features_is_chance(generator):
    a, b = (unit_rows(generator.normal(size=(400, 32))) for _ in range(2))
    found = retrieval_hits(a, b, own_neighbours(a, 10), own_neighbours(b, 10)).mean(axis=0)
    assert found[-1] == pytest.approx(10 / 799, abs=0.015)


def test_too_few_own_neighbours_are_refused(generator):
    a = unit_rows(generator.normal(size=(40, 4)))
    with pytest.raises(ValueError, match="expected 10 own neighbours, got 3"):
        retrieval_hits(a, a, own_neighbours(a, 3), own_neighbours(a, 10))
