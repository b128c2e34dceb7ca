"""Pooling of tokens against a loop over them."""

import numpy as np
import pytest
import torch

from scangen_bundle.encoders.pooling import pool_tokens


@pytest.fixture
def tokens():
    return torch.randn(2, 1 + 4 + 9, 5, generator=torch.Generator().manual_seed(0))


def mean_of_patches(tokens, prefix):
    return np.array([[sum(float(t[c]) for t in tile[prefix:]) / 9 for c in range(5)] for tile in tokens])


def test_the_class_token_is_the_first(tokens):
    assert torch.equal(pool_tokens(tokens, "cls", 5), tokens[:, 0])


def test_the_mean_leaves_out_class_token_and_registers(tokens):
    np.testing.assert_allclose(pool_tokens(tokens, "mean", 5), mean_of_patches(tokens, 5), atol=1e-6)


def test_cls_mean_is_one_after_the_other(tokens):
    pooled = pool_tokens(tokens, "cls+mean", 5)
    assert pooled.shape == (2, 10)
    np.testing.assert_allclose(pooled[:, :5], tokens[:, 0])
    np.testing.assert_allclose(pooled[:, 5:], mean_of_patches(tokens, 5), atol=1e-6)


def test_other_poolings_are_none_of_tokens(tokens):
    with pytest.raises(ValueError, match="gap"):
        pool_tokens(tokens, "gap", 5)
