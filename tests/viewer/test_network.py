"""The network of a run says where it looked and what it thinks of each tile alone."""

import numpy as np
import pytest
import torch

from scangen_bundle.bags import BagAttributes, write_bag
from scangen_bundle.errors import InputError
from scangen_bundle.networks import MaskedMILModel
from scangen_bundle.runs import save_checkpoint
from scangen_bundle.viewer.network import load_network
from scangen_bundle.viewer.scan_files import ScanFile
from scangen_bundle.viewer.tile_values import read_tile_values

D = 12


@pytest.fixture
def network():
    torch.manual_seed(0)
    return MaskedMILModel(2, D).eval()


@pytest.fixture
def checkpoint(network, tmp_path):
    path = tmp_path / "best.pt"
    meta = {"class_names": ["no", "yes"], "num_features": D, "encoder": "x"}
    save_checkpoint(path, {"network": network.state_dict(), "meta": meta})
    return path


@pytest.fixture
def bag(tmp_path):
    features = np.random.default_rng(0).normal(size=(5, D)).astype(np.float32)
    coords = np.array([[0, 0], [100, 0], [200, 0], [0, 100], [100, 100]])
    attributes = BagAttributes(
        slide_id="a", encoder="x", revision="", pooling="own", dim=D, tile_px=50, mpp=0.5, source_mpp_x=0.25,
        source_mpp_y=0.25, effective_mpp_x=0.5, effective_mpp_y=0.5, read_level=0,
    )  # fmt: skip
    write_bag(tmp_path / "a.h5", features, coords, attributes)
    return tmp_path / "a.h5", features, coords


def test_attention_and_the_tiles_own_probabilities_are_the_networks(network, checkpoint, bag):
    path, features, coords = bag
    tiles, reason = read_tile_values(ScanFile("", str(path)), "a", "scanner", checkpoint, None)
    assert reason == ""
    assert tiles.corners.tolist() == coords.tolist()
    assert tiles.side == (100, 100)
    assert tiles.attention.sum() == pytest.approx(1)
    with torch.no_grad():
        alone = [network(torch.from_numpy(row)[None, None]).softmax(dim=1)[0].numpy() for row in features]
        projected = network.net(torch.from_numpy(features)[None])
        logits = network.myfc((torch.from_numpy(tiles.attention).float()[:, None] * projected[0]).sum(dim=0))
        whole = network(torch.from_numpy(features)[None])[0]
    assert tiles.probability == pytest.approx(np.array(alone), abs=1e-6)
    assert logits.numpy() == pytest.approx(whole.numpy(), abs=1e-5)  # this attention makes the network's answer


def test_a_network_of_another_architecture_is_refused_and_the_reason_told(checkpoint, bag, tmp_path):
    other = tmp_path / "other.pt"
    meta = {"class_names": ["no", "yes"], "num_features": D}
    save_checkpoint(other, {"network": torch.nn.Linear(2, 2).state_dict(), "meta": meta})
    with pytest.raises(InputError, match="another architecture"):
        load_network(other)
    tiles, reason = read_tile_values(ScanFile("", str(bag[0])), "a", "scanner", other, None)
    assert tiles is None
    assert "another architecture" in reason
