"""Label probe: is the label told from the mean vector of a scan, of patients that the probe did not see?"""

from __future__ import annotations

from scangen_bundle.measures.feature_measure import CHANCE, UNPAIRED, FeatureMeasure, Measured, feature_measure
from scangen_bundle.measures.feature_views import FeatureViews
from scangen_bundle.measures.mean_of_ratios import balanced_accuracy
from scangen_bundle.measures.measure import UndefinedMeasure
from scangen_bundle.measures.probes import linear_probe

KEY = "label_probe/linear"
FOLDS = 5


@feature_measure(
    FeatureMeasure(
        KEY,
        "label probe, linear",
        "higher",
        "Balanced accuracy of telling the label of a scan.",
        baseline=CHANCE,
        group=UNPAIRED,
        position=40,
        scatter="task",
    )
)
def label_probe(features: FeatureViews) -> Measured:
    scans = features.scans.labelled()
    label, per_class = scans.class_codes(), scans.patients_per_class()
    try:
        guess = linear_probe(scans.values, label, scans.patient, min(FOLDS, *per_class), features.seed)
    except ValueError as error:  # folds of whole patients can leave a training part without a class
        raise UndefinedMeasure(f"{min(per_class)} patients of a class are too few for folds") from error
    statistic = balanced_accuracy(KEY, label, guess, scans.patient, scans.patients)
    return Measured([statistic], scans.patients, rows=len(scans), baselines={KEY: 1 / len(per_class)})
