"""Device, precision and memory layout around a network."""

import numpy as np
import pytest
import torch

from scangen_bundle.encoders import ENCODERS, create_encoder
from scangen_bundle.encoders.families.efficientnet_lite import SPEC, build_network
from scangen_bundle.encoders.torch_encoder import TorchEncoder, choose_device
from scangen_bundle.errors import InputError


class Spy(torch.nn.Module):
    """512 features from the mean colours, and a record of what it was given."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 512)

    def forward(self, pixels):
        self.seen = pixels
        self.inference = torch.is_inference_mode_enabled()
        out = self.layer(pixels.mean((2, 3)))
        self.computed_in = out.dtype
        return out


@pytest.fixture
def spec():
    return ENCODERS["random-resnet18"].spec


def test_on_a_cpu_it_is_float32_channels_last_and_without_gradients(spec, histology):
    spy = Spy().half()
    encoder = TorchEncoder(spec, spy, device="cpu")
    features = encoder.encode(histology)
    assert features.dtype == np.float32
    assert encoder.precision == "float32"
    assert spy.seen.dtype == spy.computed_in == torch.float32
    assert spy.seen.is_contiguous(memory_format=torch.channels_last)
    assert spy.inference
    assert not any(parameter.requires_grad for parameter in encoder.network.parameters())


def test_auto_takes_what_is_there():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(spec, device):
    with pytest.raises(InputError, match=device):
        TorchEncoder(spec, Spy(), device=device)


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_a_precision_that_cannot_be_is_refused(spec, precision):
    with pytest.raises(InputError, match=precision):
        TorchEncoder(spec, Spy(), device="cpu", precision=precision)


def test_a_network_of_another_width_is_caught(spec, histology):
    spy = Spy()
    spy.layer = torch.nn.Linear(3, 7)
    with pytest.raises(RuntimeError, match=r"\(2, 7\), expected \(2, 512\)"):
        TorchEncoder(spec, spy, device="cpu").encode(histology)


def test_the_embedded_encoder_is_the_same_in_torch_and_in_onnx_runtime(histology):
    in_torch = TorchEncoder(SPEC, build_network(), device="cpu").encode(histology)
    np.testing.assert_allclose(
        create_encoder("efficientnet-lite0", device="cpu").encode(histology), in_torch, atol=1e-3
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
class TestOnGpu:
    def test_the_forward_pass_runs_in_the_specs_precision(self, histology):
        spy = Spy()
        encoder = TorchEncoder(ENCODERS["random-resnet18"].spec, spy, device="cuda", precision="float16")
        assert encoder.encode(histology).dtype == np.float32
        assert spy.computed_in == torch.float16
        assert spy.seen.device.type == "cuda"

    @pytest.mark.parametrize("name", ["random-resnet18", "efficientnet-lite0"])
    def test_features_agree_with_the_cpu(self, name, histology):
        on_cpu = create_encoder(name, device="cpu").encode(histology)
        on_gpu = create_encoder(name, device="cuda", precision="float32").encode(histology)
        np.testing.assert_allclose(on_gpu, on_cpu, rtol=0.02, atol=0.02)
        half = create_encoder(name, device="cuda", precision="bfloat16").encode(histology)
        cosine = (half * on_cpu).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(on_cpu, axis=1)
        assert cosine.min() > 0.99
