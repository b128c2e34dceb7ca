"""One table of predictions, checked once and held as arrays: what every per-scanner figure is computed from."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

IDENTITY = ("slide_id", "specimen_id", "patient_id", "scanner", "label")
UNLABELLED = -1
RESERVED = ("mean", "worst", "range", "mean_seen", "mean_unseen")  # names of aggregates in figure keys
BETWEEN = " vs "  # of two scanners in figure keys
SUM_TOLERANCE = 1e-3  # float16 and rounded tables still pass


@dataclass(frozen=True)
class Predictions:
    """Scans with their identity, label and probabilities.

    Attributes:
        slide_id: [N] str, unique.
        patient, specimen, scanner: [N] int64 positions in `patients`, `specimens`, `scanners`.
        label: [N] int64, 0..C-1, or -1 for an unlabelled scan.
        probability: [N, C] float64, rows sum to 1.
        specimen_patient: [M] int64, the patient of each specimen.
        patients, specimens, scanners: sorted names.
    """

    slide_id: np.ndarray
    patient: np.ndarray
    specimen: np.ndarray
    scanner: np.ndarray
    label: np.ndarray
    probability: np.ndarray
    specimen_patient: np.ndarray
    patients: tuple[str, ...]
    specimens: tuple[str, ...]
    scanners: tuple[str, ...]

    @property
    def classes(self) -> int:
        return self.probability.shape[1]

    def predicted(self, threshold: float) -> np.ndarray:
        """[N] int64 class of each scan: probability of class 1 at least `threshold` for two classes, else the largest."""
        if self.classes == 2:
            return (self.probability[:, 1] >= threshold).astype(np.int64)
        return self.probability.argmax(axis=1)

    def strata(self) -> np.ndarray:
        """[P] int64 stratum of each patient: the set of labels that the patient's scans have."""
        pairs = np.unique(np.stack([self.patient, self.label + 1], axis=1), axis=0)
        sets = np.zeros((len(self.patients), self.classes + 1), dtype=np.int8)
        sets[pairs[:, 0], pairs[:, 1]] = 1
        return np.unique(sets, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def with_probability(self, probability: np.ndarray) -> Predictions:
        """The same scans with another model's probabilities [N, C]."""
        return replace(self, probability=probability)


def probability_columns(table: pd.DataFrame) -> list[str]:
    """Names of the probability columns: `["probability"]`, or `probability_0` to `probability_<C-1>` in order.

    Raises:
        ValueError: there are none, both kinds, or a gap in the numbers.
    """
    matches = [re.fullmatch(r"probability_(\d+)", str(name)) for name in table.columns]
    numbered = sorted(int(match[1]) for match in matches if match)
    if "probability" in table.columns:
        if numbered:
            raise ValueError("the table has both 'probability' and 'probability_<class>' columns; keep one kind")
        return ["probability"]
    if len(numbered) < 2 or numbered != list(range(len(numbered))):
        present = ", ".join(f"probability_{c}" for c in numbered) or "none"
        raise ValueError(
            f"expected a column 'probability' (of class 1), or 'probability_0' to 'probability_<C-1>'; found {present}"
        )
    return [f"probability_{c}" for c in numbered]


def check_predictions(table: pd.DataFrame) -> Predictions:
    """Check a table of predictions, one row per scan, and turn it into arrays.

    Args:
        table: columns `slide_id, specimen_id, patient_id, scanner, label` (0..C-1; -1 or empty = unlabelled) and
            `probability` of class 1, or `probability_0` to `probability_<C-1>`.

    Raises:
        ValueError: no rows, a missing column, an id that is empty or has a space at an end, a slide twice, a specimen with
            two patients or two labels, a scanner named like an aggregate or a pair, a label that is no class, or a probability
            that is no number from 0 to 1. Rows are counted from 1, the header not counted.
    """
    missing = [name for name in IDENTITY if name not in table.columns]
    if missing:
        raise ValueError(f"columns are missing: {', '.join(missing)}; found {', '.join(map(str, table.columns))}")
    columns = probability_columns(table)
    if not len(table):
        raise ValueError("the table has no rows")

    ids = {name: _ids(table[name], name) for name in IDENTITY[:4]}
    slide_id = ids["slide_id"].to_numpy(dtype=object)
    _refuse(pd.Series(slide_id).duplicated().to_numpy(), "slide_id occurs twice", slide_id)
    _refuse_scanner_names(ids["scanner"])
    probability = _probabilities(table, columns)
    label = _labels(table["label"], probability.shape[1])
    codes, names = {}, {}
    for name in IDENTITY[1:4]:
        numbers, values = pd.factorize(ids[name], sort=True)
        codes[name] = numbers.astype(np.int64)
        names[name] = tuple(map(str, values))
    patient, specimen = codes["patient_id"], codes["specimen_id"]
    specimen_names = ids["specimen_id"].to_numpy(dtype=object)
    _refuse_two_labels(specimen, label, specimen_names)
    return Predictions(
        slide_id=slide_id,
        patient=patient,
        specimen=specimen,
        scanner=codes["scanner"],
        label=label,
        probability=probability,
        specimen_patient=_value_of_each(specimen, patient, "the specimen has two patients", specimen_names),
        patients=names["patient_id"],
        specimens=names["specimen_id"],
        scanners=names["scanner"],
    )


def _refuse_scanner_names(scanner: pd.Series) -> None:
    reserved = [name for name in RESERVED if (scanner == name).any()]
    if reserved:
        raise ValueError(f"a scanner is named {reserved[0]!r}, which is the name of an aggregate; rename it")
    pairs = scanner[scanner.str.contains(BETWEEN, regex=False)]
    if len(pairs):
        raise ValueError(f"a scanner is named {pairs.iloc[0]!r}, which reads as a pair of scanners; rename it")


def _refuse(bad: np.ndarray, problem: str, values: np.ndarray | None = None) -> None:
    """Raise for the rows marked in `bad` [N], naming the first few."""
    rows = np.flatnonzero(bad)
    if len(rows):
        shown = [f"{row + 1}" if values is None else f"{row + 1} ({values[row]!r})" for row in rows[:5]]
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise ValueError(f"{problem}: row {', '.join(shown)}{more}")


def _ids(column: pd.Series, name: str) -> pd.Series:
    text = column.astype(str)
    bare = text.str.strip()
    _refuse((column.isna() | (bare == "")).to_numpy(), f"{name} is empty")
    # "GT450" and "GT450 " would silently be two scanners.
    _refuse((bare != text).to_numpy(), f"{name} begins or ends with a space", text.to_numpy(dtype=object))
    return text.reset_index(drop=True)


def _numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _probabilities(table: pd.DataFrame, columns: list[str]) -> np.ndarray:
    """[N, C] float64."""
    values = np.stack([_numbers(table[name]) for name in columns], axis=1)
    for position, name in enumerate(columns):
        raw, number = table[name].to_numpy(dtype=object), values[:, position]
        _refuse(~np.isfinite(number), f"{name} is no finite number", raw)
        _refuse((number < 0) | (number > 1), f"{name} is not from 0 to 1", raw)
    if len(columns) == 1:
        return np.concatenate([1 - values, values], axis=1)
    total = values.sum(axis=1)
    _refuse(np.abs(total - 1) > SUM_TOLERANCE, "the probabilities of a scan do not sum to 1", total)
    return values


def _labels(column: pd.Series, classes: int) -> np.ndarray:
    raw = column.to_numpy(dtype=object)
    empty = (column.isna() | (column.astype(str).str.strip() == "")).to_numpy()
    number = np.where(empty, UNLABELLED, _numbers(column))
    valid = np.isin(number, np.arange(UNLABELLED, classes))
    _refuse(~valid, f"label is not one of 0 to {classes - 1} (-1 or empty: unlabelled)", raw)
    return number.astype(np.int64)


def _refuse_two_labels(specimen: np.ndarray, label: np.ndarray, names: np.ndarray) -> None:
    labels = pd.Series(np.where(label == UNLABELLED, np.nan, label))
    first = labels.groupby(specimen).transform("first")
    differs = labels.notna() & (labels != first)
    _refuse(differs.to_numpy(), "the specimen has two labels", names)


def _value_of_each(key: np.ndarray, value: np.ndarray, problem: str, names: np.ndarray) -> np.ndarray:
    """The value of each key [K], refusing a key that has two."""
    first = np.unique(key, return_index=True)[1]
    values = value[first]
    _refuse(values[key] != value, problem, names)
    return values
