"""Abuse the product for some minutes and print what came of it.

    python -m abuse --minutes 20 --seed 0

Exit code 1 if a result was changed in silence, an error was a traceback, a process outlived its command, or the next run
left temporary files.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from abuse.command import preload
from abuse.inputs import KINDS, damage_once
from abuse.jobs import JOBS
from abuse.kills import kill_chain, make_base
from abuse.systems import SYSTEMS, on_system
from abuse.tally import Tally, table

Rows = Callable[[str], Tally]
SHARES = {"kills": 0.55, "inputs": 0.25}  # of the time; file systems take the rest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # threads that start at an import do not survive a fork
        os.environ[name] = "1"
    preload()
    rng, start, seconds = random.Random(options.seed), time.monotonic(), 60 * options.minutes
    rows: dict[str, Tally] = {}

    def row(kind: str) -> Tally:
        return rows.setdefault(kind, Tally(kind))

    with tempfile.TemporaryDirectory(prefix="abuse-") as temporary:
        base, place = Path(temporary) / "base", Path(temporary) / "try"
        made = make_base(base)
        left = seconds - (time.monotonic() - start)
        _until(left * SHARES["kills"], lambda: _one_kill(rng, base, made, place, row))
        _until(left * SHARES["inputs"], lambda: _one_input(rng, base, place, row))
        for system in SYSTEMS:
            for job in JOBS[1:4]:
                if time.monotonic() - start < seconds:
                    on_system(job, system, base, made[job.name][0], place, row(f"file system: {system}"))
    print(table(rows.values()))
    print("\n".join(example for each in rows.values() for example in each.examples[:5]))
    print(f"seed {options.seed}, {(time.monotonic() - start) / 60:.1f} minutes")
    return int(not all(each.is_clean for each in rows.values()))


def _until(seconds: float, work: Callable[[], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        work()


def _one_kill(
    rng: random.Random, base: Path, made: Mapping[str, tuple[dict[str, str], float]], place: Path, row: Rows
) -> None:
    job = rng.choice(JOBS)
    expected, seconds = made[job.name]
    kill_chain(job, base, expected, seconds, place, rng, row(f"kill: {job.name}"))


def _one_input(rng: random.Random, base: Path, place: Path, row: Rows) -> None:
    kind = rng.choice(KINDS)
    damage_once(kind, base, place, rng, row(f"damage: {kind.name}"))


if __name__ == "__main__":
    sys.exit(main())
