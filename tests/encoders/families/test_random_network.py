"""The control that has learnt nothing is the same everywhere, and different for each seed."""

import numpy as np
import torch

from scangen_bundle.encoders import create_encoder


def test_the_weights_depend_on_the_seed_alone(histology):
    first = create_encoder("random-resnet18", device="cpu")
    torch.manual_seed(12345)
    second = create_encoder("random-resnet18", device="cpu")
    np.testing.assert_array_equal(first.encode(histology), second.encode(histology))


def test_seeds_differ_and_enter_the_key(histology):
    first, second = (create_encoder("random-resnet18", seed=seed, device="cpu") for seed in (0, 1))
    assert first.key != second.key
    assert np.abs(first.encode(histology) - second.encode(histology)).max() > 0.1


def test_the_callers_random_numbers_are_left_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    create_encoder("random-resnet18", device="cpu")
    assert torch.equal(before, torch.get_rng_state())


def test_its_features_differ_between_tiles_and_fit_float16(histology):
    features = create_encoder("random-resnet18", device="cpu").encode(histology)
    assert features.shape == (2, 512)
    assert np.abs(features[0] - features[1]).max() > 0.1
    assert 0.01 < features.std() < 1000
