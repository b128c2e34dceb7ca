"""MMD beside a loop over pairs of rows."""

from itertools import combinations

import numpy as np
import pytest
import torch

from scangen_bundle.methods import create_method
from scangen_bundle.methods.mmd import WIDTHS


def kernel(one, other, scale):
    return np.mean([np.exp(-((one - other) ** 2).sum() / (width * scale)) for width in WIDTHS])


def test_the_term_is_the_mean_squared_mmd_of_pairs_of_scanners():
    rng = np.random.default_rng(0)
    rows, scanner = rng.normal(size=(7, 3)), np.array([0, 0, 2, 2, 2, 5, 5])
    squared = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    scale = squared.mean()
    values = []
    for first, second in combinations((0, 2, 5), 2):
        a, b = rows[scanner == first], rows[scanner == second]
        within = np.mean([kernel(x, y, scale) for x in a for y in a]) + np.mean(
            [kernel(x, y, scale) for x in b for y in b]
        )
        values.append(within - 2 * np.mean([kernel(x, y, scale) for x in a for y in b]))
    term = create_method("mmd").terms(torch.tensor(rows), None, {"scanner": torch.tensor(scanner)})["mmd"]
    assert float(term) == pytest.approx(np.mean(values), abs=1e-9)


def test_scanners_that_are_alike_have_none_and_one_scanner_has_zero():
    rows = torch.randn(4, 3)
    twice = {"scanner": torch.tensor([0] * 4 + [1] * 4)}
    assert float(create_method("mmd").terms(torch.cat([rows, rows]), None, twice)["mmd"]) == pytest.approx(0, abs=1e-6)
    assert float(create_method("mmd").terms(rows, None, {"scanner": torch.zeros(4)})["mmd"]) == 0
