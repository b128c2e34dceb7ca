"""What a tile costs in the embedded encoder, in ONNX Runtime and in torch, by the tiles per batch: prints a table.

python -m speed.encoder [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from scangen_bundle.encoders.families.efficientnet_lite import SPEC, OnnxEfficientNetLite, build_network, onnx_path
from scangen_bundle.encoders.preprocess import normalise

BATCHES = (1, 16, 64)


def ms_per_tile(encode: Callable[[np.ndarray], object], tiles: np.ndarray, rounds: int) -> float:
    """Median processor time of a tile in batches [B, 224, 224, 3], ms."""
    encode(tiles)  # first calls are not what is measured
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        encode(tiles)
        seconds.append(time.process_time() - start)
    return statistics.median(seconds) / len(tiles) * 1e3


def in_onnxruntime() -> Callable[[np.ndarray], object]:
    """The whole batch in one run of the session, which the encoder itself cuts into chunks."""
    OnnxEfficientNetLite(SPEC, threads=1)  # makes the ONNX file where it is not there
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_path(), settings, providers=["CPUExecutionProvider"])
    return lambda tiles: session.run(None, {"tiles": tiles})


def in_torch() -> Callable[[np.ndarray], object]:
    torch.set_num_threads(1)
    network = build_network().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def encode(tiles: np.ndarray) -> object:
        return network(normalise(torch.from_numpy(tiles).permute(0, 3, 1, 2), SPEC))

    return encode


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is shown")
    options = parser.parse_args()
    print(f"| EfficientNet-Lite0, 224 px, one thread, by tiles per batch | {' | '.join(map(str, BATCHES))} |")
    print("|---|" + "---|" * len(BATCHES))
    rows = {f"ONNX Runtime {onnxruntime.__version__}": in_onnxruntime(), f"torch {torch.__version__}": in_torch()}
    rng = np.random.default_rng(0)
    for name, encode in rows.items():
        found = []
        for size in BATCHES:
            tiles = rng.integers(0, 256, (size, SPEC.input_px, SPEC.input_px, 3), np.uint8)
            found.append(f"{ms_per_tile(encode, tiles, options.rounds):.0f}")
        print(f"| {name}, ms per tile | {' | '.join(found)} |")


if __name__ == "__main__":
    main()
