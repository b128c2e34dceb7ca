"""From a leaderboard to a decision: one sentence of advice with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scangen_bundle.studies.table import Difference, Row

BASELINE = "plain"
FLIPS, AUROC_MEAN, AUROC_UNSEEN = "flip_rate", "auroc/mean", "auroc/mean_unseen"
ACCEPTED_LOSS = 0.01  # of AUROC: the lower end of the interval of the difference may be so far below 0


@dataclass(frozen=True)
class Advice:
    """What to do, and why.

    Attributes:
        method: to train with.
        sentence: for a reader.
    """

    method: str
    sentence: str


def advise(rows: Sequence[Row], needs: Mapping[str, str]) -> Advice:
    """The method with the fewest flips of those that cost no accuracy, if its flips are clearly fewer than plain training's.

    Args:
        rows: of one scheme; ensembles take no part, since they are not one network.
        needs: by method what it cannot do without, in words; "" or missing: nothing.
    """
    auroc = AUROC_UNSEEN if any(AUROC_UNSEEN in row.estimates for row in rows) else AUROC_MEAN
    single = [row for row in rows if not row.is_ensemble]
    better = [row for row in single if _is_better(row, auroc)]
    if not any(row.method == BASELINE for row in single):
        return Advice(
            "", f"No advice: {BASELINE} training, which the others are compared with, is not among the methods."
        )
    if not better:
        return Advice(BASELINE, f"Keep {BASELINE} training: {_why_nothing(single, auroc)}.")
    best = min(better, key=lambda row: row.estimates[FLIPS].value)
    equal = [row.method for row in better if row is not best and not _clearly_more_flips(row, best)]
    return Advice(best.method, _sentence(best, equal, auroc, needs))


def _is_better(row: Row, auroc: str) -> bool:
    """Clearly fewer flips than the baseline, and no AUROC that may be lower by more than is accepted."""
    against = row.against.get(BASELINE, {})
    if FLIPS not in against or auroc not in against:
        return False
    flips, accuracy = against[FLIPS], against[auroc]
    fewer = flips.is_clear and flips.comparison.difference.value < 0
    return fewer and accuracy.comparison.difference.low > -ACCEPTED_LOSS


def _clearly_more_flips(row: Row, best: Row) -> bool:
    """Whether the interval of the row's flips lies above that of the best row's value."""
    return row.estimates[FLIPS].low > best.estimates[FLIPS].value


def _why_nothing(rows: Sequence[Row], auroc: str) -> str:
    against = [row.against[BASELINE] for row in rows if FLIPS in row.against.get(BASELINE, {})]
    if not against:
        return "no other method was trained"
    fewer = [found for found in against if found[FLIPS].is_clear and found[FLIPS].comparison.difference.value < 0]
    if not fewer:
        return "no method tried here has clearly fewer specimens that change class between scanners"
    return f"the methods with fewer flips may cost more than {ACCEPTED_LOSS:g} of {_auroc_words(auroc)}"


def _sentence(best: Row, equal: Sequence[str], auroc: str, needs: Mapping[str, str]) -> str:
    flips, accuracy = best.against[BASELINE][FLIPS], best.against[BASELINE][auroc]
    before, after = flips.comparison.first, flips.comparison.second
    words = [
        f"Train with {best.method}: {after:.0%} of the specimens change class between scanners, {before:.0%} with {BASELINE} "
        f"training ({_range(flips)}), and {_auroc_words(auroc)} is {_accuracy_words(accuracy)}"
    ]
    if equal:
        words.append(f"not told apart from it: {', '.join(equal)}")
    if needs.get(best.method):
        words.append(f"it needs {needs[best.method]}")
    return "; ".join(words) + "."


def _accuracy_words(accuracy: Difference) -> str:
    value = accuracy.comparison.difference.value
    if not accuracy.is_clear:
        return f"not told apart ({_range(accuracy)})"
    return f"{'higher' if value > 0 else 'lower'} by {abs(value):.3f} ({_range(accuracy)})"


def _range(difference: Difference) -> str:
    found = difference.comparison.difference
    return f"difference {found.value:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f}"


def _auroc_words(key: str) -> str:
    return "AUROC on scanners never seen" if key == AUROC_UNSEEN else "mean AUROC"
