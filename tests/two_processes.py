"""Run a function in two processes that talk through gloo."""

import multiprocessing
import socket

import torch


def _serve(rank, port, work, arguments, results):
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    results.put((rank, work(rank, *arguments)))
    torch.distributed.destroy_process_group()


def in_two_processes(work, *arguments):
    """What `work(rank, *arguments)` gives in each of two processes, rank 0's first; `work` stands at the top of a module."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_serve, args=(rank, port, work, arguments, results)) for rank in range(2)]
    for worker in workers:
        worker.start()
    answers = dict(results.get(timeout=180) for _ in workers)
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0
    return [answers[0], answers[1]]
