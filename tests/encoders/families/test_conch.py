"""CONCH through a stand-in for its package, and CONCH v1.5 through a stand-in for TITAN's repository."""

import json
import sys
import types

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from scangen_bundle.encoders import create_encoder
from scangen_bundle.errors import InputError


class Tower(torch.nn.Module):
    """Mean of each colour, repeated to 512 features; it notes how it was called."""

    def __init__(self):
        super().__init__()
        self.visual, self.text_decoder = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)

    def encode_image(self, pixels, proj_contrast, normalize):
        assert (proj_contrast, normalize) == (False, False)
        assert pixels.shape[1:] == (3, 448, 448)
        return pixels.mean((2, 3)).repeat(1, 171)[:, :512]


@pytest.fixture
def conch_package(monkeypatch):
    called = {}

    def create_model_from_pretrained(name, checkpoint_path):
        called.update(name=name, path=checkpoint_path)
        return Tower(), None

    package, module = types.ModuleType("conch"), types.ModuleType("conch.open_clip_custom")
    module.create_model_from_pretrained = create_model_from_pretrained
    monkeypatch.setitem(sys.modules, "conch", package)
    monkeypatch.setitem(sys.modules, "conch.open_clip_custom", module)
    return called


@pytest.fixture
def tiles():
    return np.random.default_rng(0).integers(0, 256, (2, 512, 512, 3), dtype=np.uint8)


def test_conch_is_asked_for_the_vector_before_the_contrastive_projection(conch_package, tmp_path, tiles):
    published = {"visual.weight": torch.ones(1, 1), "visual.bias": torch.ones(1), "logit_scale": torch.ones(1)}
    torch.save(published, tmp_path / "pytorch_model.bin")
    encoder = create_encoder("conch", weights=tmp_path, device="cpu")
    features = encoder.encode(tiles)
    assert conch_package == {"name": "conch_ViT-B-16", "path": str(tmp_path / "pytorch_model.bin")}
    assert features.shape == (2, 512)
    expected = (tiles.mean((1, 2)) / 255 - encoder.spec.mean) / encoder.spec.std
    np.testing.assert_allclose(features[:, :3], expected, atol=0.01)


def test_weights_without_some_of_conchs_image_tower_are_refused(conch_package, tmp_path):
    torch.save({"visual.weight": torch.ones(1, 1), "blocks.0.weight": torch.ones(1)}, tmp_path / "uni.pth")
    with pytest.raises(InputError, match=r"uni\.pth: not the weights of conch: 1 missing \(visual\.bias\)"):
        create_encoder("conch", weights=tmp_path / "uni.pth")


def test_without_its_package_conch_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "conch", None)
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
    with pytest.raises(InputError, match=r"pip install git\+https://github\.com/Mahmoodlab/CONCH"):
        create_encoder("conch", weights=tmp_path)


TITAN_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel

class TitanConfig(PretrainedConfig):
    model_type = "titan_of_a_test"

class Conch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.project = torch.nn.Linear(3, 768)

    def forward(self, pixels):
        assert pixels.shape[1:] == (3, 448, 448)
        return self.project(pixels.mean((2, 3)))

class Titan(PreTrainedModel):
    config_class = TitanConfig

    def __init__(self, config):
        super().__init__(config)
        self.vision_encoder = Conch()
        self.post_init()

    def return_conch(self):
        return self.vision_encoder, None
"""


def test_conch_v1_5_comes_out_of_titans_own_code_when_allowed(tmp_path, monkeypatch, tiles):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "titan"
    folder.mkdir()
    (folder / "modeling_titan.py").write_text(TITAN_CODE)
    auto_map = {"AutoConfig": "modeling_titan.TitanConfig", "AutoModel": "modeling_titan.Titan"}
    (folder / "config.json").write_text(json.dumps({"model_type": "titan_of_a_test", "auto_map": auto_map}))
    weight = torch.randn(768, 3, generator=torch.Generator().manual_seed(0))
    state = {"vision_encoder.project.weight": weight, "vision_encoder.project.bias": torch.zeros(768)}
    # The slide model's own weights, whichever there are, do not matter to the tile's vector.
    save_file({**state, "slide.weight": torch.zeros(1)}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "conch_v1_5_pytorch_model.bin").write_bytes(b"weights")
    with pytest.raises(InputError, match="trust_remote_code True"):
        create_encoder("conch-v1.5", weights=folder)
    encoder = create_encoder("conch-v1.5", weights=folder, trust_remote_code=True, device="cpu")
    colours = (tiles.mean((1, 2)) / 255 - encoder.spec.mean) / encoder.spec.std
    np.testing.assert_allclose(encoder.encode(tiles), colours @ weight.numpy().T, atol=0.05)
    (folder / "modeling_titan.py").write_text(
        TITAN_CODE.replace("return self.vision_encoder, None", "raise OSError('no file')")
    )
    with pytest.raises(InputError, match=r"no file -> it looks for conch_v1_5_pytorch_model\.bin of MahmoodLab/TITAN"):
        create_encoder("conch-v1.5", weights=folder, trust_remote_code=True)
