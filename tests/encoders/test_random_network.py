"""The control that has learnt nothing is the same everywhere, and different for each seed."""

import subprocess
import sys

import numpy as np
import torch

from scangen_bundle.encoders import create_encoder


def test_another_process_gets_the_same_weights():
    code = (
        "from scangen_bundle.encoders import create_encoder;"
        "e = create_encoder('random-resnet18', device='cpu');"
        "print(sum(float(p.double().abs().sum()) for p in e.network.parameters()))"
    )
    there = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    encoder = create_encoder("random-resnet18", device="cpu")
    assert there == sum(float(p.double().abs().sum()) for p in encoder.network.parameters())


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
