"""ComBat beside neuroCombat, the field's own implementation."""

import numpy as np
import pandas as pd
import pytest
import torch
from neuroCombat import neuroCombat

from scangen_bundle.methods import create_method, fit_method, scanner_keys
from scangen_bundle.methods.combat import fit_combat
from scangen_bundle.networks import MaskedMILModel

from .scans import make_scan

FEATURES = 30


def draw(seed=0, confounded=False):
    """Tiles [n, D] with scanner and label; the label has an effect, and scanners have location and scale."""
    rng = np.random.default_rng(seed)
    scanner = np.repeat([0, 1, 2], 60)
    share = np.array([0.2, 0.5, 0.8])[scanner] if confounded else 0.5
    label = (rng.random(180) < share).astype(int)
    shift, scale = rng.normal(size=(3, FEATURES)), rng.uniform(0.5, 2, (3, FEATURES))
    effect = rng.normal(size=FEATURES)
    rows = rng.normal(size=(180, FEATURES)) * scale[scanner] + shift[scanner] + label[:, None] * effect
    return rows, scanner, label


def reference(rows, scanner, label=None):
    covariates = pd.DataFrame({"scanner": scanner})
    if label is not None:
        covariates["label"] = label
    named = {} if label is None else {"categorical_cols": ["label"]}
    return neuroCombat(dat=rows.T, covars=covariates, batch_col="scanner", **named)


def fitted(rows, scanner, label, **options):
    method = create_method("combat", {"combat": {"fewest_patients": 1, **options}})
    MaskedMILModel(2, FEATURES, method=method)
    names = np.array(["a", "b", "c"])[scanner]
    fit_method(method, [make_scan(rows[[i]], names[i], f"p{i}", label=int(label[i])) for i in range(len(rows))])
    return method, names


def test_without_a_covariate_tiles_come_out_as_neurocombats():
    rows, scanner, label = draw()
    method, names = fitted(rows, scanner, label, keep_label=False)
    expected = reference(rows, scanner)["data"].T
    given = torch.tensor(rows, dtype=torch.float32)[:, None]
    result = method.transform(given, None, scanner_keys(list(names)))[:, 0]
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("confounded", [False, True])
def test_with_the_label_location_and_scale_are_neurocombats(confounded):
    rows, scanner, label = draw(confounded=confounded)
    estimates = reference(rows, scanner, label)["estimates"]
    _, sigma, gamma, delta = fit_combat(*(torch.tensor(values) for values in (rows, scanner, label)))
    np.testing.assert_allclose(sigma.numpy() ** 2, estimates["var.pooled"][:, 0], rtol=1e-6)
    np.testing.assert_allclose(gamma.numpy(), estimates["gamma.star"], atol=1e-4)
    np.testing.assert_allclose(delta.numpy() ** 2, estimates["delta.star"], rtol=1e-3)


def test_where_a_scanner_has_more_positive_patients_the_covariate_keeps_their_difference():
    rows, scanner, label = draw(confounded=True)
    means = {}
    for keep in (True, False):
        method, names = fitted(rows, scanner, label, keep_label=keep)
        result = method.transform(torch.tensor(rows, dtype=torch.float32)[:, None], None, scanner_keys(list(names)))
        result = result[:, 0].numpy()
        means[keep] = np.abs(result[label == 1].mean(0) - result[label == 0].mean(0)).mean()
    assert means[True] > 1.1 * means[False]


def test_a_new_scanner_is_taken_in_without_labels():
    rows, scanner, label = draw()
    method, _ = fitted(rows[scanner < 2], scanner[scanner < 2], label[scanner < 2])
    new = rows[scanner == 2]
    method.adapt([make_scan(new[[i]], "new", f"n{i}", label=-1) for i in range(len(new))])
    result = method.transform(torch.tensor(new, dtype=torch.float32)[None], None, scanner_keys(["new"]))[0].numpy()
    np.testing.assert_allclose(result.mean(0), method.mean.numpy(), atol=0.05)
