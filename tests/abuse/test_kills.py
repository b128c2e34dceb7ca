"""A chain of kills: right only if the result is that of an undisturbed run; litter is seen."""

import random
import time

import pytest

from abuse.child import Child
from abuse.jobs import Job, digest
from abuse.kills import kill_chain, litter
from abuse.tally import Tally


def job(work):
    def start(folder, log, before):
        return Child(lambda: work(folder), log)

    def results(folder):
        return {path.name: digest(path) for path in folder.glob("result")}

    return Job("toy", start, results, lambda folder: (folder / "result").unlink(missing_ok=True))


def whole(folder):
    time.sleep(0.05)
    (folder / "part").write_text("done")
    (folder / "part").rename(folder / "result")


def continued_wrongly(folder):
    with open(folder / "result", "a") as file:
        file.write("done")
    time.sleep(0.2)


def littering(folder):
    (folder / ".x.tmp").touch()
    whole(folder)


def failing(folder):
    raise ValueError("a fault of the program")


@pytest.mark.parametrize(
    ("work", "column"),
    [(whole, "right"), (continued_wrongly, "silent"), (littering, "litter"), (failing, "tracebacks")],
)
def test_each_outcome_is_counted_in_its_column(tmp_path, work, column):
    base = tmp_path / "base"
    base.mkdir()
    whole(base)
    expected = job(whole).results(base)
    row = Tally("toy")
    for seed in range(3):
        kill_chain(job(work), base, expected, 0.1, tmp_path / "try", random.Random(seed), row)
    assert getattr(row, column) > 0
    assert row.is_clean == (column == "right")


def test_temporary_names_are_litter_and_results_are_not(tmp_path):
    for name in (".bag.a1b2c3-4d-e5f6a7.tmp.h5", "bag.h5", "tmpabcd1234", ".hidden"):
        (tmp_path / name).touch()
    assert sorted(litter(tmp_path)) == [".bag.a1b2c3-4d-e5f6a7.tmp.h5", "tmpabcd1234"]
