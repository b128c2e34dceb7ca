"""Extraction on Ray: two real nodes on loopback, one of which dies."""

from __future__ import annotations

import os
import socket
from functools import partial
from pathlib import Path

import pytest

from scangen_bundle import plugins
from scangen_bundle.errors import InputError
from tests.extraction.fakes import FakeEncoder
from tests.extraction.test_job import job_of, make_manifest

pytest.importorskip("ray", reason="the extra `cluster` is not installed")
SLIDES = {f"s{number}": {"tissue": 256} for number in range(8)}


class SlowEncoder(FakeEncoder):
    """Leaves a note of the node that encodes, and takes a while."""

    def __init__(self, notes="", **options):
        super().__init__(**options)
        self.notes = notes

    def encode(self, tiles):
        import ray

        if self.notes:
            Path(self.notes, ray.get_runtime_context().get_node_id()).touch()
        return super().encode(tiles)


def without_weights_on(nodes_file):
    """An encoder that the nodes named in a file cannot make."""
    import ray

    if ray.get_runtime_context().get_node_id() in Path(nodes_file).read_text().split():
        raise InputError("encoder 'fake'", "its weights are not here")
    return FakeEncoder()


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with two processors each, and this process connected."""
    import ray
    from ray.cluster_utils import Cluster

    ray.shutdown()  # of another test's cluster
    small = {"num_cpus": 2, "object_store_memory": 100 * 2**20, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=small)
        cluster.add_node(num_cpus=2, object_store_memory=100 * 2**20)
        patch.setattr(plugins, "_loaded", [])  # plugins of other tests are not for these workers
        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
        yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The bags that one process makes, and their slides."""
    folder = tmp_path_factory.mktemp("single")
    manifest = make_manifest(folder / "slides", {**SLIDES, "bad": {"broken": True}})
    job_of(manifest, folder / "bags").extract()
    return manifest, folder / "bags"


def check_same(single, bags):
    for slide_id in SLIDES:
        assert (bags / f"{slide_id}.h5").read_bytes() == (single / f"{slide_id}.h5").read_bytes()
    assert (bags / "slides.csv").read_bytes() == (single / "slides.csv").read_bytes()


def on_ray(manifest, bags, encoder):
    return job_of(manifest, bags, encoder, engine="ray", cpus_per_worker=1)


def test_a_node_without_the_weights_is_named_and_the_others_make_all_bags(cluster, single, tmp_path, caplog):
    import ray

    (tmp_path / "without").write_text(cluster.list_all_nodes()[0].node_id)
    manifest, bags = single
    summary = on_ray(manifest, tmp_path / "bags", partial(without_weights_on, tmp_path / "without")).extract()
    assert sorted(summary.made) == sorted(SLIDES)
    assert "a tile is damaged" in summary.failed["bad"]
    assert summary.tiles == 8 * 16
    check_same(bags, tmp_path / "bags")
    everywhere = tmp_path / "everywhere"  # another recipe: workers keep the encoder of the last one
    everywhere.write_text(" ".join(node["NodeID"] for node in ray.nodes()))
    with pytest.raises(InputError, match=rf"no node is fit for this: {socket.gethostname()}.*its weights are not here"):
        on_ray(manifest, tmp_path / "other", partial(without_weights_on, everywhere))


def negate(piece):
    if piece == 3:
        os._exit(1)
    return -piece


def test_a_study_on_ray_works_on_every_piece_and_tells_the_one_that_kills_its_worker(cluster, monkeypatch):
    from scangen_bundle import ray_engine
    from scangen_bundle.processes import WorkerDied
    from scangen_bundle.studies.engine import ENGINES

    monkeypatch.setattr(ray_engine, "RETRIES", 1)
    results = {}
    engine = ENGINES["ray"](2)
    engine.run(negate, list(range(6)), results.__setitem__)
    died = results.pop(3)
    assert isinstance(died, WorkerDied)
    assert "died 2 times" in died.reason
    assert results == {0: 0, 1: -1, 2: -2, 4: -4, 5: -5}
    assert engine.workers == 2
    engine.run(negate, [], lambda piece, result: pytest.fail("nothing was asked for"))


def test_an_encoder_that_is_made_already_cannot_travel(cluster, single, tmp_path):
    with pytest.raises(InputError, match="engine ray: the encoder is made already"):
        on_ray(single[0], tmp_path / "bags", FakeEncoder())


def test_a_node_that_dies_half_way_changes_no_byte(cluster, single, tmp_path):
    """The last test on this cluster: afterwards it has one node."""
    import threading
    import time

    notes = tmp_path / "notes"
    notes.mkdir()
    manifest, bags = single
    victim = cluster.list_all_nodes()[1]

    def kill():
        while victim.node_id not in os.listdir(notes):
            time.sleep(0.01)
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    summary = on_ray(manifest, tmp_path / "bags", partial(SlowEncoder, notes=str(notes), seconds=0.5)).extract()
    killer.join()
    assert sorted(summary.made) == sorted(SLIDES)
    assert len(os.listdir(notes)) == 2
    check_same(bags, tmp_path / "bags")


def test_an_address_that_does_not_answer_is_named():
    from scangen_bundle.ray_engine import _check_answers

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            InputError, match=rf"Ray address {address}: no cluster answers: .*refused -> start the cluster"
        ):
            _check_answers(address)
