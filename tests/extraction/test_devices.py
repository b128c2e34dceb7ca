"""Encoders of a job: one per device, and bags of the same bytes whatever their number."""

from __future__ import annotations

from functools import partial

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.extraction.devices import make_encoders
from tests.extraction.fakes import FakeEncoder
from tests.extraction.test_job import job_of, make_manifest


def make_fake(device="auto"):
    return FakeEncoder(device=device)


def test_auto_takes_every_gpu_and_without_one_the_encoders_choice(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [encoder.device for encoder in make_encoders(make_fake, "auto")] == ["cuda:0", "cuda:1", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert [encoder.device for encoder in make_encoders(make_fake, "auto")] == ["auto"]


def test_devices_are_named_or_left_to_the_encoder():
    assert [encoder.device for encoder in make_encoders(make_fake, ["cpu", "cuda:1"])] == ["cpu", "cuda:1"]
    assert [encoder.device for encoder in make_encoders(make_fake, "cpu")] == ["cpu"]
    assert [encoder.device for encoder in make_encoders(partial(make_fake, device="cuda:1"))] == ["cuda:1"]
    ready = FakeEncoder()
    assert make_encoders(ready, None) == [ready]


def test_an_encoder_that_is_made_already_has_its_device():
    with pytest.raises(InputError, match="option devices: is cpu, but the encoder is made already"):
        make_encoders(FakeEncoder(), "cpu")


def test_two_encoders_make_the_bags_that_one_makes(tmp_path):
    manifest = make_manifest(tmp_path / "slides", {"a": {}, "b": {"tissue": 256}})
    job_of(manifest, tmp_path / "one").run()
    job_of(manifest, tmp_path / "two", make_fake, devices=["cpu", "cpu"], batch_size=8).run()
    for name in ("a.h5", "b.h5"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
