"""Do the scans of one specimen agree across scanners? Per specimen over its scanners, under any weighting of the patients.

The scores form a table [M specimens, S scanners] with gaps; several scans of a specimen on one scanner count as their
mean score. Per specimen with at least two scanners, then averaged over specimens:

- `cov`: sd / mean of the score, with ddof = 1. It is a ratio: near mean 0 small differences blow it up, and where all
  scores of a specimen are 0 it is undefined and the specimen does not count. Read it beside `sd`.
- `sd` (ddof = 1), `score_range` (largest - smallest), `abs_difference` (mean of |x_a - x_b| over the pairs of scanners).
- `flip_rate`: share of the specimens whose class differs between any two of their scanners.

Over the specimens that every scanner has:

- `icc`: ICC(2,1), two-way random effects, absolute agreement, single rater (P. Shrout, J. Fleiss, Psychol. Bull. 86, 1979).
- `all_scanner_agreement`: share of the specimens that get one class on all scanners.
- `fleiss_kappa` of the classes (J. Fleiss, Psychol. Bull. 76, 1971).

Per pair of scanners, over the specimens that both have: `abs_difference`, `flip_rate`, `ccc` (L. Lin, Biometrics 45,
1989, moments with ddof = 0), `cohen_kappa` (J. Cohen, Educ. Psychol. Meas. 20, 1960) and the Bland-Altman bias
x_a - x_b with its limits, bias -/+ 1.96 sd, ddof = 1 (J. Bland, D. Altman, Lancet 327, 1986).

With more than two classes the figures of the score are the mean over the classes' probabilities, and Bland-Altman is
left out (the differences of a scan's probabilities sum to 0).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations

import numpy as np

from scangen_bundle.measures.predictions import BETWEEN, Predictions
from scangen_bundle.statistics.aggregate import OverScanners
from scangen_bundle.statistics.bootstrap import patient_sums, ratio

SPECIMEN_FIGURES = ("cov", "sd", "score_range", "abs_difference", "flip_rate")
COMPLETE_FIGURES = ("icc", "all_scanner_agreement", "fleiss_kappa")
BLAND_ALTMAN = ("bland_altman_bias", "bland_altman_lower", "bland_altman_upper")
FIGURES = (*SPECIMEN_FIGURES, *COMPLETE_FIGURES, "ccc", "cohen_kappa", *BLAND_ALTMAN)
NO_VARIANCE = 1e-24  # variances of scores in 0..1 below this are rounding


def pair_name(first: str, second: str) -> str:
    """How a pair of scanners is written in keys."""
    return f"{first}{BETWEEN}{second}"


def score_table(specimen: np.ndarray, scanner: np.ndarray, score: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Scores [N] as a table [M specimens, S scanners], NaN where there is no scan, the mean where there are several."""
    cell = specimen * shape[1] + scanner
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, weights=score, minlength=shape[0] * shape[1])
    return ratio(total, count).reshape(shape)


def specimen_spread(scores: np.ndarray) -> dict[str, np.ndarray]:
    """`cov`, `sd`, `score_range` and `abs_difference` [M] of each specimen of a table [M, S]; NaN with fewer than two scans.

    The mean over pairs of |x_a - x_b| is taken from the sorted scores: x_(k) is added k times and subtracted n-1-k times.
    """
    ordered = np.sort(scores, axis=1)  # NaN go last
    count = np.isfinite(scores).sum(axis=1)
    several = count >= 2
    filled = np.nan_to_num(ordered)
    mean = ratio(filled.sum(axis=1), count)
    deviation = np.where(np.isfinite(ordered), ordered - mean[:, None], 0.0)
    spread = np.where(
        several, np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None], 1)[:, 0] - ordered[:, 0], np.nan
    )
    sd = np.sqrt(ratio((deviation**2).sum(axis=1), np.where(several, count - 1, 0)))
    sd = np.where(spread == 0, 0.0, sd)  # equal scores: no rounding left in
    rank = 2 * np.arange(scores.shape[1])[None, :] - (count[:, None] - 1)
    pairs = np.where(several, count * (count - 1) / 2, 0)
    return {
        "cov": ratio(sd, np.where(several, mean, 0.0)),
        "sd": sd,
        "score_range": spread,
        "abs_difference": ratio((filled * rank).sum(axis=1), pairs),
    }


def coefficient_of_variation(scores: np.ndarray) -> float:
    """Mean over specimens of sd / mean (ddof = 1) of a table [M, S]; NaN where no specimen has two scans."""
    cov = specimen_spread(np.asarray(scores, dtype=np.float64))["cov"]
    return float(np.nanmean(cov)) if np.isfinite(cov).any() else float("nan")


def specimen_flips(classes: np.ndarray) -> np.ndarray:
    """[M] 1 where a specimen's class differs between any two of its scanners, else 0; NaN with fewer than two.

    Args:
        classes: [M, S] float, NaN where there is no scan.
    """
    known = np.isfinite(classes)
    low, high = np.where(known, classes, np.inf).min(axis=1), np.where(known, classes, -np.inf).max(axis=1)
    return np.where(known.sum(axis=1) >= 2, (low != high).astype(np.float64), np.nan)


def flip_rate(classes: np.ndarray) -> float:
    """Share of the specimens of a table [M, S] whose class differs between any two of their scanners; NaN without pairs."""
    flips = specimen_flips(np.asarray(classes, dtype=np.float64))
    return float(np.nanmean(flips)) if np.isfinite(flips).any() else float("nan")


class _Sums:
    """Named columns of per-patient sums, so that one matrix product weights them all."""

    def __init__(self, specimen_patient: np.ndarray, patients: int) -> None:
        self._patient, self._patients = specimen_patient, patients
        self._columns: list[np.ndarray] = []
        self._slices: dict[tuple[str | int, ...], slice] = {}
        self._width = 0

    def add(self, key: tuple[str | int, ...], rows: np.ndarray, *values: np.ndarray) -> None:
        """Add the count of the specimens marked in `rows` [M] and the sums of each of `values` [M] or [M, K] over them."""
        chosen = np.flatnonzero(rows)
        columns = np.column_stack([np.ones(len(chosen)), *(value[chosen] for value in values)])
        self._columns.append(patient_sums(columns, self._patient[chosen], self._patients))
        self._slices[key] = slice(self._width, self._width + columns.shape[1])
        self._width += columns.shape[1]

    def weighted(self, weights: np.ndarray) -> dict[tuple[str | int, ...], np.ndarray]:
        """[columns, R] of each key for weights [R, P]."""
        totals = (weights @ np.concatenate(self._columns, axis=1)).T
        return {key: totals[columns] for key, columns in self._slices.items()}

    def join(self) -> None:
        self._columns = [np.ascontiguousarray(np.concatenate(self._columns, axis=1))]


class Agreement:
    """Agreement of the scans of one specimen, as a statistic of patient weights.

    Keys: the figures of the module's docstring; those of a pair of scanners as `<figure>/<a> vs <b>`, and `ccc` and
    `cohen_kappa` also as `/mean`, `/worst` and `/range` over the pairs. Labels play no part: unlabelled scans count.

    Args:
        predictions: the scans.
        threshold: of the probability of class 1; with more than two classes the class is the most probable one.
        wanted: figures to compute.
    """

    def __init__(self, predictions: Predictions, threshold: float, wanted: Collection[str] = FIGURES) -> None:
        self.wanted = frozenset(wanted)
        self.scanners = predictions.scanners
        self._pairs = list(combinations(range(len(self.scanners)), 2))
        self._classes = predictions.classes
        self._scored = [1] if predictions.classes == 2 else list(range(predictions.classes))
        shape = len(predictions.specimens), len(self.scanners)
        tables = {
            c: score_table(predictions.specimen, predictions.scanner, predictions.probability[:, c], shape)
            for c in self._scored
        }
        known = np.isfinite(next(iter(tables.values())))
        if self._classes == 2:
            classes = np.where(known, tables[1] >= threshold, np.nan)
        else:
            largest = np.argmax(np.nan_to_num(np.stack([tables[c] for c in self._scored]), nan=-1.0), axis=0)
            classes = np.where(known, largest, np.nan)

        self._sums = _Sums(predictions.specimen_patient, len(predictions.patients))
        self._complete = known.all(axis=1) & (shape[1] >= 2)
        for c, table in tables.items():
            self._add_scores(c, table)
        self._add_classes(classes)
        self._sums.join()
        self.reasons: dict[str, str] = {}
        self.trials = self._count_trials(known, predictions.specimen_patient)
        self.aggregates: list[OverScanners] = []
        self._note_reasons(predictions)

    def _add_scores(self, c: int, table: np.ndarray) -> None:
        for name, value in specimen_spread(table).items():
            if name in self.wanted:
                self._sums.add((name, c), np.isfinite(value), value)
        if "icc" in self.wanted:
            # Figures that subtract squares are taken about a value inside the data, which keeps their digits.
            centred = table - np.mean(table[self._complete]) if self._complete.any() else table
            mean = centred.mean(axis=1)
            self._sums.add(("icc", c), self._complete, mean**2, (centred**2).sum(axis=1), centred)
        for a, b in self._pairs:
            both = np.isfinite(table[:, a]) & np.isfinite(table[:, b])
            centre = table[both][:, [a, b]].mean() if both.any() else 0.0
            x, y = table[:, a] - centre, table[:, b] - centre
            shift = (x - y)[both].mean() if both.any() else 0.0
            d = x - y - shift
            self._sums.add(
                ("pair", c, a, b), both, x, y, x * x, y * y, x * y, np.abs(x - y), d, d * d, np.full(len(d), shift)
            )

    def _add_classes(self, classes: np.ndarray) -> None:
        flips = specimen_flips(classes)
        self._sums.add(("flip_rate",), np.isfinite(flips), flips)
        hot = classes[:, :, None] == np.arange(self._classes)  # [M, S, C]
        votes, raters = hot.sum(axis=1), len(self.scanners)
        share = ((votes**2).sum(axis=1) - raters) / max(raters * (raters - 1), 1)
        self._sums.add(("classes",), self._complete, 1 - np.nan_to_num(flips), share, votes)
        for a, b in self._pairs:
            both = np.isfinite(classes[:, a]) & np.isfinite(classes[:, b])
            same = (classes[:, a] == classes[:, b]).astype(np.float64)
            self._sums.add(("class pair", a, b), both, same, hot[:, a], hot[:, b])

    def _count_trials(self, known: np.ndarray, specimen_patient: np.ndarray) -> dict[str, int]:
        """Patients whose specimens enter the figures that are shares, by key; see `exact`."""
        rows = {"flip_rate": known.sum(axis=1) >= 2, "all_scanner_agreement": self._complete}
        for a, b in self._pairs:
            rows[f"flip_rate/{pair_name(self.scanners[a], self.scanners[b])}"] = known[:, a] & known[:, b]
        return {key: len(np.unique(specimen_patient[chosen])) for key, chosen in rows.items()}

    def _note_reasons(self, predictions: Predictions) -> None:
        everyone = np.ones((1, len(predictions.patients)), dtype=np.int32)
        totals = self._sums.weighted(everyone)
        several, complete = totals["flip_rate",][0, 0], totals["classes",][0, 0]
        for key, value in self._figures(everyone).items():
            if np.isfinite(value[0]):
                continue
            name, _, pair = key.partition("/")
            if pair:
                a, b = next((a, b) for a, b in self._pairs if pair_name(self.scanners[a], self.scanners[b]) == pair)
                found = totals["class pair", a, b][0, 0]
                few = f"{found:.0f} specimens were scanned on both {self.scanners[a]} and {self.scanners[b]}"
            elif name in SPECIMEN_FIGURES:
                found, few = 2 * several, "no specimen was scanned on two scanners"
            else:
                found = complete
                few = (
                    f"{found:.0f} specimens were scanned on every scanner"
                    if self._pairs
                    else "there is one scanner only"
                )
            if found < 2:
                self.reasons[key] = few
            elif name == "cov":
                self.reasons[key] = "the mean score of every specimen is 0"
            else:
                self.reasons[key] = "all classes are the same" if "kappa" in name else "the scores do not vary"
        pairs = [pair_name(self.scanners[a], self.scanners[b]) for a, b in self._pairs]
        for name in ("ccc", "cohen_kappa"):
            if name in self.wanted and pairs:
                self.aggregates.append(OverScanners(name, pairs, self.reasons, worst="lowest"))
        for aggregate in self.aggregates:
            self.reasons.update(aggregate.reasons)

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Figures [R] by key for integer weights [R, P]."""
        figures = self._figures(weights)
        for aggregate in self.aggregates:
            figures.update(aggregate(figures))
        return figures

    def _figures(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        totals = self._sums.weighted(weights)
        per_class = [self._score_figures(totals, c) for c in self._scored]
        figures = {key: np.mean([values[key] for values in per_class], axis=0) for key in per_class[0]}
        count, flipped = totals["flip_rate",]
        figures["flip_rate"] = ratio(flipped, count)
        count, same, share, *votes = totals["classes",]
        category = ratio(np.stack(votes), count * len(self.scanners))
        figures["all_scanner_agreement"] = ratio(same, count)
        figures["fleiss_kappa"] = _kappa(ratio(share, count), (category**2).sum(axis=0))
        for a, b in self._pairs:
            pair = pair_name(self.scanners[a], self.scanners[b])
            count, same, *marginals = totals["class pair", a, b]
            first, second = np.stack(marginals[: self._classes]), np.stack(marginals[self._classes :])
            figures[f"flip_rate/{pair}"] = 1 - ratio(same, count)
            figures[f"cohen_kappa/{pair}"] = _kappa(ratio(same, count), ratio((first * second).sum(axis=0), count**2))
        return {key: value for key, value in figures.items() if key.partition("/")[0] in self.wanted}

    def _score_figures(self, totals: dict[tuple[str | int, ...], np.ndarray], c: int) -> dict[str, np.ndarray]:
        figures = {}
        for name in SPECIMEN_FIGURES:
            if (name, c) in totals:
                count, total = totals[name, c]
                figures[name] = ratio(total, count)
        if ("icc", c) in totals:
            count, row, square, *columns = totals["icc", c]
            figures["icc"] = _icc(count, row, square, np.stack(columns))
        for a, b in self._pairs:
            pair = pair_name(self.scanners[a], self.scanners[b])
            count, x, y, xx, yy, xy, difference, d, dd, shift = totals["pair", c, a, b]
            figures[f"abs_difference/{pair}"] = ratio(difference, count)
            figures[f"ccc/{pair}"] = _ccc(count, x, y, xx, yy, xy)
            if self._classes == 2:
                mean = ratio(d, count)
                variance = ratio(dd - count * np.nan_to_num(mean) ** 2, count - 1)
                limit = 1.96 * np.sqrt(np.maximum(np.where(count >= 2, variance, np.nan), 0))
                bias = mean + ratio(shift, count)
                for name, value in zip(BLAND_ALTMAN, (bias, bias - limit, bias + limit), strict=True):
                    figures[f"{name}/{pair}"] = value
        return figures


def _kappa(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """(observed - expected) / (1 - expected), NaN where chance alone agrees always."""
    room = 1 - expected
    return ratio(observed - expected, np.where(room > 1e-12, room, 0))


def _icc(count: np.ndarray, row: np.ndarray, square: np.ndarray, column: np.ndarray) -> np.ndarray:
    """ICC(2,1) [R] from the number of specimens, the sums of squared row means and of squares [R], column sums [S, R]."""
    raters = len(column)
    usable = (count >= 2) & (raters >= 2)
    n = np.where(usable, count, 2.0)
    k = max(raters, 2)
    mean = column / n
    grand = mean.mean(axis=0)
    rows = k * (row - n * grand**2)
    columns = n * ((mean - grand) ** 2).sum(axis=0)
    total = square - n * k * grand**2
    between, scanner = rows / (n - 1), columns / (k - 1)
    error = (total - rows - columns) / ((n - 1) * (k - 1))
    usable &= total > NO_VARIANCE * n * k
    return ratio(between - error, np.where(usable, between + (k - 1) * error + k * (scanner - error) / n, 0))


def _ccc(count: np.ndarray, x: np.ndarray, y: np.ndarray, xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Lin's CCC [R] from sums [R]; NaN where either score does not vary."""
    n = np.where(count >= 2, count, np.nan)
    mean_x, mean_y = x / n, y / n
    variance_x, variance_y = xx / n - mean_x**2, yy / n - mean_y**2
    varies = (variance_x > NO_VARIANCE) & (variance_y > NO_VARIANCE)
    return ratio(2 * (xy / n - mean_x * mean_y), np.where(varies, variance_x + variance_y + (mean_x - mean_y) ** 2, 0))
