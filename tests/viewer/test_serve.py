"""The command serves loopback alone, at once, and ends when it is told to."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.serve import LOOPBACK, open_port

from .browsing import ROOT, viewer


def test_the_port_is_on_loopback_and_a_taken_one_is_refused():
    with open_port(0) as listening:
        host, port = listening.getsockname()
        assert host == LOOPBACK == "127.0.0.1"
        with pytest.raises(InputError, match="cannot be listened on"):
            open_port(port)
    with pytest.raises(InputError, match="cannot be listened on"):
        open_port(99999)


def test_the_first_answer_comes_at_once_and_no_other_address_of_this_machine_answers(run_folder, phantom):
    start = time.process_time(), time.monotonic()
    with viewer(run_folder, "--manifest", phantom / "manifest.csv") as address:
        parts = urlsplit(address)
        assert parts.hostname == "127.0.0.1"
        assert len(parts.query) > 30
        connection = http.client.HTTPConnection(parts.hostname, parts.port)
        connection.request("GET", f"/?{parts.query}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 303
        connection.request("GET", "/", headers={"Cookie": answer.getheader("set-cookie").partition(";")[0]})
        assert connection.getresponse().status == 200
        assert time.monotonic() - start[1] < 30  # 5 s where nothing else runs
        with socket.socket() as other:
            other.settimeout(2)
            assert other.connect_ex(("127.0.0.2", parts.port)) != 0


def test_the_address_can_open_a_specimen(run_folder):
    with viewer(run_folder, "--specimen", "spec 002") as address:
        assert urlsplit(address).fragment == "specimen=spec%20002"


def test_starting_does_not_load_what_takes_seconds():
    heavy = "{'torch', 'monai', 'ignite', 'matplotlib', 'sklearn', 'mlflow'}"
    script = f"import sys, scangen_bundle.viewer.serve; print(sorted({heavy} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_told_to_without_a_traceback(run_folder, end, code):
    command = [sys.executable, "-m", "scangen_bundle.viewer", str(run_folder), "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        while not process.stdout.readline().startswith("Ctrl-C"):
            pass
        time.sleep(0.5)
        process.send_signal(end)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert len(errors.strip().splitlines()) == 1


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    command = [sys.executable, "-m", "scangen_bundle.viewer", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.strip().splitlines()) == 1
