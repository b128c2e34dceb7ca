"""What the columns of a study's tables are called and mean: the words of the registered measures, and of their scopes."""

from __future__ import annotations

from dataclasses import dataclass

from scangen_bundle.measures.measure import ARROWS, Better
from scangen_bundle.measures.prediction_measure import find_measure
from scangen_bundle.studies.figures import FAR_PREFIX, HALF_SUFFIX, OF_CLASS

# In the order of the tables; a column without a value in a scheme is left out.
HEADLINE = (
    "flip_rate",
    "unseen_disagreement/mean",
    "auroc/mean",
    "auroc/worst",
    "auroc/mean_unseen",
    "logit_icc",
    "logit_sd_ratio",
    "flip_rate_at_half",
    "far_auroc/mean",
    "far_unseen_disagreement/mean",
    "brier/mean",
    "nll/mean",
    "cov",
)
SCOPES = {
    "mean": "mean over scanners",
    "worst": "worst scanner",
    "range": "range over scanners",
    "mean_seen": "scanners trained on",
    "mean_unseen": "scanners never seen",
}
NOT_TO_CHOOSE_BY = "cov"  # shown since papers report it; it falls where all logits are divided by a number


@dataclass(frozen=True)
class Words:
    """Of one column.

    Attributes:
        title: short name.
        better: the good direction.
        help: one sentence.
    """

    title: str
    better: Better
    help: str

    @property
    def heading(self) -> str:
        """The title with an arrow in the good direction."""
        return self.title + ARROWS[self.better]


def words_of(key: str) -> Words:
    """Of a key such as `auroc/mean_unseen`, `far_auroc/mean` or `flip_rate_at_half`."""
    name, _, scope = key.partition("/")
    is_far = name.startswith(FAR_PREFIX)
    at_half = name.endswith(HALF_SUFFIX)
    measure = find_measure(name.removeprefix(FAR_PREFIX).removesuffix(HALF_SUFFIX))
    title, text = measure.title, measure.help
    if at_half:
        title, text = f"{title} at 0.5", f"{text}; at the threshold 0.5"
    elif measure.key in OF_CLASS:
        text = f"{text}; at the threshold that validation chose"
    if is_far:
        title, text = f"{title}, far scanners", f"{text}; on scanners that no training had"
    elif scope and (name, scope) != ("unseen_disagreement", "mean"):
        title = f"{title}, {SCOPES.get(scope, scope)}"
    if measure.key == NOT_TO_CHOOSE_BY:
        text = f"{text}; depends on the scale of the scores and the base rate, so nothing is chosen by it"
    return Words(title, measure.better, text)
