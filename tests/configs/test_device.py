"""The device of a training is a word on the command line, an object in the config."""

import pytest
import torch
from monai.bundle import ConfigParser

from tests.conftest import ROOT

FILES = [str(ROOT / "configs" / name) for name in ("train.yaml", "multi_gpu_train.yaml")]


@pytest.mark.parametrize("device", ["cpu", "cuda:1", torch.device("cpu"), torch.device("cuda", 1)], ids=repr)
def test_what_a_gpu_alone_needs_is_there_on_a_gpu_however_it_is_named(device, monkeypatch):
    chosen, backends = [], []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.distributed, "init_process_group", backends.append)
    on_gpu = "cuda" in str(device)
    for files in (FILES[:1], FILES):
        parser = ConfigParser(ConfigParser.load_config_files(files))
        parser["device"] = device
        for setting in ("train#trainer#amp", "train#trainer#non_blocking", "train#dataloader#pin_memory"):
            assert parser.get_parsed_content(setting) is on_gpu
    assert parser.get_parsed_content("network#device_ids") == ([device] if on_gpu else None)
    for number, step in enumerate(parser["initialize"]):
        if "set_device" in step or "import" in step or "init_process_group" in step:
            parser.get_parsed_content(f"initialize#{number}")
    assert chosen == ([device] if on_gpu else [])
    assert backends == ["nccl" if on_gpu else "gloo"]  # nccl moves nothing between processors


@pytest.mark.parametrize("file", FILES)
def test_whether_it_is_a_gpu_is_asked_in_one_place(file):
    with open(file, encoding="utf-8") as text:
        asked = text.read().count("startswith('cuda')")
    assert asked == (file == FILES[0])
