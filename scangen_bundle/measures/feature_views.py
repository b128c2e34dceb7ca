"""Views of an encoder's features for measures: paired places, tiles, scans, neighbours, held-out predictions.

Each view is made when a measure first asks for it; all measures share it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.neighbours import LabelledNeighbours, labelled_neighbours
from scangen_bundle.measures.paired_features import unit_rows
from scangen_bundle.measures.points import Points
from scangen_bundle.measures.predictions import Predictions, check_predictions

MOST_PLACES = 8192  # paired places, over all specimens
MOST_TILES = 1200  # tiles of probes and silhouettes

# Predictions, in the layout of `check_predictions`, of a head that was trained on other patients.
HeldOut = Callable[[Mapping[str, np.ndarray], pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Places:
    """values[p, s]: place p on scanner s.

    Attributes:
        values: float32 [P, S, D].
        patient: [P] int64 from 0, without gaps.
        scanners: [S] names.
        level: "tile", or "scan" where the means of scans are paired.
    """

    values: np.ndarray
    patient: np.ndarray
    scanners: Sequence[str]
    level: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def patients(self) -> int:
        return int(self.patient.max()) + 1

    @property
    def pair_names(self) -> dict[tuple[int, int], str]:
        """ "<scanner> | <scanner>" of each pair of columns."""
        names = {}
        for a, b in combinations(range(len(self.scanners)), 2):
            names[a, b] = f"{self.scanners[a]} | {self.scanners[b]}"
        return names

    @cached_property
    def unit(self) -> np.ndarray:
        """The values scaled to length 1, [P, S, D]."""
        vectors = self.values.reshape(-1, self.values.shape[-1])
        return unit_rows(vectors).reshape(self.values.shape)

    def sample(self, most: int, generator: np.random.Generator) -> Places:
        """At most `most` places, drawn at random; patients are numbered anew."""
        rows = sample_rows(len(self), most, generator)
        patient = np.unique(self.patient[rows], return_inverse=True)[1]
        return Places(self.values[rows], patient, self.scanners, self.level)

    def shuffled_places(self, generator: np.random.Generator) -> np.ndarray:
        """The values [P, S, D] with each scanner's places in a random order, but the first's: the baseline of pairing."""
        mixed = self.values.copy()
        for scanner in range(1, len(self.scanners)):
            mixed[:, scanner] = self.values[generator.permutation(len(self)), scanner]
        return mixed

    def shuffled_scanners(self, generator: np.random.Generator) -> np.ndarray:
        """The values [P, S, D] with each place's scanners in a random order: what a scanner's share is by chance."""
        order = generator.random(self.values.shape[:2]).argsort(axis=1)
        return np.take_along_axis(self.values, order[:, :, None], axis=1)


class FeatureViews:
    """The features of one encoder on one cohort.

    Args:
        tiles: float32 [T, D] by slide_id.
        manifest: see `cohort.load_manifest`; scans without tiles are left out.
        scanners: names of the scanners that are paired, the reference first.
        corresponding: specimens whose tile i is the same place on all of these scanners.
        one_frame: tile i is the same place on every scan, also of other specimens.
        labelled_tiles: every tile has its scan's label, as PathoROB's patches have; neighbours are then tiles, not scans.
        robustness_k: a further number of neighbours.
        held_out: makes the predictions of the downstream measures; None: they are undefined.
        seed: of every draw.
        device: for large products.
    """

    def __init__(
        self,
        tiles: Mapping[str, np.ndarray],
        manifest: pd.DataFrame,
        scanners: Sequence[str] = (),
        *,
        corresponding: Collection[str] = (),
        one_frame: bool = False,
        labelled_tiles: bool = False,
        robustness_k: int | None = None,
        held_out: HeldOut | None = None,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.manifest = manifest[manifest["slide_id"].isin(tiles)].reset_index(drop=True)
        self.tiles, self.paired_scanners, self.corresponding = tiles, list(scanners), corresponding
        self.one_frame, self.labelled_tiles = one_frame, labelled_tiles
        self.robustness_k, self.held_out = robustness_k, held_out
        self.seed, self.device = seed, device
        self.scanner_names = sorted(str(name) for name in self.manifest["scanner"].unique())

    def generator(self) -> np.random.Generator:
        """A new generator: what one measure draws does not depend on the others."""
        return np.random.default_rng(self.seed)

    @cached_property
    def places(self) -> Places:
        """At most `MOST_PLACES` places, as many of each specimen that is on all paired scanners, evenly spread.

        Tiles of corresponding places where there are any, else means of scans.

        Raises:
            UndefinedMeasure: there are fewer than two.
        """
        table, patient = self._paired_scans()
        aligned, owners = [], []
        for specimen, slides, owner in zip(table.index, table.to_numpy(), patient, strict=True):
            if specimen not in self.corresponding:
                continue
            scans = [self.tiles[slide_id] for slide_id in slides]
            if len({len(tiles) for tiles in scans}) == 1:
                aligned.append(scans)
                owners.append(owner)
        if aligned:
            places = _tile_places(aligned, owners, self.paired_scanners)
        else:
            means = np.stack([self._mean(slide_id) for slide_id in table.to_numpy().ravel()])
            places = Places(means.reshape(*table.shape, -1), patient, self.paired_scanners, "scan")
        if len(places) < 2:
            raise UndefinedMeasure("one place only")
        return places

    def _paired_scans(self) -> tuple[pd.DataFrame, np.ndarray]:
        """slide_id by specimen and paired scanner, and the patient [M] of each specimen, numbered from 0."""
        scanners = self.paired_scanners
        if len(scanners) < 2:
            if self.manifest["scanner"].nunique() < 2:
                raise UndefinedMeasure("one scanner only")
            raise UndefinedMeasure("no specimen was scanned on two scanners")
        scans = self.manifest[self.manifest["scanner"].isin(scanners)].drop_duplicates(["specimen_id", "scanner"])
        table = scans.pivot(index="specimen_id", columns="scanner", values="slide_id")
        table = table.reindex(columns=scanners).dropna()
        if not len(table):
            raise UndefinedMeasure(f"no specimen was scanned on all of {', '.join(scanners)}")
        patient = scans.drop_duplicates("specimen_id").set_index("specimen_id")["patient_id"].loc[table.index]
        return table, np.unique(patient, return_inverse=True)[1]

    def _mean(self, slide_id: str) -> np.ndarray:
        return self.tiles[slide_id].mean(axis=0)

    @cached_property
    def sampled_tiles(self) -> Points:
        """About `MOST_TILES` tiles, equally many of each scan where it has as many."""
        return self._tile_points(max(1, MOST_TILES // max(1, len(self.manifest))))

    @cached_property
    def scans(self) -> Points:
        """The mean vector of each scan. Patients, specimens and scanners are numbered in the order of their names."""
        means = np.stack([self._mean(slide_id) for slide_id in self.manifest["slide_id"]])
        return self._points(means, np.arange(len(means)))

    @cached_property
    def neighbours(self) -> LabelledNeighbours:
        """Neighbours of other patients of each labelled scan, or of each tile where tiles are labelled.

        Raises:
            UndefinedMeasure: no two labels, or no two scanners.
        """
        points = self._tile_points(None) if self.labelled_tiles else self.scans
        return labelled_neighbours(points.labelled(), [self.robustness_k] if self.robustness_k else [])

    @cached_property
    def predictions(self) -> Predictions:
        """Predictions of the labelled scans by heads that were trained on other patients.

        Raises:
            UndefinedMeasure: no head was asked for, or there are too few labelled patients.
        """
        self.scans.labelled()
        if self.held_out is None:
            raise UndefinedMeasure("no head was trained")
        labelled = self.manifest[self.manifest["label"] >= 0].reset_index(drop=True)
        try:
            return check_predictions(self.held_out(self.tiles, labelled))
        except InputError as error:  # patients with several classes can leave a training part without one of them
            raise UndefinedMeasure("the patients of a class are too few for folds") from error

    def _tile_points(self, most: int | None) -> Points:
        """At most `most` tiles of each scan; None: all."""
        generator = self.generator()
        values, owners = [], []
        for position, slide_id in enumerate(self.manifest["slide_id"]):
            tiles = self.tiles[slide_id]
            rows = sample_rows(len(tiles), most or len(tiles), generator)
            values.append(tiles[rows])
            owners.append(np.full(len(rows), position))
        return self._points(np.concatenate(values), np.concatenate(owners))

    def _points(self, values: np.ndarray, owner: np.ndarray) -> Points:
        """Points whose row i belongs to the manifest's scan owner[i]."""
        names = ("patient_id", "specimen_id", "scanner")
        patient, specimen, scanner = (np.unique(self.manifest[name], return_inverse=True)[1] for name in names)
        label = self.manifest["label"].to_numpy()
        return Points(
            values, patient[owner], specimen[owner], scanner[owner], label[owner], patients=int(patient.max()) + 1
        )


def _tile_places(specimens: Sequence[Sequence[np.ndarray]], patient: Sequence[int], scanners: Sequence[str]) -> Places:
    """Places of specimens, each a list of its scans' corresponding tiles."""
    most = max(1, MOST_PLACES // len(specimens))
    values, owners = [], []
    for scans, owner in zip(specimens, patient, strict=True):
        chosen = np.unique(np.linspace(0, len(scans[0]) - 1, most).astype(int))
        values.append(np.stack([tiles[chosen] for tiles in scans], axis=1))
        owners.append(np.full(len(chosen), owner))
    codes = np.unique(np.concatenate(owners), return_inverse=True)[1]
    return Places(np.concatenate(values), codes, scanners, "tile")


def sample_rows(count: int, most: int, generator: np.random.Generator) -> np.ndarray:
    """All of `count` rows, or `most` of them drawn at random and sorted."""
    return np.arange(count) if count <= most else np.sort(generator.choice(count, most, replace=False))


def shuffled_rows(group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Rows [N] in a random order that keeps each row's group [N]."""
    rows = np.arange(len(group))
    for name in np.unique(group):
        members = np.flatnonzero(group == name)
        rows[members] = generator.permutation(members)
    return rows
