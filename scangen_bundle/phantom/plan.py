"""The plan of a phantom cohort: patients, labels, and the ways in which specimens differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Specimen:
    """What is drawn for one specimen, before any pixel.

    Args:
        index: position in the cohort, which with the cohort's seed gives every random stream.
        altered_fraction: share of the glands with the phenotype; 0 where `label` is 0.
        reactive_fraction: share of the glands that are as disordered as altered ones, but are none, in both labels.
        haematoxylin, eosin: stain strengths, 1 = average.
        hue: tilt of the two stain colours, 0 = average.
        gland_radius_um: mean outer radius of a gland.
        gland_share: how densely glands are packed, 0 to 1.
        lymphocytes: lymphocytes per mm² of stroma.
    """

    index: int
    specimen_id: str
    patient_id: str
    label: int
    altered_fraction: float
    reactive_fraction: float
    haematoxylin: float
    eosin: float
    hue: float
    gland_radius_um: float
    gland_share: float
    lymphocytes: float


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """A generator for one purpose, the same whichever process asks and whatever was drawn before.

    Args:
        key: what the stream is for; another key, another stream.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def plan_cohort(specimens: int, seed: int) -> list[Specimen]:
    """The specimens of a cohort. Every third patient has two; labels are balanced over pairs of patients."""
    planned: list[Specimen] = []
    patient = 0
    while len(planned) < specimens:
        first_is_positive = int(random_stream(seed, 0, patient // 2).integers(2))
        label = first_is_positive ^ (patient % 2)
        for _ in range(2 if patient % 3 == 2 else 1):
            if len(planned) < specimens:
                planned.append(_plan_specimen(len(planned), patient, label, seed))
        patient += 1
    return planned


def _plan_specimen(index: int, patient: int, label: int, seed: int) -> Specimen:
    draw = random_stream(seed, 1, index)
    altered = float(draw.uniform(0.2, 0.45))
    return Specimen(
        index=index,
        specimen_id=f"spec{index:03d}",
        patient_id=f"pat{patient:03d}",
        label=label,
        altered_fraction=altered if label else 0.0,
        reactive_fraction=float(draw.uniform(0.05, 0.35)),
        haematoxylin=float(draw.uniform(0.8, 1.2)),
        eosin=float(draw.uniform(0.75, 1.25)),
        hue=float(draw.uniform(-1.0, 1.0)),
        gland_radius_um=float(draw.uniform(34.0, 50.0)),
        gland_share=float(draw.uniform(0.5, 1.0)),
        lymphocytes=float(draw.uniform(200.0, 1600.0)),
    )
