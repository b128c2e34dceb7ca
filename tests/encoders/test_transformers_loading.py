"""transformers encoders from folders on disk, with tiny random models, against the library used directly."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTModel,
)

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.transformers_loading import make_transformers_encoder
from scangen_bundle.errors import InputError

from .conftest import COMMIT, add_to_cache, seeded

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 32, "image_size": 224}


def tiny(name):
    """The spec of `name` with the D and the configuration of a model of width 16."""
    spec = ENCODERS[name].spec
    config = {key: TINY.get(key, value) for key, value in spec.config.items()}
    return replace(spec, poolings={p: 32 if p == "cls+mean" else 16 for p in spec.poolings}, config=config)


def tokens_of(model, spec, tiles):
    pixels = (tiles / 255.0 - np.array(spec.mean)) / np.array(spec.std)
    with torch.inference_mode():
        return model(pixel_values=torch.from_numpy(pixels).permute(0, 3, 1, 2).float())


def test_midnight_is_class_token_and_mean(tmp_path, histology):
    model = seeded(Dinov2Model, Dinov2Config(**TINY))
    model.save_pretrained(tmp_path)
    encoder = make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")
    tokens = tokens_of(model, encoder.spec, histology).last_hidden_state
    expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    np.testing.assert_allclose(encoder.encode(histology), expected, atol=1e-5)
    assert encoder.pooling == "cls+mean"


def test_phikon_needs_no_pooler_in_its_file(tmp_path, histology):
    model = seeded(ViTModel, ViTConfig(**TINY, intermediate_size=32), add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    encoder = make_transformers_encoder(tiny("phikon"), weights=tmp_path, device="cpu")
    expected = tokens_of(model, encoder.spec, histology).last_hidden_state[:, 0]
    np.testing.assert_allclose(encoder.encode(histology), expected, atol=1e-5)


def test_registers_are_left_out_of_the_mean(tmp_path, histology):
    model = seeded(Dinov2WithRegistersModel, Dinov2WithRegistersConfig(**TINY, num_register_tokens=4))
    model.save_pretrained(tmp_path)
    spec = replace(tiny("hibou-b"), trust_remote_code=False)  # the library's own class stands in for Hibou's code
    output = tokens_of(model, spec, histology)
    pooler = make_transformers_encoder(spec, weights=tmp_path, device="cpu")
    np.testing.assert_allclose(pooler.encode(histology), output.pooler_output, atol=1e-5)
    mean = make_transformers_encoder(spec, weights=tmp_path, pooling="cls+mean", device="cpu")
    expected = output.last_hidden_state[:, 5:].mean(1)
    np.testing.assert_allclose(mean.encode(histology)[:, 16:], expected, atol=1e-5)


REMOTE_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

class OwnConfig(PretrainedConfig):
    model_type = "own_of_a_test"

class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.project = torch.nn.Linear(3, 16)
        self.post_init()

    def forward(self, pixel_values):
        return BaseModelOutputWithPooling(pooler_output=self.project(pixel_values.mean((2, 3))))
"""


@pytest.fixture
def remote_model(tmp_path, monkeypatch):
    """A repository whose model is Python code beside its weights, as Hibou's is."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "modeling_own.py").write_text(REMOTE_CODE)
    auto_map = {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own_of_a_test", "auto_map": auto_map, **TINY}))
    weight = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    state = {"project.weight": weight, "project.bias": torch.zeros(16)}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return weight.numpy(), folder


def test_code_beside_the_weights_runs_only_when_allowed(remote_model, histology):
    weight, folder = remote_model
    spec = tiny("hibou-b")
    with pytest.raises(InputError, match=r"Python code.*repository.*trust_remote_code True"):
        make_transformers_encoder(spec, weights=folder, device="cpu")
    encoder = make_transformers_encoder(spec, weights=folder, trust_remote_code=True, device="cpu")
    colours = (histology.mean((1, 2)) / 255 - spec.mean) / spec.std
    np.testing.assert_allclose(encoder.encode(histology), colours @ weight.T, atol=1e-4)


def test_code_that_this_transformers_cannot_run_is_told_with_the_version(remote_model):
    _, folder = remote_model
    (folder / "modeling_own.py").write_text("from transformers import no_such_name\n" + REMOTE_CODE)
    with pytest.raises(InputError, match=rf"transformers {transformers.__version__} cannot load it.*no_such_name"):
        make_transformers_encoder(tiny("hibou-b"), weights=folder, trust_remote_code=True, device="cpu")


def test_a_model_that_needs_no_code_gets_none_run(remote_model):
    _, folder = remote_model
    with pytest.raises(InputError, match=r"transformers .* cannot load it"):
        make_transformers_encoder(tiny("midnight-12k"), weights=folder, trust_remote_code=True, device="cpu")


def test_the_cache_of_the_hub_is_used_and_its_commit_enters_the_key(hub_cache):
    snapshot = add_to_cache(hub_cache, "kaiko-ai/midnight")
    seeded(Dinov2Model, Dinov2Config(**TINY)).save_pretrained(snapshot)
    encoder = make_transformers_encoder(tiny("midnight-12k"), device="cpu")
    assert encoder.key == f"midnight-12k@{COMMIT[:12]}_cls+mean_224px_0.5mpp"


def test_a_configuration_without_weights_is_refused(tmp_path):
    Dinov2Config(**TINY).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"no model\.safetensors or pytorch_model\.bin in"):
        make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")


def with_layers(spec, layers):
    return replace(spec, config={**spec.config, "num_hidden_layers": layers})


def test_weights_that_lack_layers_are_refused_not_filled_with_random_numbers(tmp_path):
    seeded(Dinov2Model, Dinov2Config(**TINY)).save_pretrained(tmp_path)
    Dinov2Config(**{**TINY, "num_hidden_layers": 3}).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"not the weights of midnight-12k: \d+ missing \(encoder\.layer\.2"):
        make_transformers_encoder(with_layers(tiny("midnight-12k"), 3), weights=tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("model", "configuration", "name"), [(Dinov2Model, Dinov2Config, "midnight-12k"), (ViTModel, ViTConfig, "phikon")]
)
def test_weights_of_more_layers_are_refused_not_cut_to_the_configuration(tmp_path, model, configuration, name):
    seeded(model, configuration(**{**TINY, "num_hidden_layers": 3})).save_pretrained(tmp_path)
    configuration(**TINY).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=rf"not the weights of {name}: \d+ unknown \([a-z.]*layers?\.2"):
        make_transformers_encoder(tiny(name), weights=tmp_path, device="cpu")


def test_a_pooler_that_phikons_file_may_have_is_passed_over(tmp_path, histology):
    model = seeded(ViTModel, ViTConfig(**TINY, intermediate_size=32))
    model.save_pretrained(tmp_path)
    assert any(key.startswith("pooler.") for key in model.state_dict())
    encoder = make_transformers_encoder(tiny("phikon"), weights=tmp_path, device="cpu")
    expected = tokens_of(model, encoder.spec, histology).last_hidden_state[:, 0]
    np.testing.assert_allclose(encoder.encode(histology), expected, atol=1e-5)


@pytest.mark.parametrize("entry", ["hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size"])
def test_a_model_of_another_architecture_is_refused_even_where_its_weights_fit_its_configuration(tmp_path, entry):
    other = {**TINY, entry: 4 * TINY[entry] if entry != "patch_size" else 16}
    seeded(Dinov2Model, Dinov2Config(**other)).save_pretrained(tmp_path)
    told = rf"config\.json: not the configuration of midnight-12k: {entry} is {other[entry]}, expected {TINY[entry]}"
    with pytest.raises(InputError, match=told):
        make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")


def test_a_model_of_another_kind_is_refused(tmp_path):
    seeded(Dinov2Model, Dinov2Config(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not the configuration of phikon: model_type is dinov2, expected vit"):
        make_transformers_encoder(tiny("phikon"), weights=tmp_path, device="cpu")
    # Hibou is code beside its weights: a folder without it is another model, though all its sizes are Hibou's.
    with pytest.raises(InputError, match="not the configuration of hibou-b: auto_map names no AutoModel"):
        make_transformers_encoder(tiny("hibou-b"), weights=tmp_path, trust_remote_code=True, device="cpu")


def test_weights_of_another_shape_are_told_as_such(tmp_path):
    seeded(Dinov2Model, Dinov2Config(**TINY, mlp_ratio=2)).save_pretrained(tmp_path)
    Dinov2Config(**TINY, mlp_ratio=4).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"not the weights of midnight-12k: \d+ of another shape \(.*mlp\.fc1"):
        make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")


class Payload:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_what_is_wrong_with_a_file_is_told_in_our_words_and_its_code_is_not_run(tmp_path, capsys):
    Dinov2Config(**TINY).save_pretrained(tmp_path)
    torch.save({"weight": Payload()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model\.bin: .*holds code \(builtins\.print\)") as caught:
        make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")
    assert "weights_only" not in str(caught.value)
    assert "code of the file ran" not in capsys.readouterr().out
    (tmp_path / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1")
    with pytest.raises(InputError, match=r"model\.safetensors: .*Git LFS pointer"):
        make_transformers_encoder(tiny("midnight-12k"), weights=tmp_path, device="cpu")
