import zipfile

import numpy as np
import pytest
import torch

from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.networks.mil import MODES
from scangen_bundle.share.export import DESCRIPTION, SlideClassifier, export_torchscript, load_exported

META = {"timestamp": "2026-01-01T00:00:00+00:00", DESCRIPTION: {"class_names": ["negative", "positive"]}}


def make(mode: str = "gated_att") -> MaskedMILModel:
    torch.manual_seed(1)
    return MaskedMILModel(num_classes=2, num_features=12, mil_mode=mode, projector_width=16).eval()


@pytest.mark.parametrize("mode", MODES)
def test_exported_file_gives_what_network_and_hooks_give(tmp_path, mode):
    network = make(mode)
    seen = {}
    for name in ("attention", "embedding"):
        network.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: seen.update({name: o.detach()}))
    image, mask = torch.randn(2, 7, 12), torch.ones(2, 7, dtype=torch.bool)
    mask[1, 5:] = False
    with torch.no_grad():
        expected = torch.softmax(network(image, mask).double(), 1)
    (tmp_path / "model.ts").write_bytes(export_torchscript(make(mode), META))
    loaded, metadata, _ = load_exported(tmp_path / "model.ts")
    with torch.no_grad():
        probabilities, attention, embedding = loaded.explain(image, mask)
        assert torch.equal(loaded(image, mask), probabilities)
    np.testing.assert_allclose(probabilities, expected, atol=1e-7)
    np.testing.assert_allclose(attention, seen["attention"], atol=1e-7)
    np.testing.assert_allclose(embedding, seen["embedding"], atol=1e-6)
    assert metadata[DESCRIPTION]["class_names"] == ["negative", "positive"]


def test_without_a_mask_all_tiles_count():
    model, image = SlideClassifier(make()), torch.randn(1, 5, 12)
    assert torch.equal(model(image), model(image, torch.ones(1, 5, dtype=torch.bool)))


def test_bad_model_files_are_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "plain.ts")
    (tmp_path / "cut.ts").write_bytes(b"PK\x03\x04 cut")
    for name, problem in (("plain.ts", "no metadata"), ("cut.ts", "cannot be read"), ("absent.ts", "no such")):
        with pytest.raises(InputError, match=problem):
            load_exported(tmp_path / name)


def test_exported_file_does_not_tell_the_folders_of_this_machine(tmp_path, bundle_root):
    (tmp_path / "model.ts").write_bytes(export_torchscript(make(), META))
    with zipfile.ZipFile(tmp_path / "model.ts") as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            assert str(bundle_root).encode() not in archive.read(name), name
