"""Ignite's `all_gather`, which the handlers rely on: any object but bare tensors, numbers and texts, in the order of ranks."""

import ignite.distributed as idist
import numpy as np

from ..two_processes import in_two_processes


def gather_objects(rank):
    tables = idist.all_gather({"rank": rank, "scans": ["a", "b"][: rank + 1], "rows": np.full(rank + 1, rank)})
    flags = idist.all_gather((rank == 0,))
    return [(part["rank"], part["scans"], part["rows"].tolist()) for part in tables], flags


def test_one_process_has_its_own_value_only():
    for value in ({"scans": ["a"]}, [1, 2], (True,), []):
        assert idist.all_gather(value) == [value]


def test_every_process_gets_the_values_of_all_by_rank():
    expected = [(0, ["a"], [0]), (1, ["a", "b"], [1, 1])], [(True,), (False,)]
    assert in_two_processes(gather_objects) == [expected, expected]
