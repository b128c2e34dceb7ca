"""The list of failures while a run goes on."""

from types import SimpleNamespace

import pandas as pd
import pytest

from scangen_bundle.extraction import tables
from scangen_bundle.extraction.tables import FAILURE_COLUMNS, FailureLog


def failure(slide_id, problem="its disk is gone"):
    return dict(zip(FAILURE_COLUMNS, (slide_id, f"{slide_id}.svs", problem, 'Traceback,\n  "line 1"'), strict=True))


@pytest.fixture
def writes(monkeypatch):
    """When the file was written, by a clock that stands still but for writing, which takes a second."""
    clock, begun, update = [0.0], [], tables.update_failures

    def slow(*arguments):
        begun.append(clock[0])
        clock[0] += 1
        update(*arguments)

    monkeypatch.setattr(tables, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(tables, "update_failures", slow)
    return SimpleNamespace(begun=begun, clock=clock)


def test_a_failure_is_in_the_file_at_once_and_replaces_an_earlier_one_of_its_slide(tmp_path):
    path, log = tmp_path / "failures.csv", FailureLog(tmp_path / "failures.csv", tmp_path / "lock")
    log.add(failure("a"))
    assert pd.read_csv(path).to_dict("records") == [failure("a")]
    log.add(failure("b"))
    log.add(failure("a", "a tile is damaged"))
    log.write()
    assert pd.read_csv(path).to_dict("records") == [failure("b"), failure("a", "a tile is damaged")]


def test_writing_many_failures_takes_a_tenth_of_the_time_and_loses_none(tmp_path, writes):
    log = FailureLog(tmp_path / "failures.csv", tmp_path / "lock")
    for number in range(95):
        log.add(failure(f"s{number}"))
        writes.clock[0] += 1  # the next slide is tried
    spent, passed = len(writes.begun), writes.clock[0]
    assert 0.09 * passed <= spent <= 0.11 * passed + 1
    log.write()
    assert pd.read_csv(tmp_path / "failures.csv").to_dict("records") == [failure(f"s{n}") for n in range(95)]
    log.write()  # nothing waits
    assert len(writes.begun) == spent + 1
