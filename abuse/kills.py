"""Jobs that are killed at random moments and started again must give what an undisturbed run gives."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from abuse.jobs import JOBS, Job
from abuse.tally import Tally

LIMIT = 300.0  # seconds for a run to its end
CHAIN = 3  # kills before a run may end
TEMPORARY = re.compile(r"\..*\.(tmp|old|part)(\.[^.]*)?|tmp[a-z0-9_]{8}")


def make_base(folder: Path) -> dict[str, tuple[dict[str, str], float]]:
    """Run every job once, undisturbed: its results, and its seconds, by name."""
    made = {}
    for job in JOBS:
        outcome = job.start(folder, folder / "logs" / f"{job.name}.log", None).finish(LIMIT)
        if outcome.code != 0:
            raise RuntimeError(f"{job.name} fails undisturbed:\n{outcome.output[-3000:]}")
        made[job.name] = job.results(folder), outcome.seconds
    return made


def kill_chain(
    job: Job, base: Path, expected: Mapping[str, str], seconds: float, place: Path, rng: random.Random, row: Tally
) -> None:
    """Start a job, kill it at a random moment, up to `CHAIN` times; then let it end and compare."""
    shutil.copytree(base, place, ignore=shutil.ignore_patterns("logs"))
    job.clear(place)
    log = place / "log.txt"
    for _ in range(rng.randint(1, CHAIN)):
        child = job.start(place, log, None)
        time.sleep(rng.uniform(0, seconds))
        child.kill()
        child.wait(60)
        row.tries += 1
        row.fault("orphans", f"{job.name} killed", child.orphans())
    outcome = job.start(place, log, None).finish(LIMIT)
    if outcome.has_traceback:
        row.fault("tracebacks", _last_lines(outcome.output))
    elif outcome.code != 0:
        row.refused += 1
        row.examples.append(f"{row.kind}: refused: {_last_lines(outcome.output)}")
    elif job.results(place) != expected:
        row.fault("silent", f"another result after kills of {job.name}")
    else:
        row.right += 1
    row.fault("litter", ", ".join(left[:3]), len(left)) if (left := litter(place)) else None
    shutil.rmtree(place)


def litter(folder: Path) -> list[str]:
    """Temporary files and folders below a folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if TEMPORARY.fullmatch(path.name)]


def _last_lines(output: str) -> str:
    return " / ".join(output.strip().splitlines()[-3:])[-400:]
