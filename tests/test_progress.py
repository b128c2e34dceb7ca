"""What is shown of work that takes long."""

import time

import pytest

from scangen_bundle import progress


def look_through(scans, seconds, **options):
    found = []
    for scan in progress.with_bar(scans, "looking", **options):
        time.sleep(seconds)
        found.append(scan)
    return found


def test_a_look_through_many_bags_shows_how_far_it_is_only_where_it_takes_long(monkeypatch, capsys):
    assert look_through(list("abc"), 0) == list("abc")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "BAR_AFTER", 0.1)
    assert look_through(list("abcd"), 0.15) == list("abcd")
    assert "looking:" in (shown := capsys.readouterr().err)
    assert "/4 [" in shown


@pytest.mark.parametrize("reason", ["not the first process", "not wanted"])
def test_only_the_first_process_shows_a_bar_and_only_where_it_is_wanted(monkeypatch, capsys, reason):
    monkeypatch.setattr(progress, "BAR_AFTER", 0)
    monkeypatch.setenv("RANK", "1" if reason == "not the first process" else "0")
    assert look_through([1, 2], 0.15, shown=reason != "not wanted") == [1, 2]
    assert capsys.readouterr().err == ""
