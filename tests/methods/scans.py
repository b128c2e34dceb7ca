"""Scans without files, for methods to be fitted on."""

from __future__ import annotations

import numpy as np
import torch

from scangen_bundle.methods import Scan


def make_scan(features, scanner="a", patient="p0", specimen=None, label=0, held_out=False, slide_id=None):
    """A scan of these tiles [n, D]; `read.asked` collects the numbers of tiles asked for."""
    tiles = torch.as_tensor(np.asarray(features), dtype=torch.float32)
    asked = []

    def read(count):
        asked.append(count)
        if count is None or len(tiles) <= count:
            return tiles
        return tiles[np.linspace(0, len(tiles) - 1, count).astype(int)]

    read.asked = asked
    specimen = specimen or f"{patient}-block"
    return Scan(slide_id or f"{specimen}-{scanner}", specimen, patient, scanner, label, held_out, read)


def random_scans(scanners=("a", "b", "c"), patients=6, features=4, held_out=(), seed=0):
    """Each patient's specimen on each scanner, which has its own mean and spread; labels take turns."""
    rng = np.random.default_rng(seed)
    scans = []
    for number, scanner in enumerate(scanners):
        spread, shift = rng.uniform(0.5, 3, features), rng.normal(size=features) * 2 + number
        for patient in range(patients):
            tiles = (rng.normal(size=(5 + 3 * patient, features)) + patient % 2) * spread + shift
            scans.append(make_scan(tiles, scanner, f"p{patient}", label=patient % 2, held_out=scanner in held_out))
    return scans


def tiles_of(scans, scanner):
    """All tiles [n, D] of a scanner, float64."""
    return np.concatenate([scan.read(None).double().numpy() for scan in scans if scan.scanner == scanner])
