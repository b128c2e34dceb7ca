"""Slide embeddings are written by scan, whatever the batches and processes were."""

import numpy as np
import torch

from scangen_bundle.training import EmbeddingsHandler

from ..two_processes import in_two_processes
from .engines import Bags, Network, make_evaluator


class Embedded(Network):
    """The small network with its embedding as a submodule."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Identity()

    def forward(self, image):
        return self.head(self.embedding(image.mean(dim=1)))


def evaluate(path, network):
    make_evaluator(network, [EmbeddingsHandler(network, path)]).run()


def check(path):
    saved = np.load(path)
    assert saved["slide_id"].tolist() == [f"s{number}" for number in range(8)]
    np.testing.assert_allclose(saved["embedding"], Bags().image.mean(dim=1).numpy(), rtol=1e-6)


def test_each_scan_has_its_embedding(tmp_path):
    evaluate(tmp_path / "e.npz", Embedded())
    check(tmp_path / "e.npz")


def _evaluate_in_parallel(rank, path):
    evaluate(path, torch.nn.parallel.DistributedDataParallel(Embedded()))


def test_two_processes_write_one_file_of_a_network_in_distributed_data_parallel(tmp_path):
    in_two_processes(_evaluate_in_parallel, str(tmp_path / "e.npz"))
    check(tmp_path / "e.npz")
