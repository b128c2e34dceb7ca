"""Generated features with planted effects, as the measures take them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scangen_bundle.measures.feature_views import FeatureViews, Places
from scangen_bundle.measures.points import Points
from scangen_bundle.statistics.bootstrap import PatientBootstrap

WEIGHTS = np.array([2, 0, 1, 1, 3])  # of the five patients of `draw_places`


def draw_places(scanner_effect=0.5, patients=5, scanners=3, dim=8, seed=0) -> Places:
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), [4, 6, 5, 7, 3][:patients])
    tissue = generator.normal(size=(len(patient), 1, dim))
    scanner = scanner_effect * generator.normal(size=(1, scanners, dim))
    noise = 0.3 * generator.normal(size=(len(patient), scanners, dim))
    return Places((tissue + scanner + noise).astype(np.float32), patient, [f"s{s}" for s in range(scanners)], "tile")


def repeated(patient, weights):
    """Rows of the places, repeated as the patients' weights say."""
    return np.concatenate([np.flatnonzero(patient == p) for p, w in enumerate(weights) for _ in range(int(w))])


def draw_points(scanner_effect=0.0, label_effect=0.0, patients=24, scanners=3, seed=0, tissue=0.5) -> Points:
    """One vector per patient and scanner; half of the patients have each label."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), scanners)
    scanner, label = np.tile(np.arange(scanners), patients), patient % 2
    values = tissue * generator.normal(size=(patients, 16))[patient] + generator.normal(size=(len(patient), 16))
    values += scanner_effect * generator.normal(size=(scanners, 16))[scanner]
    values += label_effect * generator.normal(size=(2, 16))[label]
    return Points(values.astype(np.float32), patient, patient, scanner, label)


def change(points: Points, **codes: int) -> Points:
    """The points with other labels, scanners, patients or specimens."""
    fields = {name: getattr(points, name) for name in ("values", "patient", "specimen", "scanner", "label")}
    fields.update({name: np.full_like(points.label, value) for name, value in codes.items()})
    return Points(**fields)


def views(points: Points, **options) -> FeatureViews:
    """Views in which each point is a scan of one tile."""
    manifest = pd.DataFrame(
        {
            "slide_id": [f"slide{row:05d}" for row in range(len(points))],
            "specimen_id": [f"specimen{code:05d}" for code in points.specimen],
            "patient_id": [f"patient{code:05d}" for code in points.patient],
            "scanner": [f"scanner{code}" for code in points.scanner],
            "label": points.label,
        }
    )
    tiles = {slide_id: value[None] for slide_id, value in zip(manifest["slide_id"], points.values, strict=True)}
    return FeatureViews(tiles, manifest, **options)


def observed(measured) -> dict[str, float]:
    """The values on the data themselves."""
    return PatientBootstrap(np.zeros(measured.patients, int), 0).run(measured.statistics, measured.rows).observed


def everyone(places: Places) -> np.ndarray:
    return np.ones((1, places.patients))


def draw_embeddings(specimens=40, scanners=3, scanner_effect=1.0, label_effect=1.0, seed=0):
    """Embeddings [N, 12] with planted effects, and patient, specimen, scanner, label [N]."""
    generator = np.random.default_rng(seed)
    specimen = np.repeat(np.arange(specimens), scanners)
    scanner = np.tile(np.arange(scanners), specimens)
    patient, label = specimen // 2, (specimen // 2) % 2
    values = generator.normal(size=(specimens, 12))[specimen] + 0.3 * generator.normal(size=(len(specimen), 12))
    values = values + scanner_effect * generator.normal(size=(scanners, 12))[scanner]
    values = values + label_effect * generator.normal(size=(2, 12))[label]
    return values.astype(np.float32), patient, specimen, scanner, label
