"""Splits into training, validation and test by patient, stratified by label, and scanners held out.

Patients are ordered by a hash of the seed and their id. So a split depends on neither the order of the rows, the
platform nor the version of a random generator.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from scangen_bundle.cohort.manifest import SPLITS, UNLABELLED
from scangen_bundle.errors import InputError, listed

logger = logging.getLogger(__name__)


def split_patients(manifest: pd.DataFrame, fractions: Sequence[float] = (0.6, 0.2, 0.2), seed: int = 0) -> pd.DataFrame:
    """Split into train, val and test by patient, stratified by label.

    Within each stratum every split gets its share of patients, rounded up or down, and none stays empty while there are
    patients to give. A patient's stratum is the commonest label of its specimens, on a tie the larger one; patients
    without any label are a stratum of their own.

    Args:
        manifest: the scans, as from `load_manifest`.
        fractions: shares of train, val and test; their sum is 1.
        seed: another seed gives another split.

    Returns:
        The manifest with its column `split` filled.

    Raises:
        InputError: the fractions are not three shares with the sum 1.
    """
    _check_fractions(fractions)
    shares = dict(zip(("train", "val", "test"), fractions, strict=True))
    return _assign(manifest, _allot(_strata(manifest), shares, str(seed)))


def k_fold(manifest: pd.DataFrame, folds: int, seed: int = 0, validation_fraction: float = 0.25) -> list[pd.DataFrame]:
    """Cross-validation by patient, stratified by label: each patient is tested in exactly one fold.

    Args:
        manifest: the scans, as from `load_manifest`.
        folds: number of folds, from 2 to the number of patients.
        seed: another seed gives other folds.
        validation_fraction: share of a fold's other patients that is set aside as `val`, from 0 to below 1. The model
            is chosen on these, never on the test patients.

    Returns:
        One manifest per fold with its column `split` filled. Strata as in `split_patients`; the folds' counts of a
        stratum differ by 1 at most.

    Raises:
        InputError: a number of folds or a fraction that cannot be.
    """
    strata = _strata(manifest)
    if not 2 <= folds <= len(strata):
        raise InputError("folds", f"{folds} folds of {len(strata)} patients", "give from 2 to the number of patients")
    if not 0 <= validation_fraction < 1:
        raise InputError("validation_fraction", f"{validation_fraction} is not from 0 to below 1", "give 0.25, say")
    # Dealt in turn through the strata, one after the other, so that the folds' sizes differ by 1 at most, too.
    order = sorted(strata, key=lambda patient: (strata[patient], _hash(f"{seed}:folds", patient)))
    fold_of = {patient: position % folds for position, patient in enumerate(order)}
    results = []
    for fold in range(folds):
        others = {patient: stratum for patient, stratum in strata.items() if fold_of[patient] != fold}
        shares = {"train": 1 - validation_fraction, "val": validation_fraction}
        patients = dict.fromkeys(strata, "test") | _allot(others, shares, f"{seed}:fold{fold}")
        results.append(_assign(manifest, patients))
    return results


def hold_out_scanner(manifest: pd.DataFrame, scanner: str | Sequence[str], seen_scanners_in_test: bool) -> pd.DataFrame:
    """Keep one or more scanners out of training and validation, and test on them.

    Test scans are the unseen scanners' scans of the test patients. With `seen_scanners_in_test` the test patients'
    other scans are kept as well, which agreement between scanners needs. The unseen scanners' scans of the other
    patients become `excluded`, as do all that were so before. Nothing of a test patient and nothing of an unseen
    scanner is then trained or validated on.

    Args:
        manifest: the scans, with the column `split` filled.
        scanner: the unseen scanner or scanners, as named in the manifest.
        seen_scanners_in_test: keep the test patients' scans on the other scanners as `test`.

    Returns:
        The manifest with `split` changed.

    Raises:
        InputError: a scanner is not in the manifest, or there is then nothing to train or to test on.
    """
    unseen = [scanner] if isinstance(scanner, str) else list(scanner)
    scanners = sorted(set(manifest["scanner"]))
    unknown = [name for name in unseen if name not in scanners]
    if unknown:
        raise InputError("unseen scanner", f"{unknown} is not in the manifest", f"give one or more of {scanners}")
    is_unseen = manifest["scanner"].isin(unseen)
    is_test = manifest["split"] == "test"
    excluded = (is_unseen & ~is_test) | (~is_unseen & is_test & (not seen_scanners_in_test))
    result = manifest.assign(split=manifest["split"].mask(excluded, "excluded"))
    tested = set(result.loc[result["split"] == "test", "scanner"])
    untested = [name for name in unseen if name not in tested]
    if untested:
        raise InputError(
            "unseen scanner", f"no test patient was scanned on {untested}", "take another seed or larger test fraction"
        )
    if not (result["split"] == "train").any():
        raise InputError("unseen scanner", f"without {unseen} no training scan is left", "hold fewer scanners out")
    return result


def check_splits(manifest: pd.DataFrame, unseen_scanner: str | Sequence[str] = ()) -> None:
    """Check that every scan has a split and that nothing leaks between them.

    Args:
        manifest: the scans, with the column `split` filled.
        unseen_scanner: scanners that may be neither trained nor validated on.

    Raises:
        InputError: one error with all scans that have no (known) split, whose patient or specimen is in two of train,
            val and test, or whose scanner should be unseen.
    """
    unseen = [unseen_scanner] if isinstance(unseen_scanner, str) else list(unseen_scanner)
    used = manifest[manifest["split"].isin(["train", "val", "test"])]
    problems = []
    for scan in manifest[~manifest["split"].isin(SPLITS)].itertuples():
        problems.append(f"slide {scan.slide_id}: split {scan.split!r}, expected {', '.join(SPLITS)}")
    for key in ("patient_id", "specimen_id"):
        splits = used.groupby(key)["split"].agg(lambda values: " and ".join(sorted(set(values))))
        of_scans = used[key].map(splits).astype(str)
        for slide, names in zip(used["slide_id"], of_scans, strict=True):
            if " and " in names:
                problems.append(f"slide {slide}: its {key.removesuffix('_id')} is in {names}")
    for scan in used[used["scanner"].isin(unseen) & (used["split"] != "test")].itertuples():
        problems.append(f"slide {scan.slide_id}: scanner {scan.scanner!r} should be unseen, but is in {scan.split}")
    if problems:
        raise InputError(
            "splits",
            listed(f"problems: {len(problems)}", problems),
            "give each patient one split; write 'excluded' where a scan is not to be used",
        )


def resolve_splits(
    manifest: pd.DataFrame,
    *,
    unseen_scanner: str | Sequence[str] | None = None,
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    seed: int = 0,
    fold: int | None = None,
    folds: int | None = None,
    seen_scanners_in_test: bool = True,
) -> pd.DataFrame:
    """The manifest with a checked split: its own if it has one, otherwise a new one. Configs call this.

    Args:
        manifest: the scans, as from `load_manifest`.
        unseen_scanner: scanner(s) to hold out, see `hold_out_scanner`.
        fractions: shares of train, val and test. With folds, the ratio of the first two is kept for train and val.
        seed: of a new split.
        fold: which fold of a cross-validation, from 0.
        folds: number of folds.
        seen_scanners_in_test: keep test patients' scans on the other scanners, which agreement between scanners needs.

    Returns:
        The manifest with its column `split` filled and checked.

    Raises:
        InputError: a split that leaks, is filled only in part or contradicts an option; an unknown scanner; a fold that does
            not exist.
    """
    _check_fractions(fractions)
    if (fold is None) != (folds is None):
        raise InputError("fold and folds", f"fold is {fold}, but folds is {folds}", "give both or none")
    if (manifest["split"] != "").any():
        if folds is not None:
            raise InputError("folds", "the manifest has splits of its own", "empty its column split, or drop fold(s)")
        result = manifest
    elif fold is None or folds is None:
        result = split_patients(manifest, fractions, seed)
    else:
        if not 0 <= fold < folds:
            raise InputError("fold", f"{fold} of {folds} folds", f"give from 0 to {folds - 1}")
        training = fractions[0] + fractions[1]
        result = k_fold(manifest, folds, seed, fractions[1] / training if training else 0.0)[fold]
    check_splits(result)
    unseen = [unseen_scanner] if isinstance(unseen_scanner, str) else list(unseen_scanner or [])
    if unseen:
        result = hold_out_scanner(result, unseen, seen_scanners_in_test)
        check_splits(result, unseen)
    _warn_of_absent_classes(result)
    return result


def _check_fractions(fractions: Sequence[float]) -> None:
    if len(fractions) != 3 or min(fractions) < 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
        problem = f"{list(fractions)} are not three shares (train, val, test) with the sum 1"
        raise InputError("fractions", problem, "give 0.6, 0.2, 0.2, say")


def _hash(seed: str, patient: str) -> str:
    return hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest()


def _strata(manifest: pd.DataFrame) -> dict[str, int]:
    """Patient to stratum: the commonest label of its specimens, on a tie the larger one; -1 if it has none."""
    labels: dict[str, dict[str, int]] = {}
    columns = manifest["patient_id"], manifest["specimen_id"], manifest["label"]
    for patient, specimen, label in zip(*columns, strict=True):
        of_specimens = labels.setdefault(patient, {})
        of_specimens[specimen] = max(int(label), of_specimens.get(specimen, UNLABELLED))
    strata = {}
    for patient in sorted(labels):
        counts = Counter(label for label in labels[patient].values() if label != UNLABELLED)
        strata[patient] = max(counts, key=lambda label: (counts[label], label)) if counts else UNLABELLED
    return strata


def _allot(strata: dict[str, int], fractions: dict[str, float], seed: str) -> dict[str, str]:
    """Split of each patient.

    In each stratum each split gets its share rounded down. The remaining patients go one by one to the split that has
    nothing of the stratum yet, or else to the one furthest behind its share of all patients.
    """
    patients: dict[str, str] = {}
    behind = dict.fromkeys(fractions, 0.0)
    for stratum in sorted(set(strata.values())):
        members = [patient for patient in strata if strata[patient] == stratum]
        members.sort(key=lambda patient: _hash(seed, patient))
        counts: dict[str, int] = {}
        rounded = []
        for split, fraction in fractions.items():
            share = fraction * len(members)
            counts[split] = math.floor(share + 1e-9)
            behind[split] += share - counts[split]
            if share - counts[split] > 1e-9:
                rounded.append(split)
        for _ in range(len(members) - sum(counts.values())):
            chosen = max(rounded, key=lambda split: (counts[split] == 0, behind[split]))
            rounded.remove(chosen)
            counts[chosen] += 1
            behind[chosen] -= 1
        splits: list[str] = []
        for split, count in counts.items():
            splits += [split] * count
        patients.update(zip(members, splits, strict=True))
    return patients


def _assign(manifest: pd.DataFrame, patients: dict[str, str]) -> pd.DataFrame:
    return manifest.assign(split=manifest["patient_id"].map(patients).astype(str))


def _warn_of_absent_classes(manifest: pd.DataFrame) -> None:
    classes = set(manifest["label"]) - {UNLABELLED}
    for split in ("train", "val", "test"):
        absent = sorted(classes - set(manifest.loc[manifest["split"] == split, "label"]))
        if absent:
            logger.warning("the split %s has no scan with label %s; its AUROC will be undefined", split, absent)
