"""Speed of training, as a table; `make bench-training` runs it.

Asked for: the ScanGen loss with its handler below 2 % of a step, MLflow below 3 % of an epoch; the masked network at most 1.1
times MONAI's own, the default at least 2 times faster than MONAI's on raw features; tiles at least 5 times faster than
`torch.load` of a .pt and indexing; a loop with a model of 5 ms a bag waits for data less than 10 % of its time, in memory that
does not grow with the bags; AUROC of the default not lower; start-up measured.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from monai.networks.nets import MILModel
from monai.optimizers import WarmupCosineSchedule

from scangen_bundle.bags import open_bag
from scangen_bundle.cohort import k_fold, load_manifest
from scangen_bundle.data import BagDataset, PrefetchLoader, SpecimenScannerSampler, collate_bags
from scangen_bundle.measures import auroc
from scangen_bundle.methods import create_method
from scangen_bundle.networks import MaskedMILModel, Projector
from scangen_bundle.runs import RunTracker
from scangen_bundle.testing import make_bag
from scangen_bundle.training import MethodHandler
from studies.bare_training import as_items, number_ids, predict

BAGS, BATCH, TILES, DRAWN, DIM = 24, 8, 10_000, 1_024, 1_536
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
    state = SimpleNamespace(batch=batch, iteration=1, epoch_length=1, output={"pred": torch.zeros(16, 2)})
    engine, handler = SimpleNamespace(network=embedding, state=state), MethodHandler(create_method("scangen"))
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
    for number in range(BAGS):
        features = rng.standard_normal((TILES, DIM), dtype=np.float32).astype(np.float16)
        path = make_bag(folder / f"{number}.h5", features, np.zeros((TILES, 2), np.int64), dtype="float16")
        torch.save(torch.from_numpy(features), path.with_suffix(".pt"))
        records.append(
            {"features_path": str(path), "label": number % 2, "specimen": number, "scanner": 0, "slide_id": str(number)}
        )
    return records


def usual(records: list[dict]) -> torch.Tensor:
    """A tensor file for each bag, loaded whole, then indexed: a batch [B, DRAWN, DIM]."""
    bags = []
    for record in records:
        tiles = torch.load(Path(record["features_path"]).with_suffix(".pt"), weights_only=True)
        bags.append(tiles[torch.randperm(len(tiles))[:DRAWN]].float())
    return torch.stack(bags)


def forget(folder: Path) -> None:
    """Drop the folder's files from the page cache."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def wall(load: Callable[[int], object]) -> float:
    """Mean ms a bag by the clock, batch after batch."""
    start = time.perf_counter()
    for batch in range(BAGS // BATCH):
        load(batch)
    return (time.perf_counter() - start) / BAGS * 1e3


def resident(kind: str) -> float:
    """MB of this process: RssAnon is its own memory, RssFile the mapped part of the file cache."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(kind):
            return int(line.split()[1]) / 1024
    return float("nan")


def waiting_share(loader: Iterable[dict]) -> float:
    """How much of an epoch a loop with a model of 5 ms a bag waits for its data."""
    waiting, start, batches = 0.0, time.perf_counter(), iter(loader)
    while True:
        before = time.perf_counter()
        batch = next(batches, None)
        waiting += time.perf_counter() - before
        if batch is None:
            return waiting / (time.perf_counter() - start)
        time.sleep(0.005 * len(batch["label"]))


def bench_data(folder: Path) -> list[Row]:
    records = write_bags(folder)
    data = BagDataset(records, DRAWN)

    def mapped(batch: int) -> object:
        return collate_bags([data[index] for index in range(batch * BATCH, (batch + 1) * BATCH)])

    def loaded(batch: int) -> object:
        return usual(records[batch * BATCH : (batch + 1) * BATCH])

    rows = []
    what = "batches of 8 bags, 1,024 tiles of 10,000 x 1,536"
    for name, load in (("mapped bags", mapped), ("torch.load", loaded)):
        forget(folder)
        rows.append((f"{what}, cold: {name}", f"{wall(load):.1f} ms a bag by the clock", ""))
    turn = itertools.count()
    works = [lambda: mapped(next(turn) // 2 % (BAGS // BATCH)), lambda: loaded(next(turn) // 2 % (BAGS // BATCH))]
    ours, theirs = (ms / BATCH for ms in alternate(works, repeats=BAGS))
    text = f"{ours:.2f} beside {theirs:.2f} ms a bag: {theirs / ours:.1f} times faster"
    rows.append(("the same, warm, processor time", text, ">= 5 times"))

    # every epoch begins by waiting for its first batch, so its length matters: that of a cohort of 192 scans
    loader = PrefetchLoader(BagDataset(8 * records, DRAWN), batch_size=BATCH, collate_fn=collate_bags)
    first, *later = (waiting_share(loader) for _ in range(4))
    text = f"{np.mean(later):.1%} of the time (first epoch, which opens the {BAGS} bags: {first:.1%})"
    rows.append((f"waiting for data, model of 5 ms a bag, epochs of {len(loader)} batches", text, "< 10 %"))

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
    """Processor time of the imports: MONAI's, which any bundle pays, and what ours add to it."""
    code = (
        "import time, torch, monai.bundle, monai.engines, monai.handlers; monais = time.process_time(); "
        "import scangen_bundle.cohort, scangen_bundle.data, scangen_bundle.networks, scangen_bundle.training; "
        "print(monais, time.process_time() - monais)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True) for _ in range(3)]
    monais, ours = (min(float(run.stdout.split()[place]) for run in runs) for place in (-2, -1))
    return [
        ("start-up: importing MONAI's bundle, engines and handlers; then ours", f"{monais:.1f} s; {ours:.2f} s", "")
    ]


def bench_auroc(dataset: Path, seeds: int, epochs: int) -> list[Row]:
    """AUROC, mean over scanners, of the shipped default beside MONAI's own attention straight on the features.

    Five folds by patient: each scan has the probability of the network that did not see its patient, after the last epoch.
    """
    manifest = load_manifest(dataset / "manifest.csv", classes=2)
    folder = dataset / "features" / "efficientnet-lite0"
    features = {name: np.asarray(open_bag(folder / f"{name}.h5").features, np.float32) for name in manifest.slide_id}
    dim = next(iter(features.values())).shape[1]
    makers: dict[str, Callable[[], torch.nn.Module]] = {
        "default": lambda: MaskedMILModel(2, dim),
        # equal to MONAI's MILModel with its attention of 2,048 (tests/networks), and takes bags of different lengths
        "raw": lambda: MaskedMILModel(2, dim, "att", projector_depth=0, attention_width=2048),
    }
    found: dict[str, list[float]] = {name: [] for name in makers}
    for (name, make), seed in itertools.product(makers.items(), range(seeds)):
        folds = []
        for rows in k_fold(manifest, 5, seed=0):
            parts = [rows[rows.split == split] for split in ("train", "test")]
            train, test = (as_items(part, features, number_ids(rows)) for part in parts)
            torch.manual_seed(seed)
            folds.append(parts[1].assign(probability=fit(make(), train, test, seed, epochs)))
        scans = pd.concat(folds)
        by_scanner = [auroc(own.label.to_numpy(), own.probability.to_numpy()) for _, own in scans.groupby("scanner")]
        found[name].append(float(np.mean(by_scanner)))
    ours, theirs = (float(np.mean(found[name])) for name in makers)
    what = f"AUROC of the default beside MILModel on raw features, {dataset.name}, 5 folds x {seeds} seeds"
    return [(what, f"{ours:.3f} beside {theirs:.3f}", "not lower")]


def fit(network: torch.nn.Module, train: list[dict], test: list[dict], seed: int, epochs: int) -> np.ndarray:
    """Train by cross-entropy as configs/train.yaml does without ScanGen; probability of class 1 of each test scan."""
    sampler = SpecimenScannerSampler(train, seed=seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = WarmupCosineSchedule(optimizer, 2 * len(sampler), epochs * len(sampler), warmup_multiplier=0.1)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for indices in sampler:
            batch = collate_bags([train[index] for index in indices])
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(batch["image"], batch["mask"]), batch["label"]).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return predict(network, collate_bags(test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--dataset_dir", type=Path, default=Path("data/phantom"), help="a cohort with its bags, for AUROC"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
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
            print_rows(bench())
    if (options.dataset_dir / "features" / "efficientnet-lite0").is_dir():
        print_rows(bench_auroc(options.dataset_dir, options.seeds, options.epochs))
    else:
        print(f"\nNo bags in {options.dataset_dir}: AUROC is not compared (`make demo` makes them).")


def print_rows(rows: list[Row]) -> None:
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
