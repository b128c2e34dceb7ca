"""Confounding of label and scanner: table of scanners by labels, Cramér's V, and a warning."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scangen_bundle.cohort.manifest import UNLABELLED

logger = logging.getLogger(__name__)

# With two scanners and two labels in equal numbers, knowing the scanner alone gives an AUROC of (1 + V) / 2. At 0.2
# that is 0.60, more than the differences between methods that one compares on such cohorts (a few hundredths).
WARN_ABOVE = 0.2


@dataclass(frozen=True)
class ConfoundingReport:
    """Association of label and scanner in a cohort.

    Attributes:
        table: specimens per scanner (rows) and label (columns); a specimen counts once per scanner.
        cramers_v: Cramér's V of the table, 0 to 1; NaN when there is one scanner or one label only.
        cramers_v_corrected: the same with Bergsma's bias correction.
        p_value: chi-square test of independence, without continuity correction. It takes the specimens of the table as
            independent, so with several specimens of a patient or scans of a specimen it is a guide only.
        paired: specimens that both scanners of a pair digitised, labelled or not (symmetric); on the diagonal, all
            specimens of the scanner. ScanGen learns from the pairs.
        one_class_scanners: scanners with specimens of one label only; their AUROC is undefined.
    """

    table: pd.DataFrame
    cramers_v: float
    cramers_v_corrected: float
    p_value: float
    paired: pd.DataFrame
    one_class_scanners: tuple[str, ...]


def scanner_label_table(manifest: pd.DataFrame) -> pd.DataFrame:
    """Number of labelled specimens per scanner (rows) and label (columns); rescans on the same scanner count once."""
    labelled = manifest[manifest["label"] != UNLABELLED].drop_duplicates(["specimen_id", "scanner"])
    table = pd.crosstab(labelled["scanner"], labelled["label"])
    return table.reindex(sorted(set(manifest["scanner"])), fill_value=0)


def paired_specimens(manifest: pd.DataFrame) -> pd.DataFrame:
    """Number of specimens that both scanners of a pair digitised [scanners, scanners]; per scanner on the diagonal."""
    digitised = pd.crosstab(manifest["specimen_id"], manifest["scanner"]).clip(upper=1)
    paired = digitised.T @ digitised
    return paired.rename_axis(index="scanner", columns="scanner")


def chi_square(table: np.ndarray) -> tuple[float, float, int]:
    """Pearson's chi-square statistic, its p-value and its degrees of freedom, over the rows and columns that are not all zero.

    Args:
        table: counts [R, C].

    Returns:
        Without degrees of freedom (fewer than two rows or columns) the statistic is 0 and the p-value NaN.
    """
    from scipy.stats import chi2_contingency

    counts = _filled(table)
    if min(counts.shape) < 2:
        return 0.0, math.nan, 0
    result = chi2_contingency(counts, correction=False)
    return float(result.statistic), float(result.pvalue), int(result.dof)


def cramers_v(table: np.ndarray, *, corrected: bool = False) -> float:
    """Cramér's V of a contingency table: 0 for independence, 1 where one variable determines the other.

    V = sqrt(phi2 / (min(R, C) - 1)) with phi2 = chi2 / n (H. Cramér, Mathematical Methods of Statistics, 1946). In
    small samples V is above 0 under independence, too. The corrected V takes phi2 - (R - 1)(C - 1) / (n - 1), at least
    0, and R - (R - 1)^2 / (n - 1) for R, and so for C (W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's
    T", Journal of the Korean Statistical Society 42, 2013, 323-328).

    Args:
        table: counts [R, C]; rows and columns of zeros are left out.
        corrected: apply the bias correction.

    Returns:
        A value from 0 to 1, or NaN where it is undefined: fewer than two rows or columns, or too few counts to correct.
    """
    statistic, _, freedom = chi_square(table)
    counts = _filled(table)
    if not freedom:
        return math.nan
    total = counts.sum()
    rows, columns = map(float, counts.shape)
    phi2 = statistic / total
    if corrected:
        phi2 = max(0.0, phi2 - freedom / (total - 1))
        rows -= (rows - 1) ** 2 / (total - 1)
        columns -= (columns - 1) ** 2 / (total - 1)
    room = min(rows, columns) - 1
    return math.sqrt(min(phi2 / room, 1.0)) if room > 1e-12 else math.nan


def confounding_report(manifest: pd.DataFrame, warn_above: float = WARN_ABOVE) -> ConfoundingReport:
    """Measure the association of label and scanner, and log a warning where a network could take one for the other.

    The warning goes by the corrected V, because the plain one is above 0.2 by chance in small cohorts.

    Args:
        manifest: the scans, as from `load_manifest`.
        warn_above: corrected V above which to warn.
    """
    table = scanner_label_table(manifest)
    counts = table.to_numpy()
    classes = (table > 0).sum(axis=1)
    report = ConfoundingReport(
        table=table,
        cramers_v=cramers_v(counts),
        cramers_v_corrected=cramers_v(counts, corrected=True),
        p_value=chi_square(counts)[1],
        paired=paired_specimens(manifest),
        one_class_scanners=tuple(table.index[classes == 1]) if table.shape[1] > 1 else (),
    )
    if report.cramers_v_corrected > warn_above:
        logger.warning(
            "scanner and label are confounded: bias-corrected Cramér's V %.2f is above %.2f (plain %.2f, p = %.2g), so "
            "a network can partly read the label from the scanner. Specimens per scanner and label:\n%s",
            report.cramers_v_corrected,
            warn_above,
            report.cramers_v,
            report.p_value,
            table.to_string(),
        )
    if report.one_class_scanners:
        logger.warning(
            "scanners with one label only, whose AUROC is undefined: %s", ", ".join(report.one_class_scanners)
        )
    return report


def _filled(table: np.ndarray) -> np.ndarray:
    counts = np.asarray(table, dtype=np.float64)
    return counts[counts.any(axis=1)][:, counts.any(axis=0)]
