"""What processes hold is brought together in the order of their ranks."""

from scangen_bundle.training.gather import gather

from ..two_processes import in_two_processes


def gather_some(rank):
    return gather({"rank": rank, "scans": ["a", "b"][: rank + 1]})


def test_one_process_has_its_own_value_only():
    value = {"scans": ["a"]}
    assert gather(value) == [value]


def test_every_process_gets_the_values_of_all_by_rank():
    assert in_two_processes(gather_some) == 2 * [[{"rank": 0, "scans": ["a"]}, {"rank": 1, "scans": ["a", "b"]}]]
