"""Processes that torchrun started find each other and their device; a single process has nothing to do."""

import pytest
import torch

from scangen_bundle.training import processes

from ..two_processes import in_two_processes


@pytest.mark.parametrize("device", ["cpu", "cuda:1", torch.device("cuda", 1)], ids=repr)
def test_gpus_talk_through_nccl_and_processors_through_gloo(device, monkeypatch):
    chosen, backends = [], []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", backends.append)
    processes.start_processes(device)
    on_gpu = "cuda" in str(device)
    assert backends == ["nccl" if on_gpu else "gloo"]  # nccl moves nothing between processors
    assert chosen == ([device] if on_gpu else [])


def test_a_single_process_is_left_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    network = torch.nn.Linear(2, 1)
    processes.start_processes("cpu")
    assert not torch.distributed.is_initialized()
    assert processes.place_network(network, "cpu") is network
    processes.end_processes()


def test_each_process_has_the_gpu_of_its_rank(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert processes.default_device() == torch.device("cuda", 3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert processes.default_device() == torch.device("cpu")


def placed(rank):
    network = processes.place_network(torch.nn.Linear(2, 1), "cpu")
    return type(network).__name__


def test_several_processes_train_one_network():
    assert in_two_processes(placed) == ["DistributedDataParallel"] * 2
