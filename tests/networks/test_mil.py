"""MaskedMILModel beside MONAI's MILModel, padded beside unpadded, and as TorchScript and ONNX."""

import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from monai.networks.nets import MILModel

from scangen_bundle.methods import create_method, fit_method, scanner_keys
from scangen_bundle.networks import MaskedMILModel, Projector
from scangen_bundle.networks.mil import MODES

from ..methods.scans import random_scans

FEATURES, WIDTH = 12, 16


def make(mode, **options):
    torch.manual_seed(0)
    return MaskedMILModel(3, FEATURES, mode, projector_width=WIDTH, **options).eval()


def bags(*lengths, seed=1):
    """Bags of these lengths, padded with large numbers to the longest."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(lengths), max(lengths), FEATURES, generator=generator)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return x.masked_fill(~mask.unsqueeze(-1), 1e4), mask


def outputs_of(model, name, *inputs):
    """The logits, and what the submodule `name` gave."""
    seen = []
    hook = getattr(model, name).register_forward_hook(lambda module, args, output: seen.append(output))
    logits = model(*inputs)
    hook.remove()
    (output,) = seen
    return logits, output


@pytest.mark.parametrize("mode", ["mean", "max", "att", "att_trans"])
@pytest.mark.parametrize("training", [False, True])
def test_with_its_weights_loaded_the_result_is_monais(mode, training):
    reference = MILModel(3, mode, backbone=Projector(FEATURES, WIDTH, dropout=0.0), backbone_num_features=WIDTH)
    ours = make(mode, attention_width=2048, projector_dropout=0.0)
    ours.load_state_dict(reference.state_dict())  # the names are the same, or this raises
    reference.train(training), ours.train(training)
    x, mask = bags(9, 9, 9)
    # MONAI's forward folds the bag into the batch for a CNN; a projector works on the last axis either way
    expected = reference.calc_head(reference.net(x))
    torch.testing.assert_close(ours(x), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(ours(x, mask), expected, atol=1e-6, rtol=0)
    expected.square().sum().backward()
    ours(x, mask).square().sum().backward()
    gradients = {name: value.grad for name, value in reference.named_parameters()}
    for name, value in ours.named_parameters():
        torch.testing.assert_close(value.grad, gradients[name], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("training", [False, True])
def test_padding_changes_nothing(mode, training):
    model = make(mode, projector_dropout=0.0).train(training)
    lengths = (1, 4, 11)
    x, mask = bags(*lengths)
    logits, embedding = outputs_of(model, "embedding", x, mask)
    _, weights = outputs_of(model, "attention", x, mask)
    for row, length in enumerate(lengths):
        alone, alone_embedding = outputs_of(model, "embedding", x[row : row + 1, :length])
        torch.testing.assert_close(logits[row], alone[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(embedding[row], alone_embedding[0], atol=1e-6, rtol=0)
        assert (weights[row, length:] == 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))


@pytest.mark.parametrize("mode", MODES)
def test_padding_changes_no_gradient(mode):
    x, mask = bags(3, 8)
    gradients = []
    for batches in ([(x, mask)], [(x[:1, :3], None), (x[1:], None)]):
        model = make(mode)
        for inputs in batches:
            model(*inputs).square().sum().backward()
        gradients.append([value.grad for value in model.parameters()])
    for padded, alone in zip(*gradients, strict=True):
        torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_a_bag_without_real_tiles_has_embedding_zero_and_a_finite_gradient(mode):
    model = make(mode).train()
    x, mask = bags(5, 5)
    mask[1] = False
    logits, embedding = outputs_of(model, "embedding", x, mask)
    assert (embedding[1] == 0).all()
    torch.testing.assert_close(logits[1], model.myfc.bias)
    logits.sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters() if value.grad is not None)


def test_the_weighted_tiles_sum_to_the_embedding():
    model = make("gated_att")
    x, mask = bags(4, 6)
    _, embedding = outputs_of(model, "embedding", x, mask)
    _, weights = outputs_of(model, "attention", x, mask)
    tiles = model(x, mask, no_head=True)
    for row in range(2):
        by_hand = sum(weights[row, tile] * tiles[row, tile] for tile in range(6))
        torch.testing.assert_close(embedding[row], by_hand)


def test_gated_attention_is_the_formula_of_ilse_et_al():
    model = make("gated_att")
    x, _ = bags(5)
    tiles = model(x, no_head=True)[0]
    attention = model.attention
    scores = []
    for tile in tiles:
        value = torch.tanh(attention.value.weight @ tile + attention.value.bias)
        gate = torch.sigmoid(attention.gate.weight @ tile + attention.gate.bias)
        scores.append(attention.score.weight[0] @ (value * gate) + attention.score.bias[0])
    expected = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
    torch.testing.assert_close(outputs_of(model, "attention", x)[1][0], expected)


def test_max_mode_weighs_the_tiles_with_the_highest_logit_of_a_class():
    model = make("max")
    x, mask = bags(7)
    scores = model.myfc(model(x, no_head=True))[0]
    expected = np.bincount(scores.argmax(dim=0).numpy(), minlength=7) / 3
    np.testing.assert_allclose(outputs_of(model, "attention", x, mask)[1][0].detach(), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["mean", "max", "att", "gated_att"])
def test_a_bag_of_fifty_thousand_tiles_beside_a_bag_of_one(mode):
    model = make(mode)
    x, mask = bags(50_000, 1)
    with torch.no_grad():
        logits = model(x, mask)
        torch.testing.assert_close(logits[1:], model(x[1:, :1]), atol=1e-6, rtol=0)
        torch.testing.assert_close(logits[:1], model(x[:1]), atol=1e-6, rtol=0)


def test_a_transformer_bag_keeps_no_square_of_its_tiles_in_memory():
    """50,000 tiles attend to each other for a minute and more on a CPU; that 6,000 make no [N, N] matrix shows what scales."""
    model = make("att_trans", trans_blocks=1)
    x, mask = bags(6_000)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        assert torch.isfinite(model(x, mask)).all()
    largest = max(event.cpu_memory_usage for event in profile.events() if event.cpu_memory_usage > 0)
    assert largest < 4 * 6_000 * 6_000  # bytes of one float32 matrix of one head


@pytest.mark.parametrize("mode", MODES)
def test_torchscript_gives_the_same_with_and_without_a_mask(mode, tmp_path):
    model = make(mode)
    torch.jit.script(model).save(str(tmp_path / "model.ts"))
    scripted = torch.jit.load(str(tmp_path / "model.ts"))
    for lengths in ((7, 2, 5), (1,)):
        x, mask = bags(*lengths)
        torch.testing.assert_close(scripted(x, mask), model(x, mask), atol=1e-6, rtol=0)
        torch.testing.assert_close(scripted(x), model(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_onnx_gives_the_same_for_any_number_of_bags_and_tiles(mode, tmp_path):
    model = make(mode)
    batch, tiles = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("tiles", min=1, max=50_000)
    axes = {0: batch, 1: tiles}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            bags(7, 4, 2),
            dynamo=True,
            dynamic_shapes={"x": axes, "mask": axes},
            input_names=["image", "mask"],
            verbose=False,
        )
    program.save(str(tmp_path / "model.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for lengths in ((1,), (50, 3), (333, 1, 200, 4, 332)):
        x, mask = bags(*lengths, seed=len(lengths))
        with torch.no_grad():
            expected = model(x, mask).numpy()
        (found,) = session.run(None, {"image": x.numpy(), "mask": mask.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


@pytest.fixture
def standardised():
    """A network whose method was fitted to three scanners, and their keys."""
    model = make("gated_att", method=create_method("standardise+scangen"))
    fit_method(model.method, random_scans(features=FEATURES))
    return model, scanner_keys(["a", "b", "c"])


def test_the_methods_transform_comes_before_everything_else(standardised):
    model, keys = standardised
    plain = MaskedMILModel(3, FEATURES, "gated_att", projector_width=WIDTH).eval()
    weights = model.state_dict()
    plain.load_state_dict({name: value for name, value in weights.items() if not name.startswith("method.")})
    x, mask = bags(7, 2, 5)
    transformed = model.method.transform(x, mask, keys)
    assert not torch.allclose(transformed, x)
    torch.testing.assert_close(model(x, mask, keys), plain(transformed, mask))
    with pytest.raises(RuntimeError, match="call it with the scanner of each scan"):
        model(x, mask)


def test_torchscript_holds_what_the_method_fitted_and_refuses_as_the_network_does(standardised, tmp_path):
    model, keys = standardised
    torch.jit.script(model).save(str(tmp_path / "model.ts"))
    scripted = torch.jit.load(str(tmp_path / "model.ts"))
    x, mask = bags(7, 2, 5)
    torch.testing.assert_close(scripted(x, mask, keys), model(x, mask, keys), atol=1e-6, rtol=0)
    with pytest.raises(torch.jit.Error, match="call it with the scanner of each scan"):
        scripted(x, mask)
    with pytest.raises(torch.jit.Error, match="not fitted to the scanner"):
        scripted(x, mask, scanner_keys(["a", "b", "d"]))


def test_onnx_holds_what_the_method_fitted_and_gives_no_number_for_an_unknown_scanner(standardised, tmp_path):
    model, keys = standardised
    batch, tiles = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("tiles", min=1, max=50_000)
    axes = {0: batch, 1: tiles}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model,
            (*bags(7, 4, 2), keys),
            dynamo=True,
            dynamic_shapes={"x": axes, "mask": axes, "scanner": {0: batch}},
            input_names=["image", "mask", "scanner"],
            verbose=False,
        )
    program.save(str(tmp_path / "model.onnx"))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    x, mask = bags(333, 1)
    for names in (["c", "a"], ["b", "unknown"]):
        given = {"image": x.numpy(), "mask": mask.numpy(), "scanner": scanner_keys(names).numpy()}
        (logits,) = session.run(None, given)
        with torch.no_grad():
            expected = model(x[:1], mask[:1], scanner_keys(names[:1])).numpy()
        np.testing.assert_allclose(logits[:1], expected, atol=1e-5, rtol=0)
        assert np.isnan(logits[1]).all() == (names[1] == "unknown")


def test_half_precision_keeps_padding_out():
    model = make("gated_att").bfloat16()
    x, mask = bags(2, 6)
    padded = model(x.bfloat16(), mask)
    torch.testing.assert_close(padded[:1], model(x[:1, :2].bfloat16()), atol=1e-2, rtol=0)


@pytest.mark.parametrize(("depth", "layers", "embedding"), [(0, 0, FEATURES), (1, 1, WIDTH), (3, 3, WIDTH)])
def test_the_projector_has_the_depth_and_width_asked_for(depth, layers, embedding):
    model = make("mean", projector_depth=depth)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in model.net) == layers
    assert outputs_of(model, "embedding", bags(3)[0])[1].shape == (1, embedding)


def test_the_defaults_are_three_layers_of_96():
    model = MaskedMILModel(2, 1280)
    shapes = [tuple(layer.weight.shape) for layer in model.net if isinstance(layer, torch.nn.Linear)]
    assert shapes == [(96, 1280), (96, 96), (96, 96)]


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="mil_mode"):
        MaskedMILModel(2, 8, "median")
    with pytest.raises(ValueError, match="positive"):
        MaskedMILModel(2, 0)
    with pytest.raises(ValueError, match="heads"):
        MaskedMILModel(2, 8, "att_trans", projector_width=12)
