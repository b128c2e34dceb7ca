"""Making a phantom cohort on disk: resumable, in parallel processes, the same bytes for the same seed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image
from tqdm import tqdm

from scangen_bundle.cohort.manifest import write_manifest
from scangen_bundle.errors import InputError
from scangen_bundle.files import write_atomically
from scangen_bundle.phantom.architecture import ALTERED, COARSE_UM, GLAND, GLASS, STROMA
from scangen_bundle.phantom.digitise import digitise
from scangen_bundle.phantom.plan import Specimen, plan_cohort, random_stream
from scangen_bundle.phantom.preview import write_preview
from scangen_bundle.phantom.render import RENDER_MPP, render_specimen
from scangen_bundle.phantom.scanners import MAX_SHIFT_UM, SCANNERS, Scanner
from scangen_bundle.phantom.slide_file import write_slide
from scangen_bundle.processes import process_pool, usable_cores

RECIPE = 2  # raise it when the pictures change, so that old and new slides are not mixed
MARGIN_UM = 40.0
SMALLEST_UM = 250.0


@dataclass(frozen=True)
class _Task:
    specimen: Specimen
    seed: int
    size_um: float
    folder: Path
    scanners: tuple[Scanner, ...]


def make_phantom_cohort(
    output: str | os.PathLike[str],
    specimens: int = 60,
    seed: int = 0,
    workers: int | None = None,
    size_um: float = 560.0,
    progress: bool = True,
    scanners: tuple[Scanner, ...] = SCANNERS,
) -> Path:
    """Make slides of synthetic H&E tissue on virtual scanners, with truth, manifest and preview.

    `output` gets `slides/`, `truth/` (per specimen a JSON and a PNG of the phenotype), `phantom.json` (what the cohort
    was made with), `manifest.csv` and `preview.png`. Slides that are there already are kept.

    Args:
        specimens: number of specimens; each is scanned once by each scanner.
        workers: processes; None = one per core. The result does not depend on it.
        size_um: side of the scanned square in µm, glass included.
        progress: show a bar.
        scanners: on which every specimen is scanned.

    Returns:
        The path of the manifest.

    Raises:
        InputError: a number is out of range, or `output` holds a cohort made with other parameters.
    """
    _check_numbers(specimens, seed, workers, size_um)
    folder = Path(output)
    parameters = {"recipe": RECIPE, "specimens": specimens, "seed": seed, "size_um": float(size_um)}
    _claim(folder, {**parameters, "scanners": [asdict(scanner) for scanner in scanners]})
    plan = plan_cohort(specimens, seed)
    tasks = [_Task(specimen, seed, float(size_um), folder, scanners) for specimen in plan]
    open_tasks = [task for task in tasks if not _is_done(task)]
    total = len(plan) * len(scanners)
    done = total - len(open_tasks) * len(scanners)
    with tqdm(total=total, initial=done, unit="slide", desc="phantom", disable=not progress) as bar:
        for slides in _run(open_tasks, workers or usable_cores()):
            bar.update(slides)
    manifest = folder / "manifest.csv"
    write_manifest(_manifest(plan, folder, scanners), manifest)
    write_preview(folder, plan, scanners)
    return manifest


def _check_numbers(specimens: int, seed: int, workers: int | None, size_um: float) -> None:
    if specimens < 2:
        raise InputError("specimens", f"at least 2 are needed, got {specimens}", "ask for more")
    if not SMALLEST_UM <= size_um < float("inf"):
        raise InputError("size_um", f"at least {SMALLEST_UM:g} µm are needed, got {size_um:g}", "ask for more")
    if seed < 0:
        raise InputError("seed", f"at least 0 is needed, got {seed}", "give another number")
    if workers is not None and workers < 1:
        raise InputError("workers", f"at least 1 is needed, got {workers}", "ask for 1 or more")


def _claim(folder: Path, parameters: dict[str, Any]) -> None:
    """Write the cohort's parameters into its folder, or refuse a folder that was begun with other ones."""
    parameters = json.loads(json.dumps(parameters))
    path = folder / "phantom.json"
    if not path.exists():
        with write_atomically(path) as temporary:
            temporary.write_text(json.dumps(parameters, indent=2))
        return
    try:
        earlier = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(path, f"not readable as JSON ({error})", "remove the folder or choose another") from None
    if not isinstance(earlier, dict):
        earlier = {}
    differences = []
    for key, value in parameters.items():
        if earlier.get(key) != value:
            differences.append(key if key == "scanners" else f"{key} {earlier.get(key)} -> {value}")
    if differences:
        problem = f"this cohort was made with other parameters ({', '.join(differences)})"
        raise InputError(path, problem, "ask for the same ones, choose another output folder, or remove this one")


def _run(tasks: list[_Task], workers: int) -> Iterator[int]:
    if workers == 1 or len(tasks) <= 1:
        yield from map(_make_specimen, tasks)
        return
    with process_pool(min(workers, len(tasks)), __name__) as pool:
        for future in as_completed([pool.submit(_make_specimen, task) for task in tasks]):
            yield future.result()


def _slide_id(specimen: Specimen, scanner: Scanner) -> str:
    return f"{specimen.specimen_id}_{scanner.name}"


def _slide_path(folder: Path, specimen: Specimen, scanner: Scanner) -> Path:
    return folder / "slides" / f"{_slide_id(specimen, scanner)}.{scanner.container}"


def _truth_paths(task: _Task) -> tuple[Path, Path]:
    stem = task.folder / "truth" / task.specimen.specimen_id
    return stem.with_suffix(".json"), stem.with_suffix(".png")


def _outputs(task: _Task) -> Iterable[Path]:
    yield from _truth_paths(task)
    for scanner in task.scanners:
        yield _slide_path(task.folder, task.specimen, scanner)


def _is_done(task: _Task) -> bool:
    return all(path.exists() for path in _outputs(task))


def _origin(task: _Task, number: int) -> tuple[float, float]:
    """x, y in µm of the corner of the scan of scanner `number` in the specimen: a margin and the stage's shift."""
    shift = random_stream(task.seed, 3, task.specimen.index, number).uniform(-1, 1, 2) * task.scanners[number].shift_um
    return MAX_SHIFT_UM + float(shift[0]), MAX_SHIFT_UM + float(shift[1])


def _make_specimen(task: _Task) -> int:
    """Render one specimen, scan it on every scanner that has no file yet, keep the truth. Returns scans complete."""
    side_um = task.size_um + 2 * MAX_SHIFT_UM
    rendering = render_specimen(task.specimen, side_um, MARGIN_UM + MAX_SHIFT_UM, task.seed)
    scans = []
    for number, scanner in enumerate(task.scanners):
        origin = _origin(task, number)
        path = _slide_path(task.folder, task.specimen, scanner)
        slide_id = _slide_id(task.specimen, scanner)
        scans.append({"slide_id": slide_id, "scanner": scanner.name, "mpp": scanner.mpp, "origin_um": origin})
        if not path.exists():
            noise = random_stream(task.seed, 4, task.specimen.index, number)
            pixels = digitise(rendering.rgb, RENDER_MPP, scanner, origin, task.size_um, noise)
            write_slide(path, pixels, scanner, slide_id)
    truth = {
        **asdict(task.specimen),
        "glands": rendering.glands,
        "altered_glands": rendering.altered_glands,
        "phenotype_um_per_px": COARSE_UM,
        "phenotype_values": {"glass": GLASS, "stroma": STROMA, "gland": GLAND, "altered gland": ALTERED},
        "scans": scans,
    }
    facts, picture = _truth_paths(task)
    with write_atomically(picture) as temporary:
        Image.fromarray(rendering.phenotype).save(temporary)
    with write_atomically(facts) as temporary:
        temporary.write_text(json.dumps(truth, indent=2))
    return len(task.scanners)


def _manifest(plan: list[Specimen], folder: Path, scanners: tuple[Scanner, ...]) -> pd.DataFrame:
    rows = []
    for specimen, scanner in product(plan, scanners):
        rows.append(
            {
                "slide_id": _slide_id(specimen, scanner),
                "specimen_id": specimen.specimen_id,
                "patient_id": specimen.patient_id,
                "scanner": scanner.name,
                "label": specimen.label,
                "slide_path": str(_slide_path(folder.absolute(), specimen, scanner)),
                "mpp": float("nan"),
                "split": "",
            }
        )
    return pd.DataFrame(rows)
