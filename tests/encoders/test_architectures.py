"""Every architecture, built without weights on the meta device, against what was published of it.

Number of parameters: model cards and papers, and https://github.com/rendeirolab/lazyslide-models, which counted the real
weights; Prov-GigaPath's is printed by its README to the digit. Shapes of the position embeddings and patch projections follow
from the published loading code: the kwargs of the cards of UNI2-h, Virchow and Virchow2, loaded strictly by TRIDENT.
"""

import pytest
import torch
from transformers import (
    AutoModel,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    ViTConfig,
)

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.families.ctranspath import build_ctranspath, modern_names
from scangen_bundle.encoders.timm_loading import build_timm, pool_timm
from scangen_bundle.encoders.transformers_loading import pool_transformers

TIMM = [entry.spec for entry in ENCODERS.values() if entry.spec.library == "timm" and not entry.spec.built_in]

# name: [position embedding, patch projection, first layer of the first MLP, register tokens]
SHAPES = {
    "uni": [(1, 197, 1024), (1024, 3, 16, 16), (4096, 1024), 0],
    "uni2-h": [(1, 256, 1536), (1536, 3, 14, 14), (8192, 1536), 8],
    "virchow": [(1, 257, 1280), (1280, 3, 14, 14), (6832, 1280), 0],
    "virchow2": [(1, 261, 1280), (1280, 3, 14, 14), (6832, 1280), 4],
    "prov-gigapath": [(1, 197, 1536), (1536, 3, 16, 16), (8192, 1536), 0],
    "h-optimus-0": [(1, 256, 1536), (1536, 3, 14, 14), (8192, 1536), 4],
    "h-optimus-1": [(1, 256, 1536), (1536, 3, 14, 14), (8192, 1536), 4],
    "h0-mini": [(1, 256, 768), (768, 3, 14, 14), (4096, 768), 4],
    "gpfm": [(1, 257, 1024), (1024, 3, 14, 14), (4096, 1024), 0],
    "kaiko-vits16": [(1, 197, 384), (384, 3, 16, 16), (1536, 384), 0],
    "kaiko-vits8": [(1, 785, 384), (384, 3, 8, 8), (1536, 384), 0],
    "kaiko-vitb16": [(1, 197, 768), (768, 3, 16, 16), (3072, 768), 0],
    "kaiko-vitb8": [(1, 785, 768), (768, 3, 8, 8), (3072, 768), 0],
    "kaiko-vitl14": [(1, 1369, 1024), (1024, 3, 14, 14), (4096, 1024), 4],
    "lunit-vits8": [(1, 785, 384), (384, 3, 8, 8), (1536, 384), 0],
    "dinov2-vitb14": [(1, 1370, 768), (768, 3, 14, 14), (3072, 768), 0],
}
LAYER_SCALE = {"uni", "uni2-h", "virchow", "virchow2", "prov-gigapath", "h-optimus-0", "h-optimus-1", "h0-mini", "gpfm"}

# The published config.json of each model of transformers. Hibou's own code is DINOv2 with registers: the library's class stands
# in for it.
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
CONFIGS = {
    "phikon": ViTConfig(),
    "phikon-v2": Dinov2Config(**LARGE, patch_size=16, image_size=224),
    "hibou-b": Dinov2WithRegistersConfig(num_register_tokens=4, patch_size=14, image_size=224),
    "hibou-l": Dinov2WithRegistersConfig(**LARGE, num_register_tokens=4, patch_size=14, image_size=224),
    "midnight-12k": Dinov2Config(
        hidden_size=1536,
        num_hidden_layers=40,
        num_attention_heads=24,
        use_swiglu_ffn=True,
        patch_size=14,
        image_size=224,
    ),
}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters()) / 1e6


def pixels(spec):
    return torch.empty(2, 3, spec.input_px, spec.input_px, device="meta")


@pytest.fixture(scope="module", params=TIMM, ids=lambda spec: spec.name)
def built(request):
    with torch.device("meta"):
        return request.param, build_timm(request.param)


def test_timm_networks_have_the_published_number_of_parameters(built):
    spec, network = built
    assert count(network) == pytest.approx(spec.parameters, rel=0.005)


def test_timm_networks_give_the_stated_features_for_every_pooling(built):
    spec, network = built
    for pooling, dim in spec.poolings.items():
        assert pool_timm(network, pooling)(pixels(spec)).shape == (2, dim)


def test_timm_networks_have_the_published_names_and_shapes(built):
    spec, network = built
    state = network.state_dict()
    if spec.name == "resnet50":
        assert state["conv1.weight"].shape == (64, 3, 7, 7)
        assert state["layer3.5.bn3.weight"].shape == (1024,)
        assert not any(key.startswith(spec.ignored_keys) for key in state)
        return
    position, patch, mlp, registers = SHAPES[spec.name]
    assert state["pos_embed"].shape == position
    assert state["patch_embed.proj.weight"].shape == patch
    assert state["blocks.0.mlp.fc1.weight"].shape == mlp
    assert ("reg_token" in state and state["reg_token"].shape[1]) == registers
    assert ("blocks.0.ls1.gamma" in state) == (spec.name in LAYER_SCALE | {"kaiko-vitl14", "dinov2-vitb14"})
    assert not any(key.startswith(("head.", "fc_norm.")) for key in state)


def test_gigapath_has_the_parameters_that_its_readme_prints():
    with torch.device("meta"):
        network = build_timm(ENCODERS["prov-gigapath"].spec)
    assert sum(parameter.numel() for parameter in network.parameters()) == 1_134_953_984


@pytest.mark.parametrize("name", CONFIGS)
def test_transformers_models_have_the_published_parameters_and_features(name):
    spec = ENCODERS[name].spec
    with torch.device("meta"):
        model = AutoModel.from_config(CONFIGS[name], **spec.kwargs)
    assert count(model) == pytest.approx(spec.parameters, rel=0.005)
    for pooling, dim in spec.poolings.items():
        assert pool_transformers(model, pooling)(pixels(spec)).shape == (2, dim)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_published_configuration_is_the_registered_one(name):
    config = ENCODERS[name].spec.config
    assert {"hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size"} <= set(config)
    assert {key: getattr(CONFIGS[name], key) for key in config} == dict(config)


@pytest.mark.parametrize("name", CONFIGS)
def test_none_of_the_models_own_weights_is_ignored(name):
    spec = ENCODERS[name].spec
    with torch.device("meta"):
        own = AutoModel.from_config(CONFIGS[name], **spec.kwargs).state_dict()
    assert not any(key.startswith(spec.ignored_keys) for key in own)


def test_every_encoder_of_the_two_libraries_is_built_here():
    built_here = {spec.name for spec in TIMM} | set(CONFIGS)
    both = {n for n, e in ENCODERS.items() if e.spec.library in ("timm", "transformers") and not e.spec.built_in}
    assert both - built_here == {"conch-v1.5"}  # its code comes with its weights


def test_ctranspath_takes_the_published_names():
    network = build_ctranspath()
    state = network.state_dict()
    assert count(network) == pytest.approx(27.5, rel=0.005)
    assert [state[f"patch_embed.proj.{i}.weight"].shape[0] for i in (0, 3, 6)] == [12, 24, 96]
    assert state["layers.3.blocks.1.attn.relative_position_bias_table"].shape == (169, 24)
    # The downsampling that halves stage 0 was saved with stage 0, and is the beginning of stage 1 today.
    old = {"layers.0.downsample.reduction.weight": torch.ones(1), "layers.0.blocks.1.attn_mask": torch.ones(1)}
    assert list(modern_names(old)) == ["layers.1.downsample.reduction.weight"]
    assert state["layers.1.downsample.reduction.weight"].shape == (192, 384)
