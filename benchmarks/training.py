"""Speed of training, as a table; `make bench-training` runs it.

Asked for: the ScanGen loss with its handler below 2 % of a step, MLflow below 3 % of an epoch; the masked network at most 1.1
times MONAI's own, the default at least 2 times faster than MONAI's on raw features; tiles at least 5 times faster than
`torch.load` of a .pt and indexing; a loop with a model of 5 ms a bag waits for data less than 10 % of its time, in memory that
does not grow with the bags; start-up measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from monai.networks.nets import MILModel

from scangen_bundle.data import BagDataset, PrefetchLoader, collate_bags
from scangen_bundle.features import BagAttributes, write_bag
from scangen_bundle.handlers import RunTracker, ScanGenLossHandler
from scangen_bundle.networks import MaskedMILModel, Projector

BAGS, TILES, DRAWN, DIM = 24, 10_000, 1_024, 1_536
STEPS = 20  # of a small epoch
Row = tuple[str, str, str]


def alternate(works: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median duration of each in ms of processor time, taken in turns so that a busy machine slows all alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for own, work in zip(times, works, strict=True):
            start = time.process_time()
            work()
            own.append(time.process_time() - start)
    return [float(np.median(own)) * 1e3 for own in times]


def step(network: torch.nn.Module, x: torch.Tensor, label: torch.Tensor) -> None:
    torch.nn.functional.cross_entropy(network(x), label).backward()


def bench_scangen(folder: Path) -> list[Row]:
    """The loss with its handler, and MLflow's share of an epoch, beside the step that they are part of."""
    torch.manual_seed(0)
    network, x = MaskedMILModel(2, 1280), torch.randn(16, 1024, 1280)
    number = torch.arange(16)
    batch = {"label": number % 2, "specimen": number // 4, "scanner": number % 4}
    z = torch.randn(16, 96, requires_grad=True)
    embedding = torch.nn.ModuleDict({"embedding": torch.nn.Identity()})
    state = SimpleNamespace(batch=batch, iteration=1, epoch_length=1, output={})
    engine, handler = SimpleNamespace(network=embedding, state=state), ScanGenLossHandler()
    handler.start(engine)  # type: ignore[arg-type]

    def term() -> None:
        state.output["loss"] = torch.zeros(())
        embedding["embedding"](z)  # the handler's hook hears it
        handler.add(engine)  # type: ignore[arg-type]
        state.output["loss"].backward()

    whole, own = alternate([lambda: step(network, x, batch["label"]), term], repeats=9)
    tracking = track_epoch(folder)
    return [
        (
            "ScanGen loss and handler, 16 bags x 1,024 tiles x 1,280",
            f"{own:.2f} of {whole:.0f} ms: {own / whole:.2%}",
            "< 2 %",
        ),
        (
            f"MLflow, an epoch's 30 figures, of {STEPS} such steps",
            f"{tracking:.0f} of {STEPS * whole:.0f} ms: {tracking / (STEPS * whole):.2%}",
            "< 3 %",
        ),
    ]


def write_bags(folder: Path) -> list[dict]:
    rng, records = np.random.default_rng(0), []
    source = {"source_mpp_x": 0.25, "source_mpp_y": 0.25, "effective_mpp_x": 0.5, "effective_mpp_y": 0.5}
    for number in range(BAGS):
        about = BagAttributes(
            slide_id=str(number),
            encoder="a",
            revision="",
            pooling="a",
            dim=DIM,
            tile_px=224,
            mpp=0.5,
            read_level=0,
            **source,
        )
        features = rng.standard_normal((TILES, DIM), dtype=np.float32).astype(np.float16)
        path = folder / f"{number}.h5"
        write_bag(path, features, np.zeros((TILES, 2), np.int64), about)
        torch.save(torch.from_numpy(features), path.with_suffix(".pt"))
        records.append(
            {"features_path": str(path), "label": number % 2, "specimen": number, "scanner": 0, "slide_id": str(number)}
        )
    return records


def usual(record: dict) -> torch.Tensor:
    """A tensor file for each bag, loaded whole, then indexed."""
    tiles = torch.load(Path(record["features_path"]).with_suffix(".pt"), weights_only=True)
    return tiles[torch.randperm(len(tiles))[:DRAWN]].float()


def forget(folder: Path) -> None:
    """Drop the folder's files from the page cache."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def wall(work: Callable[[int], object]) -> float:
    """Mean ms a bag by the clock."""
    start = time.perf_counter()
    for number in range(BAGS):
        work(number)
    return (time.perf_counter() - start) / BAGS * 1e3


def resident(kind: str) -> float:
    """MB of this process: RssAnon is its own memory, RssFile the mapped part of the file cache."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    return float("nan")


def bench_data(folder: Path) -> list[Row]:
    records = write_bags(folder)
    data = BagDataset(records, DRAWN)
    rows = []
    for name, load in (("mapped bag", lambda i: data[i]), (".pt", lambda i: usual(records[i]))):
        forget(folder)
        rows.append((f"1,024 tiles of a bag of 10,000 x 1,536, cold: {name}", f"{wall(load):.1f} ms by the clock", ""))
    numbers = iter(range(10**9))
    ours, theirs = alternate(
        [lambda: data[next(numbers) // 2 % BAGS], lambda: usual(records[next(numbers) // 2 % BAGS])], repeats=3 * BAGS
    )
    rows.append(
        ("the same, warm", f"{ours:.2f} beside {theirs:.2f} ms: {theirs / ours:.1f} times faster", ">= 5 times")
    )

    loader = PrefetchLoader(data, batch_size=8, collate_fn=collate_bags)
    for _ in loader:  # the first round opens the bags
        pass
    waiting, start = 0.0, time.perf_counter()
    for _ in range(4):
        batches = iter(loader)
        while True:
            before = time.perf_counter()
            batch = next(batches, None)
            waiting += time.perf_counter() - before
            if batch is None:
                break
            time.sleep(0.005 * len(batch["label"]))
    share = waiting / (time.perf_counter() - start)
    rows.append(("waiting for data, model of 5 ms a bag", f"{share:.1%} of the time", "< 10 %"))

    memory = []
    for bags in (4, BAGS):
        few = BagDataset(records[:bags], DRAWN)
        for _ in range(2 * BAGS // bags):
            for number in range(bags):
                few[number]
        memory.append(resident("RssAnon"))
    rows.append(
        (f"own memory after 48 reads from 4 and from {BAGS} bags", f"{memory[0]:.0f}, {memory[1]:.0f} MB", "no growth")
    )
    return rows


def bench_network() -> list[Row]:
    torch.manual_seed(0)
    x, label = torch.randn(4, 1024, 1280), torch.arange(4) % 2
    rows = []
    for mode in ("mean", "max", "att"):
        ours = MaskedMILModel(2, 1280, mode, attention_width=2048, projector_dropout=0.0)
        theirs = MILModel(2, mode, backbone=Projector(1280, dropout=0.0), backbone_num_features=96)
        tail = theirs.calc_head
        theirs.forward = lambda x, net=theirs.net, tail=tail: tail(net(x))  # its own forward is for images
        own, other = alternate([lambda m=ours: step(m, x, label), lambda m=theirs: step(m, x, label)], repeats=11)
        rows.append(
            (f"training step beside MILModel, {mode}", f"{own:.0f} beside {other:.0f} ms: {own / other:.2f}", "<= 1.1")
        )
    wide = torch.randn(4, 1024, 1536)
    default, raw = MaskedMILModel(2, 1536), MILModel(2, "att", backbone=torch.nn.Identity(), backbone_num_features=1536)
    raw.forward = lambda x: raw.calc_head(x)
    own, other = alternate([lambda: step(default, wide, label), lambda: step(raw, wide, label)], repeats=7)
    text = f"{own / 4:.0f} beside {other / 4:.0f} ms a bag: {other / own:.1f} times faster"
    return [*rows, ("default beside MILModel on 1,536-d features", text, ">= 2 times")]


def track_epoch(folder: Path) -> float:
    """ms by the clock to log what an epoch logs."""
    tracker = RunTracker(str(folder), str(folder / "run"), "bench", "bench", tracking_uri=None)
    tracker.start()
    metrics = {f"val/{number}": 0.5 for number in range(30)}
    times = []
    for epoch in range(12):
        start = time.perf_counter()
        tracker.log_metrics(metrics, step=epoch)
        times.append(time.perf_counter() - start)
    tracker.finish()
    return float(np.median(times)) * 1e3


def bench_start() -> list[Row]:
    rows = []
    for what, code in (
        ("torch and monai.engines", "import torch, monai.engines"),
        ("and scangen_bundle's data, networks, losses, handlers", "import torch, monai.engines, scangen_bundle.data, "
         "scangen_bundle.networks, scangen_bundle.losses, scangen_bundle.handlers"),
    ):  # fmt: skip
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        rows.append((f"start-up: import {what}", f"{min(times):.1f} s", "measured"))
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    print("| what | measured | asked |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bags").mkdir()
        for bench in (
            lambda: bench_scangen(Path(folder)),
            bench_network,
            lambda: bench_data(Path(folder) / "bags"),
            bench_start,
        ):
            for row in bench():
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
