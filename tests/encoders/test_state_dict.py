"""Files of weights are read without their code, and refused when they are something else or do not fit."""

import pickle
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.state_dict import fill, load_state_dict
from scangen_bundle.errors import InputError

UNI = ENCODERS["uni"].spec


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


@pytest.mark.parametrize(
    ("save", "told"),
    [(torch.save, r"holds code \(builtins\.print\)"), (pickle.dump, "more than tensors, which can be code")],
)
def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path, capsys, save, told):
    with open(tmp_path / "evil.pth", "wb") as handle:
        save({"weight": Payload()}, handle)
    with pytest.raises(InputError, match=rf"evil\.pth: .*{told}.*none of it was run -> .*tensors alone") as caught:
        load_state_dict(tmp_path / "evil.pth")
    assert "weights_only" not in str(caught.value)
    assert "code of the file ran" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty -> download or copy it again"),
        (b"hello\nworld", "it is a text that begins 'hello'"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n",
            "it is a Git LFS pointer.* git lfs pull",
        ),
        (b"\n<!DOCTYPE html><html>", "it is a web page.* login"),
        (b"\x01\x02\x03\x04" * 99, "no safetensors file|neither a safetensors nor a torch file"),
    ],
    ids=["empty", "text", "pointer", "page", "bytes"],
)
def test_a_file_that_is_something_else_is_told_as_what_it_is(tmp_path, ending, content, told):
    path = tmp_path / f"file{ending}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"file\{ending}: cannot be read as weights: .*{told}"):
        load_state_dict(path)


@pytest.mark.parametrize(("save", "ending"), [(torch.save, ".pth"), (save_file, ".safetensors")])
@pytest.mark.parametrize("kept", [20, 2000])
def test_a_file_that_is_cut_short_is_told_so(tmp_path, save, ending, kept):
    path = tmp_path / f"file{ending}"
    save({"weight": torch.arange(1000.0)}, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"cut short.* -> download or copy it again"):
        load_state_dict(path)


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
