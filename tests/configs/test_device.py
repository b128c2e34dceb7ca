"""The device of a training is a word on the command line, an object in the config."""

import pytest
import torch
from monai.bundle import ConfigParser

from tests.conftest import ROOT


@pytest.mark.parametrize("device", ["cpu", "cuda:1", torch.device("cpu"), torch.device("cuda", 1)], ids=repr)
def test_mixed_precision_and_pinned_memory_are_for_a_gpu_however_it_is_named(device):
    parser = ConfigParser(ConfigParser.load_config_file(ROOT / "configs" / "train.yaml"))
    parser["device"] = device
    on_gpu = "cuda" in str(device)
    for setting in ("train#trainer#amp", "train#trainer#non_blocking", "train#dataloader#pin_memory"):
        assert parser.get_parsed_content(setting) is on_gpu
