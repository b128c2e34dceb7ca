"""Training in several processes, as torchrun starts them, and where a network lives."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import nn


def default_device() -> torch.device:
    """This process's GPU; without one, the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def start_processes(device: str | torch.device) -> None:
    """Connect the processes that torchrun started, through NCCL on GPUs and gloo otherwise; a single process has nothing to do.

    Args:
        device: of this process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo")


def end_processes() -> None:
    """Disconnect them."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def place_network(network: nn.Module, device: str | torch.device) -> nn.Module:
    """The network on the device; with several processes, in DistributedDataParallel."""
    network = network.to(device)
    if not (dist.is_available() and dist.is_initialized()):
        return network
    on_gpu = torch.device(device).type == "cuda"
    return nn.parallel.DistributedDataParallel(network, device_ids=[device] if on_gpu else None)
