"""Weights are found where users keep them, and refused when they are others."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.weights import fill, find_weights, load_state_dict
from scangen_bundle.errors import InputError

from .conftest import COMMIT, add_to_cache

UNI, MIDNIGHT = ENCODERS["uni"].spec, ENCODERS["midnight-12k"].spec


def test_what_is_missing_is_named_with_gate_terms_and_command(hub_cache):
    with pytest.raises(InputError) as caught:
        find_weights(UNI)
    message = str(caught.value)
    for part in (
        "no model.safetensors or pytorch_model.bin of MahmoodLab/UNI at main",
        "https://huggingface.co/MahmoodLab/UNI",
        "`hf download MahmoodLab/UNI pytorch_model.bin`",
        "CC-BY-NC-ND-4.0",
    ):
        assert part in message


def test_an_open_model_needs_no_gate_and_a_pinned_one_its_revision(hub_cache):
    with pytest.raises(InputError) as caught:
        find_weights(replace(MIDNIGHT, revision="v1"))
    assert "access" not in str(caught.value)
    assert "`hf download kaiko-ai/midnight --revision v1`" in str(caught.value)


def test_either_format_of_the_cache_will_do(hub_cache):
    snapshot = add_to_cache(hub_cache, "MahmoodLab/UNI")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    assert find_weights(UNI).path == snapshot / "model.safetensors"
    with pytest.raises(InputError, match=r"no GPFM\.pth of majiabo/GPFM"):
        find_weights(ENCODERS["gpfm"].spec)


@pytest.mark.parametrize("spelling", ["MahmoodLab/UNI", "MahmoodLab/uni"])
def test_the_cache_is_searched_whatever_the_capitals_and_gives_the_commit(hub_cache, spelling):
    snapshot = add_to_cache(hub_cache, spelling)
    (snapshot / "pytorch_model.bin").write_bytes(b"weights")
    assert find_weights(UNI) == (snapshot / "pytorch_model.bin", COMMIT[:12])
    assert find_weights(UNI, revision=COMMIT).revision == COMMIT[:12]
    with pytest.raises(InputError, match="at other in the"):
        find_weights(UNI, revision="other")


def test_a_file_and_its_folder_are_the_same_weights_known_by_checksum(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights")
    by_file = find_weights(UNI, tmp_path / "pytorch_model.bin")
    # printf weights | sha256sum
    assert by_file.revision == "sha256-9a129038d9a0"
    assert find_weights(UNI, str(tmp_path)) == by_file
    (tmp_path / "pytorch_model.bin").write_bytes(b"other weights")
    assert find_weights(UNI, tmp_path).revision != by_file.revision


def test_a_transformers_file_stands_for_its_folder(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    found = find_weights(MIDNIGHT, tmp_path / "model.safetensors")
    assert found.path == tmp_path / "config.json"
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert find_weights(MIDNIGHT, tmp_path).revision != found.revision


def test_paths_that_are_not_there_or_hold_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="do not exist"):
        find_weights(UNI, tmp_path / "uni.bin")
    with pytest.raises(InputError, match=r"no model\.safetensors or pytorch_model\.bin in"):
        find_weights(UNI, tmp_path)
    with pytest.raises(InputError, match=r"ctranspath\.pth"):
        find_weights(ENCODERS["ctranspath"].spec)


@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "teacher"])
@pytest.mark.parametrize("prefix", ["", "module.", "backbone."])
def test_state_dicts_are_unwrapped(tmp_path, wrapper, prefix):
    state = {f"{prefix}weight": torch.arange(3.0)}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "file.pth")
    loaded = load_state_dict(tmp_path / "file.pth")
    assert list(loaded) == ["weight"]
    assert torch.equal(loaded["weight"], torch.arange(3.0))


def test_safetensors_are_read(tmp_path):
    save_file({"weight": torch.arange(3.0)}, tmp_path / "model.safetensors")
    assert torch.equal(load_state_dict(tmp_path / "model.safetensors")["weight"], torch.arange(3.0))


class Payload:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path, capsys):
    torch.save({"weight": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="cannot be read as weights"):
        load_state_dict(tmp_path / "evil.pth")
    assert "code of the file ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "cut.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"cut\.pth"):
        load_state_dict(tmp_path / "cut.pth")


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save([1, 2, 3], tmp_path / "list.pth")
    with pytest.raises(InputError, match="no table of named tensors"):
        load_state_dict(tmp_path / "list.pth")


def test_weights_that_do_not_fit_are_told_apart(tmp_path):
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {
        "0.weight": torch.zeros(3, 5),
        "0.bias": torch.zeros(3),
        "1.bias": torch.zeros(1),
        "2.bias": torch.zeros(1),
    }
    with pytest.raises(InputError) as caught:
        fill(network, state, UNI, tmp_path / "file.pth")
    for part in ("1 missing (1.weight)", "1 unknown (2.bias)", "1 of another shape (0.weight (3, 5) for (3, 2))"):
        assert part in str(caught.value)


def test_keys_that_a_spec_ignores_are_left_out(tmp_path):
    network = nn.Linear(2, 1)
    state = {"weight": torch.ones(1, 2), "bias": torch.ones(1), "fc.weight": torch.zeros(1)}
    fill(network, state, replace(UNI, ignored_keys=("fc.",)), tmp_path)
    assert torch.equal(network.weight, torch.ones(1, 2))


def test_a_network_that_would_stay_empty_is_not_used(tmp_path):
    class Computes(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.arange(3.0), persistent=False)

    with torch.device("meta"):
        network = Computes()
    with pytest.raises(RuntimeError, match="table"):
        fill(network, {}, UNI, tmp_path)
