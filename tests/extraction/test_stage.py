"""Slides of object stores: a real S3 server on loopback, and a web server that breaks off, slows down and refuses."""

from __future__ import annotations

import errno
import http.server
import os
import threading
import time

import pytest

from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.extraction import Scratch
from scangen_bundle.slides import staging
from scangen_bundle.slides.staging import RefusedAccess, fetch
from tests.extraction.fakes import make_slide
from tests.extraction.test_job import job_of, make_manifest

pytest.importorskip("s3fs")
SLIDES = {"a": {}, "b": {"tissue": 256}, "c": {"tissue": 128}}


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(staging, "PAUSE", 0.001)


@pytest.fixture(scope="module")
def bucket():
    """A client of a bucket "slides" of an S3 server; the environment leads there."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "made-up")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="slides")
        yield client
    server.stop()


def upload(client, manifest, folder):
    """Put the manifest's slides into the bucket, and name them there."""
    for name in manifest["slide_id"]:
        client.upload_file(str(folder / "slides" / f"{name}.fake"), "slides", f"cohort/{name}.fake")
    return manifest.assign(slide_path=[f"s3://slides/cohort/{name}.fake" for name in manifest["slide_id"]])


def test_bags_of_slides_in_s3_are_those_of_the_files_and_no_copy_stays(bucket, tmp_path):
    here = make_manifest(tmp_path / "slides", SLIDES)
    there = upload(bucket, here, tmp_path)
    there.loc[1, "slide_path"] = here.loc[1, "slide_path"]  # one lies here
    there.loc[len(there)] = (
        there.loc[0].replace({"a": "gone"}).replace("s3://slides/cohort/a.fake", "s3://slides/gone.fake")
    )
    job_of(here, tmp_path / "here").run()
    scratch = Scratch(tmp_path / "scratch", 200e-9)  # room for two of them
    summary = job_of(there, tmp_path / "there", scratch=scratch, workers=2).extract()
    assert sorted(summary.made) == ["a", "b", "c"]
    assert list(summary.failed) == ["gone"]
    assert "there is no such object -> correct slide_path" in summary.failed["gone"]
    for name in SLIDES:
        assert (tmp_path / "here" / f"{name}.h5").read_bytes() == (tmp_path / "there" / f"{name}.h5").read_bytes()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_slide_larger_than_the_scratch_is_named(bucket, tmp_path):
    there = upload(bucket, make_manifest(tmp_path / "slides", {"a": {}}), tmp_path)
    summary = job_of(there, tmp_path / "bags", scratch=Scratch(tmp_path / "scratch", 10e-9)).extract()
    assert "copies may take 1e-08 GB -> raise scratch_gb" in summary.failed["a"]


class Unreliable(http.server.BaseHTTPRequestHandler):
    """Serves the server's `content` with ranges; `faults` says what happens to the next requests of content."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(b"", len(self.server.content))

    def do_GET(self):
        content, status = self.server.content, 200
        if wanted := self.headers.get("Range"):
            first, last = wanted.removeprefix("bytes=").split("-")
            content, status = content[int(first) : int(last) + 1], 206
        fault = self.server.faults.pop(0) if self.server.faults else ""
        self.server.asked.append(wanted)
        if fault == "slow":
            time.sleep(0.3)
        if fault == "refuse":
            self.send_error(403)
        elif fault == "busy":
            self.send_error(503)
        elif fault == "break off":
            self.answer(content[: len(content) // 2], len(content), status)
            self.close_connection = True
        elif fault == "damage":
            self.answer(content[::-1], len(content), status)
        else:
            self.answer(content, len(content), status)

    def answer(self, content, size, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments): ...


@pytest.fixture
def web():
    """A server; its `address` is that of a file of 1,000 bytes."""
    import hashlib

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Unreliable) as server:
        server.content = bytes(range(250)) * 4
        server.tag = f'"{hashlib.md5(server.content).hexdigest()}"'
        server.faults, server.asked = [], []
        server.address = f"http://127.0.0.1:{server.server_address[1]}/a.svs"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("faults", [[], ["break off"], ["", "break off", "busy", "slow"], ["break off"] * 3])
def test_a_copy_goes_on_where_the_server_broke_off(web, tmp_path, monkeypatch, faults):
    monkeypatch.setattr(staging, "RANGE", 400)
    web.faults = faults
    fetch(web.address, tmp_path / "a.svs")
    assert (tmp_path / "a.svs").read_bytes() == web.content
    assert set(web.asked) == {"bytes=0-399", "bytes=400-799", "bytes=800-999"}
    assert web.asked == sorted(web.asked, key=lambda text: int(text[6:].split("-")[0]))


def test_a_copy_whose_beginning_is_there_is_completed(web, tmp_path):
    (tmp_path / "a.svs").write_bytes(web.content[:600])
    fetch(web.address, tmp_path / "a.svs")
    assert (tmp_path / "a.svs").read_bytes() == web.content
    assert web.asked == ["bytes=600-999"]


@pytest.mark.parametrize(
    ("faults", "kind", "message"),
    [
        (["refuse"], RefusedAccess, "refuses access: .* -> renew the credentials"),
        (["busy"] * 9, InputError, "does not answer, after 0 bytes and 6 attempts"),
        (["damage"], InputError, "the copy is damaged: MD5 is .*, the store says"),
    ],
)
def test_a_store_that_does_not_give_the_slide_is_told(web, tmp_path, faults, kind, message):
    web.faults = faults
    with pytest.raises(kind, match=message):
        fetch(web.address, tmp_path / "a.svs")


def test_refused_access_ends_the_job_with_what_is_finished(web, bucket, tmp_path):
    there = upload(bucket, make_manifest(tmp_path / "slides", {"a": {}, "b": {}}), tmp_path)
    there.loc[1, "slide_path"] = web.address
    web.faults = ["refuse"] * 9
    with pytest.raises(InputError, match="renew the credentials and run again"):
        job_of(there, tmp_path / "bags", scratch=Scratch(tmp_path / "scratch")).run()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_full_scratch_disk_fails_the_slide_and_is_named(bucket, tmp_path, monkeypatch):
    def fetch_to_full_disk(address, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    there = upload(bucket, make_manifest(tmp_path / "slides", {"a": {}}), tmp_path)
    monkeypatch.setattr(staging, "fetch", fetch_to_full_disk)
    summary = job_of(there, tmp_path / "bags", scratch=Scratch(tmp_path / "scratch")).extract()
    assert f"{tmp_path / 'scratch'}: a slide cannot be copied to it: " in summary.failed["a"]
    assert "lower scratch_gb, or choose another scratch_dir" in summary.failed["a"]


def test_a_server_that_is_not_there_and_a_slide_of_several_files_are_told(tmp_path):
    with pytest.raises(InputError, match="does not answer"):
        fetch("http://127.0.0.1:9/a.svs", tmp_path / "a.svs")
    with pytest.raises(InputError, match="this format is several files"):
        fetch("s3://slides/a.mrxs", tmp_path / "a.mrxs")


def test_a_manifest_may_name_slides_of_a_store_where_files_outside_are_allowed_and_never_features(tmp_path):
    make_slide(tmp_path / "b.fake")
    header = "slide_id,specimen_id,patient_id,scanner,label,slide_path,features_path\n"
    path = tmp_path / "manifest.csv"
    path.write_text(f"{header}a,a,a,AT2,,s3://slides/a.svs,\nb,b,b,AT2,,b.fake,\n")
    paths = load_manifest(path, allow_outside=True)["slide_path"]
    assert paths.tolist() == ["s3://slides/a.svs", str(tmp_path / "b.fake")]
    with pytest.raises(InputError, match=r"'s3://slides/a\.svs' leads out of the manifest's folder"):
        load_manifest(path)
    path.write_text(f"{header}a,a,a,AT2,,,s3://slides/a.h5\n")
    with pytest.raises(InputError, match="is not on a file system"):
        load_manifest(path, allow_outside=True)
