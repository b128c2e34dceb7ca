"""Weights are found where users keep them, and what is missing is told with the way to get it."""

import json
from dataclasses import replace

import pytest

from scangen_bundle.encoders import ENCODERS
from scangen_bundle.encoders.weights import find_in_folder, find_weights, parts_of
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


@pytest.mark.parametrize("spelling", ["MahmoodLab/CONCH", "MahmoodLab/conch"])
def test_conch_is_found_as_its_own_code_and_as_hf_download_spell_it(hub_cache, spelling):
    snapshot = add_to_cache(hub_cache, spelling)
    (snapshot / "pytorch_model.bin").write_bytes(b"weights")
    assert find_weights(ENCODERS["conch"].spec).path == snapshot / "pytorch_model.bin"


@pytest.mark.parametrize("spelling", ["MahmoodLab/UNI", "MahmoodLab/uni"])
def test_the_cache_is_searched_whatever_the_capitals_and_gives_the_commit(hub_cache, spelling):
    snapshot = add_to_cache(hub_cache, spelling)
    (snapshot / "pytorch_model.bin").write_bytes(b"weights")
    assert find_weights(UNI) == ((snapshot / "pytorch_model.bin",), COMMIT[:12])
    assert find_weights(UNI, revision=COMMIT).revision == COMMIT[:12]
    with pytest.raises(
        InputError, match=r"at other in the .*`hf download MahmoodLab/UNI pytorch_model\.bin --revision other`"
    ):
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
    assert found.files == (tmp_path / "config.json", tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"others")
    assert find_weights(MIDNIGHT, tmp_path).revision != found.revision


def test_paths_that_are_not_there_or_hold_nothing_are_refused(tmp_path):
    with pytest.raises(InputError, match="do not exist"):
        find_weights(UNI, tmp_path / "uni.bin")
    with pytest.raises(InputError, match="weights 123 do not exist"):
        find_weights(UNI, 123)
    with pytest.raises(InputError, match=r"no model\.safetensors or pytorch_model\.bin in"):
        find_weights(UNI, tmp_path)
    with pytest.raises(InputError, match=r"ctranspath\.pth"):
        find_weights(ENCODERS["ctranspath"].spec)


TRANSFORMERS = [entry.spec for entry in ENCODERS.values() if entry.spec.library == "transformers"]


@pytest.mark.parametrize("spec", TRANSFORMERS, ids=lambda spec: spec.name)
def test_a_configuration_alone_in_the_cache_is_not_an_encoder(hub_cache, spec):
    snapshot = add_to_cache(hub_cache, spec.hub_id)
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(
        InputError, match=r"no model\.safetensors or pytorch_model\.bin of .* in the Hugging Face cache"
    ):
        find_weights(spec)
    for name in filter(None, ("model.safetensors", spec.weights_file)):
        (snapshot / name).write_bytes(b"weights")
    assert find_weights(spec).path == snapshot / "config.json"


def test_conch_v1_5_needs_its_own_weights_beside_titans(hub_cache):
    snapshot = add_to_cache(hub_cache, "MahmoodLab/TITAN")
    (snapshot / "config.json").write_text("{}")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(InputError, match=r"no conch_v1_5_pytorch_model\.bin of .*`hf download MahmoodLab/TITAN`"):
        find_weights(ENCODERS["conch-v1.5"].spec)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_weights_in_several_parts_need_every_part(hub_cache, name):
    snapshot = add_to_cache(hub_cache, "kaiko-ai/midnight")
    (snapshot / "config.json").write_text("{}")
    index = snapshot / f"{name}.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part-1", "b": "part-2", "c": "part-1"}}))
    (snapshot / "part-1").write_bytes(b"weights")
    with pytest.raises(InputError, match="no part-2 of kaiko-ai/midnight"):
        find_weights(MIDNIGHT)
    (snapshot / "part-2").write_bytes(b"weights")
    assert find_weights(MIDNIGHT).files == tuple(snapshot / n for n in ("config.json", index.name, "part-1", "part-2"))
    index.write_text("[]")
    with pytest.raises(InputError, match="is no index of weights"):
        find_weights(MIDNIGHT)


@pytest.mark.parametrize("part", ["../../../secret", "/etc/passwd", "", None])
def test_an_index_that_names_files_outside_of_its_folder_is_refused(tmp_path, part):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": part}}))
    with pytest.raises(InputError, match="names a part that"):
        parts_of(index)


def test_a_folder_is_searched_without_what_macos_writes_beside_a_file(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    (tmp_path / "._mine.pth").write_bytes(b"\x00\x05\x16\x07")
    assert find_in_folder(UNI, tmp_path) == (tmp_path / "mine.pth",)


def test_a_file_that_transformers_would_pass_over_is_not_taken_for_what_it_reads(tmp_path):
    for name in ("config.json", "model.safetensors", "phikon.pth"):
        (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(InputError, match=r"would read model\.safetensors in .*, not phikon\.pth"):
        find_weights(ENCODERS["phikon"].spec, tmp_path / "phikon.pth")


@pytest.mark.parametrize(("name", "file"), [("ctranspath", "ctranspath.pth"), ("kaiko-vits16", "kaiko.pth")])
def test_a_folder_with_one_file_of_weights_will_do_whatever_the_name(tmp_path, name, file):
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / file).write_bytes(b"weights")
    assert find_weights(ENCODERS[name].spec, tmp_path).files == (tmp_path / file,)


def test_a_published_name_goes_before_others_and_of_others_one_has_to_be_named(tmp_path):
    spec = ENCODERS["ctranspath"].spec
    for file in ("a.pth", "b.pt"):
        (tmp_path / file).write_bytes(b"weights")
    with pytest.raises(
        InputError, match=r"no ctranspath\.pth in .*several files of weights: a\.pth, b\.pt -> name one"
    ):
        find_weights(spec, tmp_path)
    (tmp_path / "ctranspath.pth").write_bytes(b"weights")
    assert find_weights(spec, tmp_path).path == tmp_path / "ctranspath.pth"


def test_an_encoder_without_a_repository_or_a_note_says_which_option_names_its_weights():
    own = replace(UNI, name="our-vit", hub_id="", gated=False, note="", weights_file="")
    with pytest.raises(InputError) as caught:
        find_weights(own)
    assert str(caught.value) == (
        "encoder 'our-vit': no weights were given, and no repository on the hub is known for it -> give the file, or the "
        "folder that holds it, as weights: --encoder#weights /path/to/weights.safetensors"
    )
