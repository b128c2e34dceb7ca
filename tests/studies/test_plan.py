from __future__ import annotations

import json
import re

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.studies.plan import Cell, Plan, Scheme, Split, grid_strengths, read_schemes

SCANNERS = ("ga", "gb", "gc")


def plan(**changes):
    schemes = (Scheme("all"), Scheme("one out", (("ga",), ("gb",))))
    return Plan(**{"methods": ("plain", "scangen"), "schemes": schemes, "folds": 2, "seeds": (0, 1), **changes})


def test_cells_are_methods_by_splits_by_seeds():
    cells = [*plan().first_cells(), *plan().later_cells({(m, s): () for m in plan().methods for s in plan().splits()})]
    assert len(cells) == len(set(cells)) == 2 * (1 + 2) * 2 * 2 == plan().size()
    assert {(cell.method, cell.split, cell.seed) for cell in cells} == {
        (method, Split(scheme, held, fold), seed)
        for method in ("plain", "scangen")
        for scheme, held in (("all", ()), ("one out", ("ga",)), ("one out", ("gb",)))
        for fold in (0, 1)
        for seed in (0, 1)
    }


def test_strengths_are_tried_with_the_first_seed_and_the_chosen_one_goes_on():
    grid = grid_strengths({"scangen": [{"weight": 1}, {"weight": 10}, {"weight": 1, "alpha": 0.2}], "plain": []})
    assert len(grid) == 3
    study = plan(grids={"scangen": grid})
    first = study.first_cells()
    assert sum(cell.method == "scangen" for cell in first) == 3 * sum(cell.method == "plain" for cell in first)
    split = next(study.splits())
    later = study.later_cells({("scangen", split): grid[2]})
    assert [(cell.seed, cell.strength) for cell in later] == [(1, grid[2])]
    assert later[0].options == {"scangen": {"alpha": 0.2, "weight": 1}}


def test_a_method_that_is_left_out_of_a_scheme_takes_part_in_the_others():
    study = plan(left_out={("scangen", "all"): "no pairs"})
    methods = {
        scheme.name: {cell.method for cell in study.first_cells() if cell.split.scheme == scheme.name}
        for scheme in study.schemes
    }
    assert methods == {"all": {"plain"}, "one out": {"plain", "scangen"}}


def test_a_fixed_split_has_one_cell_for_each_method_and_seed():
    study = plan(folds=0, schemes=(Scheme("all"),))
    assert [split.fold for split in study.splits()] == [-1]


def test_keys_tell_cells_apart_and_are_safe_and_stable():
    cells = [
        Cell("standardise+scangen", Split("each, Left out", ("AT2 / Ünï",), 3), 1, (("scangen", "weight", 10.0),)),
        Cell("standardise+scangen", Split("each, Left out", ("AT2 / Unï",), 3), 1, (("scangen", "weight", 10.0),)),
        Cell("standardise+scangen", Split("each, Left out", ("AT2 / Ünï",), 3), 1),
        Cell("x" * 300, Split("y" * 300), 0),
    ]
    assert len({cell.key for cell in cells}) == 4
    assert all(re.fullmatch(r"[a-z0-9+.-]{1,100}", cell.key) for cell in cells)
    assert Cell("plain", Split("all", ("ga",), 0), 0).key == "plain-all-ga-fold0-seed0-5fbdd3403c"


def test_a_cell_comes_back_from_json():
    cell = Cell("shrink", Split("all", ("ga", "gb"), 1), 2, (("shrink", "strength", 10),))
    assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell


def test_schemes_are_read_from_a_config():
    entries = {
        "everything": None,
        "each": {"hold_out": "each"},
        "one": {"hold_out": "gc"},
        "sets": {"hold_out": [["ga", "gb"], "gc"], "training": "few", "amount": 20},
    }
    assert [scheme.hold_out for scheme in read_schemes(entries, SCANNERS)] == [
        ((),),
        (("ga",), ("gb",), ("gc",)),
        (("gc",),),
        (("ga", "gb"), ("gc",)),
    ]
    assert read_schemes(entries, SCANNERS)[3].training == "few"


@pytest.mark.parametrize(
    ("entries", "message"),
    [({}, "there is none"), ({"x": {"holdout": "each"}}, "holdout"), ({"x": {"training": "half"}}, "all, once, few")],
)
def test_a_wrong_scheme_is_refused(entries, message):
    with pytest.raises(InputError, match=message):
        read_schemes(entries, SCANNERS)
