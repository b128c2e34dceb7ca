"""Every figure of the benchmark: what it is called, which way is better, and what its baseline is."""

from __future__ import annotations

from typing import NamedTuple

from scangen_bundle.measures.paired_features import RETRIEVAL_KS


class Measure(NamedTuple):
    """One figure.

    Attributes:
        title: for tables.
        better: `high`, `low`, or "" where it is neither by itself.
        baseline: what the number beside it is.
        help: one sentence.
    """

    title: str
    better: str
    baseline: str
    help: str


COLOUR = "colour-statistics"  # the encoder whose scanner probes stand beside all others': what colour alone tells
SHUFFLED = "places of each scanner shuffled"

MEASURES: dict[str, Measure] = {
    "cosine/same_tissue": Measure(
        "cosine, same tissue", "", "different tissue on one scanner", "Cosine of the same place on two scanners."
    ),
    "cosine/gap": Measure(
        "cosine gap", "high", "0", "Cosine of the same tissue on two scanners minus that of different tissue on one."
    ),
    **{
        f"retrieval/top{k}": Measure(
            f"top-{k} retrieval",
            "high",
            "chance, k / (2 P - 1)",
            f"How often the same place of another scanner is among the {k} nearest of all places of both.",
        )
        for k in RETRIEVAL_KS
    },
    "cka": Measure("CKA", "high", SHUFFLED, "Linear centred kernel alignment of two scanners."),
    "variance/tissue": Measure("variance: tissue", "high", SHUFFLED, "Share of the variance that is the place."),
    "variance/scanner": Measure(
        "variance: scanner", "low", "scanners of each place shuffled", "Share of the variance that is the scanner."
    ),
    "variance/interaction": Measure(
        "variance: interaction", "low", SHUFFLED, "Share that is place by scanner, and noise."
    ),
    "shift/offset": Measure(
        "shift: offset",
        "",
        SHUFFLED,
        "Share of the scanner shift that one constant vector explains; below 0: does harm.",
    ),
    "shift/affine": Measure("shift: affine", "", SHUFFLED, "Share that an affine map explains beyond the offset."),
    "shift/neither": Measure(
        "shift: neither", "low", SHUFFLED, "Share that neither explains, on patients the fit did not see."
    ),
    "scanner_probe/linear": Measure(
        "scanner probe, linear", "low", "chance, 1 / scanners", "Balanced accuracy of telling the scanner of a tile."
    ),
    "scanner_probe/knn": Measure(
        "scanner probe, kNN", "low", "chance, 1 / scanners", "The same by the nearest tiles of other patients."
    ),
    "silhouette/scanner": Measure("silhouette by scanner", "low", "0", "Do tiles of one scanner keep together?"),
    "silhouette/tissue": Measure("silhouette by specimen", "high", "0", "Do tiles of one specimen keep together?"),
    "label_probe/linear": Measure(
        "label probe, linear", "high", "chance, 1 / classes", "Balanced accuracy of telling the label of a scan."
    ),
    "robustness_index": Measure(
        "robustness index",
        "high",
        "neighbours drawn at random",
        "Of neighbours that share label or scanner but not both, the share that shares the label (PathoROB).",
    ),
    "generalisation_index": Measure(
        "generalisation index",
        "high",
        "neighbours drawn at random",
        "How right other scanners' neighbours are, relative to the own scanner's (PathoROB).",
    ),
    "clustering_score": Measure(
        "clustering score", "high", "0", "Rand index of clusters with the label minus that with the scanner (PathoROB)."
    ),
    "performance_drop/id": Measure(
        "performance drop, same scanners",
        "high",
        "0",
        "Accuracy that a probe loses when label and scanner are correlated in training, relative (PathoROB).",
    ),
    "performance_drop/ood": Measure(
        "performance drop, other scanners", "high", "0", "The same on scanners that the probe was not trained on."
    ),
    "downstream/auroc_mean": Measure(
        "AUROC, mean", "high", "chance", "Of a MIL head on patients it was not trained on, mean over scanners."
    ),
    "downstream/auroc_worst": Measure("AUROC, worst", "high", "chance on one scanner", "On the worst scanner."),
    "downstream/cov": Measure(
        "CoV", "low", "scans of different tissue", "Sd over mean of a specimen's probabilities over its scanners."
    ),
    "downstream/flip_rate": Measure(
        "flip rate", "low", "scans of different tissue", "Specimens whose class changes with the scanner, at 0.5."
    ),
    "downstream/calibration_drift": Measure(
        "calibration drift",
        "low",
        "scanners that do not differ",
        "Range over scanners of mean probability minus share of the class.",
    ),
}

# Figures of single scanners.
OF_SCANNER: dict[str, Measure] = {
    "downstream/auroc": Measure("AUROC of the MIL head", "high", "chance", "On patients it was not trained on."),
    "downstream/calibration_gap": Measure(
        "calibration gap", "", "0", "Mean probability minus share of the class: above 0 the head says too much here."
    ),
    "scanner_probe/linear": Measure(
        "scanner probe, linear: recall", "low", "chance", "Share of a scanner's tiles that the probe tells to be of it."
    ),
    "scanner_probe/knn": Measure("scanner probe, kNN: recall", "low", "chance", "The same by the nearest tiles."),
}

CHANCE = "chance: other tissue's cosine, k / (2 P - 1)"

# Medians over the pairs of slides of a registered set of several stains, as plism-benchmark groups them.
OF_STAINS: dict[str, Measure] = {
    "stain_pairs/leaderboard": Measure(
        "PLISM number",
        "high",
        CHANCE,
        "Mean of the four medians beside it, the number of plism-benchmark's leaderboard.",
    ),
    "stain_pairs/cosine_all": Measure(
        "cosine, all pairs", "", "different tissue on one slide", "Median over all pairs."
    ),
    "stain_pairs/top10_inter_scanner": Measure(
        "top-10, other scanner", "high", "k / (2 P - 1)", "Median over pairs of one stain."
    ),
    "stain_pairs/top10_inter_staining": Measure(
        "top-10, other stain", "high", "k / (2 P - 1)", "Median over pairs of one scanner."
    ),
    "stain_pairs/top10_both": Measure(
        "top-10, both differ", "high", "k / (2 P - 1)", "Median over pairs that share neither."
    ),
}
KNOWN = {**MEASURES, **OF_STAINS}
