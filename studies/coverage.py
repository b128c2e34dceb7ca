"""Do the statements that come with each result hold on patients and scanners that the packed model did not see?

python -m studies.coverage --dataset_dir data/phantom                  # patients drawn at feature level
python -m studies.coverage --dataset_dir data/phantom --specimens 0    # the pixel phantom's own bags

For each fold and each scanner left out, a network is trained on the other scanners, its site reference is built on the
validation patients' scans of those scanners, and every scan of the test patients gets its statement as the served model and the
deploy app make it. Test patients are in no other part. The scans of the scanner left out come once more with three times that
scanner's effect on features: a scanner that no training scanner is like.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from sklearn.metrics import brier_score_loss
from tqdm import tqdm

from scangen_bundle.bags import open_bag
from scangen_bundle.cohort import load_manifest
from scangen_bundle.data import collate_bags
from scangen_bundle.errors import report_input_errors
from scangen_bundle.measures import auroc, youden_threshold
from scangen_bundle.methods import create_method
from scangen_bundle.share.export import SlideClassifier
from scangen_bundle.share.flips import count_flips
from scangen_bundle.share.reference import SiteReference, Validation, build_reference
from scangen_bundle.share.statement import state
from studies.bare_training import Setting, as_items, choose_rows, number_ids, train
from studies.feature_cohort import draw_cohort, fit_scanner_model

CLASSES = ("negative", "positive")
RESAMPLES = 2000
STATED_FLIPS = ("stated_flips", "stated_low", "stated_high")
STRONG, MARK = 3.0, " x 3"
_WORK: dict[str, Any] = {}


def outputs(network: Any, scans: pd.DataFrame, features: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [N, 2] and embeddings [N, E]."""
    batch = collate_bags(as_items(scans, features, number_ids(scans)))
    with torch.no_grad():
        probability, _, embedding = SlideClassifier(network.eval()).explain(batch["image"], batch["mask"])
    return probability.numpy().astype(np.float64), embedding.numpy()


def measure(setting: Setting) -> pd.DataFrame:
    """One row per test scan: what was stated of it, and what is true."""
    manifest, features, strong, config, level = (
        _WORK[name] for name in ("manifest", "features", "strong", "config", "level")
    )
    rows, val, test = choose_rows(manifest, setting, config["folds"])
    network, _ = train(setting, rows, val, features, config)
    probability, embedding = outputs(network, val, features)
    columns = {name: val[f"{name}_id"].to_numpy(str) for name in ("patient", "specimen")}
    scanner, label = val["scanner"].to_numpy(str), val["label"].to_numpy()
    validation = Validation(probability, label, scanner=scanner, identified=scanner, embedding=embedding, **columns)
    threshold = youden_threshold(label, probability[:, 1])
    reference = build_reference(validation, CLASSES, threshold if math.isfinite(threshold) else 0.5, level)
    unseen = test[~test["scanner"].isin(val["scanner"])]
    tables = [statements(network, test, features, reference)]
    if strong is not None:
        tables.append(statements(network, unseen, strong, reference))
        tables[1]["scanner"] += MARK
    return add_flips(pd.concat(tables, ignore_index=True))


def statements(
    network: Any, scans: pd.DataFrame, features: Mapping[str, np.ndarray], reference: SiteReference
) -> pd.DataFrame:
    """A row per scan."""
    table = []
    for scan, p, vector in zip(scans.itertuples(), *outputs(network, scans, features), strict=True):
        told = state(p, vector, str(scan.scanner), reference)
        chosen, flips = told["prediction_set"]["classes"], told["expected_flip_rate"]
        table.append(
            {
                "patient": scan.patient_id,
                "specimen": scan.specimen_id,
                "scanner": scan.scanner,
                "known": told["scanner"]["known_to_training"],
                "label": scan.label,
                "p": p[1],
                "calibrated": told["calibrated_probability"][CLASSES[1]],
                "covered": CLASSES[int(scan.label)] in chosen,
                "size": len(chosen),
                "far": told["novelty"]["far_from_training"],
                **dict(zip(STATED_FLIPS, (flips["value"], *flips["interval"]), strict=True)),
                "decision": CLASSES.index(told["predicted_class"]),
                "calibration_patients": told["prediction_set"]["patients"],
            }
        )
    return pd.DataFrame(table)


def add_flips(table: pd.DataFrame) -> pd.DataFrame:
    """Flips and pairs of each scanner's scans with those of known scanners, put on the scanner's first row."""
    table[["flips", "pairs"]] = 0
    for name, own in table.groupby("scanner"):
        chosen = table[table["known"] | (table["scanner"] == name)]
        values = (chosen[column].to_numpy() for column in ("decision", "patient", "specimen", "scanner"))
        found = count_flips(*values, str(name))
        table.loc[own.index[0], ["flips", "pairs"]] = found.flips, found.pairs
    return table


def _prepare(work: Mapping[str, Any]) -> None:
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    _WORK.update(work)


def interval(table: pd.DataFrame, column: str) -> tuple[float, float]:
    """95 % interval of the mean of a column, patients resampled."""
    groups = table.groupby("patient")[column]
    sums, counts = groups.sum().to_numpy(float), groups.count().to_numpy(float)
    draws = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    low, high = np.quantile(sums[draws].sum(1) / counts[draws].sum(1), [0.025, 0.975])
    return float(low), float(high)


def figures(name: str, table: pd.DataFrame) -> str:
    """A row of the report."""
    low, high = interval(table, "covered")
    stated, flips_low, flips_high = table.groupby("scanner")[list(STATED_FLIPS)].mean().mean()
    return (
        f"| {name} | {table['patient'].nunique()} | {auroc(table['label'].to_numpy(), table['p'].to_numpy()):.3f} "
        f"| {table['covered'].mean():.3f} [{low:.3f}, {high:.3f}] | {(table['size'] == 1).mean():.2f} "
        f"| {table['far'].mean():.3f} | {stated:.3f} [{flips_low:.3f}, {flips_high:.3f}] "
        f"| {table['flips'].sum() / max(1, table['pairs'].sum()):.3f} "
        f"| {brier_score_loss(table['label'], table['p']):.3f} "
        f"| {brier_score_loss(table['label'], table['calibrated']):.3f} |"
    )


def report(table: pd.DataFrame, level: float) -> Iterator[str]:
    """The table in Markdown."""
    patients = table[table["known"]]["calibration_patients"]
    expected = [math.ceil((n + 1) * level - 1e-9) / (n + 1) if (n + 1) * level <= n else 1.0 for n in patients]
    yield f"Level {level:g}; {patients.min()} to {patients.max()} calibration patients per scanner, so that the coverage"
    yield f"expected on a known scanner is {np.mean(expected):.3f}."
    yield ""
    heads = ("scans", "patients", "AUROC", "coverage [95 % interval]", "one class in the set", "called far")
    heads += ("flip rate stated [its interval]", "found", "Brier", "Brier, calibrated")
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    yield figures("known scanners", table[table["known"]])
    unseen = table[~table["known"]]
    stronger = unseen["scanner"].str.endswith(MARK)
    yield figures("unseen scanner", unseen[~stronger])
    if stronger.any():
        yield figures(f"unseen scanner, effect{MARK}", unseen[stronger])
        yield figures("the same without those called far", unseen[stronger & ~unseen["far"]])
    for name, own in unseen.groupby("scanner"):
        yield figures(f"unseen: {name}", own)


def draw(phantom: pd.DataFrame, config: Mapping[str, Any], specimens: int, seed: int) -> dict[str, Any]:
    """A cohort at feature level, and its features with every scanner's effect `STRONG` times as large."""
    model = fit_scanner_model(phantom, config["components"])
    unit = np.eye(config["components"])
    stronger = replace(model, maps=unit + STRONG * (model.maps - unit), shifts=STRONG * model.shifts)
    size = specimens, config["tiles"], config["effect"], seed
    manifest, features = draw_cohort(model, *size)
    _, strong = draw_cohort(stronger, *size)  # the same tissue, the same noise
    return {"manifest": manifest, "features": features, "strong": strong}


def own_bags(phantom: pd.DataFrame) -> dict[str, Any]:
    """The cohort itself."""
    features = {row.slide_id: open_bag(row.features_path).rows() for row in phantom.itertuples()}
    return {"manifest": phantom, "features": features, "strong": None}


def run(work: Mapping[str, Any], workers: int) -> pd.DataFrame:
    """All folds, each with each scanner left out."""
    count, folds = work["manifest"]["scanner"].nunique(), range(work["config"]["folds"])
    settings = [Setting(count - 1, left, fold, 0, *work["scangen"]) for left in range(count) for fold in folds]
    with get_context("fork").Pool(workers, _prepare, (work,)) as pool:
        tables = tqdm(pool.imap(measure, settings), total=len(settings), desc="scanner left out, fold", unit="training")
        return pd.concat(tables, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/studies/coverage.yaml"))
    parser.add_argument("--dataset_dir", type=Path, default=Path("data/phantom"), help="a phantom cohort with its bags")
    parser.add_argument("--encoder_name", default="efficientnet-lite0")
    parser.add_argument("--specimens", type=int, default=300, help="drawn at feature level, one a patient; 0: the bags")
    parser.add_argument("--level", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=1, help="of the cohort; the evidence's own is 0")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    report_input_errors()
    config = yaml.safe_load(options.config.read_text())
    phantom = load_manifest(options.dataset_dir / "manifest.csv", classes=2)
    folder = options.dataset_dir / "features" / options.encoder_name
    phantom["features_path"] = [str(folder / f"{name}.h5") for name in phantom["slide_id"]]
    cohort = (
        draw(phantom, config["cohort"], options.specimens, options.seed) if options.specimens else own_bags(phantom)
    )
    shipped = create_method("scangen")
    scangen = shipped.weight, shipped.loss.alpha
    table = run({**cohort, "config": config["training"], "scangen": scangen, "level": options.level}, options.workers)
    print(*report(table, options.level), sep="\n")


if __name__ == "__main__":
    main()
