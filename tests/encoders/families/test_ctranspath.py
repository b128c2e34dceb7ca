"""CTransPath from a file with the names of the timm that saved it."""

import re

import numpy as np
import torch
from torchvision.transforms.functional import normalize

from scangen_bundle.encoders import create_encoder
from scangen_bundle.encoders.families.ctranspath import build_ctranspath

from ..conftest import seeded


def test_a_file_with_the_old_names_gives_the_networks_own_features(tmp_path, histology, caplog):
    network = seeded(build_ctranspath)
    old = {
        re.sub(r"layers\.(\d)\.downsample", lambda stage: f"layers.{int(stage[1]) - 1}.downsample", key): value
        for key, value in network.state_dict().items()
    }
    # Tables that the old timm saved and today's computes, and a classifier.
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    old["layers.0.blocks.0.attn.relative_position_index"] = torch.zeros(49, 49, dtype=torch.long)
    old["head.weight"] = torch.zeros(10, 768)
    torch.save({"model": old}, tmp_path / "ctranspath.pth")
    encoder = create_encoder("ctranspath", weights=tmp_path, device="cpu")
    pixels = normalize(torch.from_numpy(histology).permute(0, 3, 1, 2) / 255.0, encoder.spec.mean, encoder.spec.std)
    with torch.inference_mode():
        expected = network(pixels)
    assert expected.shape == (2, 768)
    np.testing.assert_allclose(encoder.encode(histology), expected, atol=1e-4)
    # It is not the published file, whose checksum many tools state, and that is told.
    assert "not the published sha256-7c998680060c" in caplog.text
    assert encoder.revision in caplog.text
