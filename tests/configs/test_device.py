"""The device of a training is a word on the command line, an object in the config."""

import pytest
import torch
from monai.bundle import ConfigParser

from tests.conftest import ROOT

FILE = str(ROOT / "configs" / "train.yaml")


@pytest.mark.parametrize("device", ["cpu", "cuda:1", torch.device("cpu"), torch.device("cuda", 1)], ids=repr)
def test_what_a_gpu_alone_needs_is_used_on_a_gpu_however_it_is_named(device):
    parser = ConfigParser(ConfigParser.load_config_file(FILE))
    parser["device"] = device
    for setting in ("train#trainer#amp", "train#trainer#non_blocking", "train#dataloader#pin_memory"):
        assert parser.get_parsed_content(setting) is ("cuda" in str(device))


def test_whether_it_is_a_gpu_is_asked_in_one_place():
    with open(FILE, encoding="utf-8") as text:
        assert text.read().count("startswith('cuda')") == 1
