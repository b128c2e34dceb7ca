"""Run the evidence for ScanGen and write its tables and figures; resumable.

python -m studies.evidence --dataset_dir data/evidence
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from scangen_bundle.bags import open_bag
from scangen_bundle.cohort import load_manifest
from scangen_bundle.errors import report_input_errors
from studies.evidence import plan
from studies.evidence.experiment import Setting, run
from studies.evidence.report import write_report

_WORK: dict[str, Any] = {}


def _prepare(manifest: Any, features: Any, config: Any) -> None:
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    _WORK.update(manifest=manifest, features=features, config=config)


def _run(setting: Setting) -> tuple[str, dict]:
    start = time.process_time()
    result = run(setting, _WORK["manifest"], _WORK["features"], _WORK["config"])
    return setting.key, {**result, "cpu_seconds": time.process_time() - start}


class Results:
    """Finished trainings in a file of JSON lines; a line that a kill cut short is run again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                key, result = json.loads(line)
            except ValueError:
                continue
            self.found[key] = result

    def complete(self, settings: Iterable[Setting], pool: Any, end: float) -> bool:
        """Run what is missing; False if the time is over before all is there."""
        todo = {setting.key: setting for setting in settings if setting.key not in self.found}
        with self.path.open("a") as file:
            for done, (key, result) in enumerate(pool.imap_unordered(_run, todo.values()), start=1):
                file.write(json.dumps([key, result]) + "\n")
                file.flush()
                self.found[key] = result
                print(f"{done}/{len(todo)} {key}", flush=True)
                if time.time() > end:
                    return False
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/evidence/default.yaml"))
    parser.add_argument("--dataset_dir", type=Path, default=Path("data/evidence"), help="a cohort with its bags")
    parser.add_argument("--encoder_name", default="efficientnet-lite0")
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/evidence"))
    parser.add_argument("--docs", type=Path, default=Path("docs/results/evidence.md"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop then and report what is finished")
    options = parser.parse_args()
    report_input_errors()
    end = time.time() + 60 * options.minutes
    config = yaml.safe_load(options.config.read_text())
    manifest = load_manifest(options.dataset_dir / "manifest.csv", classes=2)
    folder = options.dataset_dir / "features" / options.encoder_name
    bags = {name: open_bag(folder / f"{name}.h5") for name in manifest.slide_id}
    features = {name: np.asarray(bag.features, np.float32) for name, bag in bags.items()}
    # other settings or another cohort are other results
    identity = json.dumps([config["training"], sorted(features), float(sum(bag.sum() for bag in features.values()))])
    options.output_dir.mkdir(parents=True, exist_ok=True)
    results = Results(options.output_dir / f"runs_{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsonl")
    scanners, folds = manifest.scanner.nunique(), range(config["training"]["folds"])
    with get_context("fork").Pool(options.workers, _prepare, (manifest, features, config["training"])) as pool:
        order = sorted(config["training_scanners"], key=lambda count: (count == 1, count))
        in_time = True
        for count in order:
            sweep = [setting for fold in folds for setting in plan.swept(config, count, fold)]
            in_time = in_time and results.complete(sweep, pool, end)
            for shipped in (True, False):
                if in_time:
                    planned = plan.arms(config, results.found, scanners, count, shipped)
                    in_time = results.complete(plan.settings_of(planned), pool, end)
            if in_time and count == plan.SIDE_SCANNERS:
                for kind in (*plan.harm(config, results.found).values(), *plan.standardised(config).values()):
                    in_time = in_time and results.complete(plan.settings_of(kind), pool, end)
        pool.terminate()
    write_report(options.docs, config, manifest, results.found)


if __name__ == "__main__":
    main()
