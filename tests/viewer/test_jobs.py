"""Work in another process is done once for all who ask, and a dead process is replaced."""

import asyncio
import os
import signal
import time

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.viewer.jobs import Jobs


def process_id(_: int = 0) -> int:
    return os.getpid()


def refuse() -> None:
    raise InputError("here", "no")


def end_once(path: str) -> str:
    """Die at the first call."""
    if not os.path.exists(path):
        open(path, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def stamp(delay: float) -> float:
    time.sleep(delay)
    return time.time()


def run(work):
    async def all_of_it():
        jobs = Jobs(most_kept=2)
        try:
            return await work(jobs)
        finally:
            jobs.close()

    return asyncio.run(all_of_it())


def test_work_is_done_elsewhere_and_its_answer_kept():
    async def work(jobs):
        return await jobs.run("a", process_id), await asyncio.gather(*(jobs.run("b", stamp, 0.2) for _ in range(3)))

    other, stamps = run(work)
    assert other != os.getpid()
    assert len(set(stamps)) == 1


def test_a_failure_is_told_and_tried_again():
    async def work(jobs):
        for _ in range(2):
            with pytest.raises(InputError, match="here: no"):
                await jobs.run("a", refuse)
        return await jobs.run("a", process_id)

    assert run(work) > 0


def test_a_process_that_was_killed_is_replaced(tmp_path):
    assert run(lambda jobs: jobs.run("a", end_once, str(tmp_path / "ended"))) == "alive"


def test_one_who_goes_away_does_not_stop_the_work_of_another():
    async def work(jobs):
        first = asyncio.ensure_future(jobs.run("a", stamp, 0.5))
        second = asyncio.ensure_future(jobs.run("a", stamp, 0.5))
        await asyncio.sleep(0.1)
        first.cancel()
        return await second

    assert run(work) > 0


def test_old_answers_make_room():
    async def work(jobs):
        for key in range(5):
            await jobs.run(key, process_id, key)
        return len(jobs._answers)

    assert run(work) <= 2
