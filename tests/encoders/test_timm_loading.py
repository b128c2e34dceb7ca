"""timm encoders from files on disk, against timm and torchvision used directly."""

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

from scangen_bundle.encoders import ENCODERS, create_encoder
from scangen_bundle.encoders.timm_loading import build_timm, make_timm_encoder
from scangen_bundle.errors import InputError

from .conftest import COMMIT, add_to_cache, seeded


def by_hand(network, spec, tiles):
    """The card's own transform, PIL first, and timm's tokens."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(spec.mean, spec.std)])
    pixels = torch.stack([transform(Image.fromarray(tile)) for tile in tiles])
    with torch.inference_mode():
        return network.forward_features(pixels).numpy(), network(pixels).numpy()


@pytest.fixture(scope="module")
def kaiko(tmp_path_factory):
    """Kaiko's ViT-S/16 with random weights, and its safetensors file."""
    network = seeded(timm.create_model, "vit_small_patch16_224", num_classes=0, dynamic_img_size=True)
    path = tmp_path_factory.mktemp("kaiko") / "model.safetensors"
    save_file(network.state_dict(), path)
    return network, path


def test_the_class_token_is_what_timm_gives(kaiko, histology):
    network, path = kaiko
    encoder = create_encoder("kaiko-vits16", weights=path, device="cpu")
    tokens, head = by_hand(network, encoder.spec, histology)
    features = encoder.encode(histology)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, head, atol=1e-4)
    np.testing.assert_allclose(features, tokens[:, 0], atol=1e-4)
    assert encoder.revision.startswith("sha256-")


def test_lunits_patches_of_8_px_run_with_its_own_normalisation(tmp_path, histology):
    network = seeded(timm.create_model, "vit_small_patch8_224", num_classes=0)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    encoder = create_encoder("lunit-vits8", weights=tmp_path, device="cpu")
    tokens, head = by_hand(network, encoder.spec, histology[:1])
    assert tokens.shape == (1, 1 + 28 * 28, 384)
    np.testing.assert_allclose(encoder.encode(histology[:1]), head, atol=1e-4)


def test_cls_mean_is_the_token_and_the_mean_of_the_patches(kaiko, histology):
    network, path = kaiko
    encoder = create_encoder("kaiko-vits16", weights=str(path.parent), pooling="cls+mean", device="cpu")
    tokens, _ = by_hand(network, encoder.spec, histology)
    assert encoder.dim == 768
    expected = np.concatenate([tokens[:, 0], tokens[:, 1:].mean(1)], axis=1)
    np.testing.assert_allclose(encoder.encode(histology), expected, atol=1e-4)


def test_registers_are_left_out_of_the_mean(tmp_path, histology):
    spec = ENCODERS["h0-mini"].spec
    shallow = replace(spec, kwargs={**spec.kwargs, "depth": 2})
    network = seeded(build_timm, shallow)
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    encoder = make_timm_encoder(shallow, weights=tmp_path, pooling="cls+mean", device="cpu")
    tokens, _ = by_hand(network, encoder.spec, histology[:1])
    expected = np.concatenate([tokens[:, 0], tokens[:, 1 + 4 :].mean(1)], axis=1)
    np.testing.assert_allclose(encoder.encode(histology[:1]), expected, atol=1e-4)


def test_resnet50_is_the_mean_of_its_third_stage_from_a_whole_checkpoint(tmp_path, histology):
    network = seeded(timm.create_model, "resnet50")  # with layer4 and classifier, as published
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    encoder = create_encoder("resnet50", weights=tmp_path / "model.safetensors", device="cpu")
    pixels = torch.from_numpy(histology).permute(0, 3, 1, 2) / 255.0
    pixels = transforms.Normalize(encoder.spec.mean, encoder.spec.std)(pixels)
    with torch.inference_mode():
        x = network.maxpool(network.act1(network.bn1(network.conv1(pixels))))
        expected = network.layer3(network.layer2(network.layer1(x))).mean((2, 3))
    np.testing.assert_allclose(encoder.encode(histology), expected, rtol=1e-3, atol=1e-4)


def test_a_position_embedding_for_518_px_is_interpolated_to_the_tile(tmp_path, histology):
    network = seeded(timm.create_model, "vit_base_patch14_dinov2", num_classes=0, dynamic_img_size=True, depth=2)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    spec = ENCODERS["dinov2-vitb14"].spec
    shallow = replace(spec, kwargs={**spec.kwargs, "depth": 2})
    encoder = make_timm_encoder(shallow, weights=tmp_path, device="cpu")
    assert network.pos_embed.shape[1] == 1 + (518 // 14) ** 2
    _, head = by_hand(network, encoder.spec, histology[:1])
    np.testing.assert_allclose(encoder.encode(histology[:1]), head, atol=1e-4)


def test_the_cache_of_the_hub_is_used_and_its_commit_enters_the_key(kaiko, hub_cache, histology):
    _, path = kaiko
    snapshot = add_to_cache(hub_cache, ENCODERS["kaiko-vits16"].spec.hub_id)
    (snapshot / "model.safetensors").symlink_to(path)
    encoder = create_encoder("kaiko-vits16", device="cpu")
    assert encoder.key == f"kaiko-vits16@{COMMIT[:12]}_cls_224px_0.5mpp"
    assert encoder.encode(histology).shape == (2, 384)


def test_weights_of_another_model_are_refused(kaiko):
    with pytest.raises(InputError, match=r"not the weights of kaiko-vitb16.*of another shape"):
        create_encoder("kaiko-vitb16", weights=kaiko[1])


def test_a_wrong_pooling_is_told_before_any_weights_are_looked_for(hub_cache):
    with pytest.raises(InputError, match=r"no pooling 'max'.*cls \(D = 1024\)"):
        create_encoder("uni", pooling="max")


def test_half_precision_files_are_computed_in_full_on_the_cpu(kaiko, tmp_path, histology):
    network, path = kaiko
    save_file({key: value.half() for key, value in network.state_dict().items()}, tmp_path / "model.safetensors")
    full = create_encoder("kaiko-vits16", weights=path, device="cpu").encode(histology)
    half = create_encoder("kaiko-vits16", weights=tmp_path, device="cpu").encode(histology)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.02)
