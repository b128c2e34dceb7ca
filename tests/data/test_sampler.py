"""Which scans the samplers put into a batch."""

import itertools
import logging
from collections import Counter

import numpy as np
import pytest

from scangen_bundle.data import LengthBucketSampler, SpecimenScannerSampler


def cohort(specimens=20, scanners=6, positives=5, unlabelled=0, seed=0, missing=0.0):
    """Records in random order; some scans may be missing."""
    rng = np.random.default_rng(seed)
    records = []
    for specimen, scanner in itertools.product(range(specimens), range(scanners)):
        if rng.random() >= missing:
            label = -1 if specimen < unlabelled else int(specimen >= specimens - positives)
            records.append({"specimen": specimen, "scanner": scanner, "label": label})
    return [records[index] for index in rng.permutation(len(records))]


def batches_of(records, epoch=1, **options):
    sampler = SpecimenScannerSampler(records, **options)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    return batches


@pytest.mark.parametrize("missing", [0.0, 0.4])
@pytest.mark.parametrize(("specimens", "scanners"), [(4, 3), (6, 2), (5, 4), (3, 8), (1, 1)])
def test_every_scan_is_seen_in_an_epoch(specimens, scanners, missing):
    records = cohort(missing=missing)
    batches = batches_of(records, specimens_per_batch=specimens, scanners_per_specimen=scanners)
    assert set(itertools.chain(*batches)) == set(range(len(records)))


def test_a_batch_is_p_specimens_on_k_different_scanners():
    records = cohort(specimens=12, positives=6)
    for batch in batches_of(records, specimens_per_batch=4, scanners_per_specimen=3):
        assert len(batch) == 12
        assert len({(records[i]["specimen"], records[i]["scanner"]) for i in batch}) == 12
        assert set(Counter(records[i]["specimen"] for i in batch).values()) == {3}


def fewest_alone(scans_of_scanners, most):
    """By trying every partition into groups of at most `most` on different scanners: how few groups of one there can be."""
    counts = sorted((count for count in scans_of_scanners if count), reverse=True)
    if not counts:
        return 0
    alone = []
    for partners in range(min(most, len(counts))):
        for others in itertools.combinations(range(1, len(counts)), partners):
            left = [count - (scanner == 0 or scanner in others) for scanner, count in enumerate(counts)]
            alone.append((partners == 0) + fewest_alone(left, most))
    return min(alone)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_as_few_scans_as_possible_stay_alone_and_as_many_as_is_said(most):
    for counts in itertools.combinations_with_replacement(range(4), 4):
        scans = sum(counts)
        if not 1 < scans <= 8:
            continue
        records = [{"specimen": 0, "scanner": s, "label": 0} for s, count in enumerate(counts) for _ in range(count)]
        groups = batches_of(records, specimens_per_batch=1, scanners_per_specimen=most)
        on = [[records[i]["scanner"] for i in group] for group in groups]
        assert all(len(set(scanners)) == len(scanners) <= most for scanners in on)
        alone = sum(len(group) == 1 for group in groups)
        assert alone == fewest_alone(counts, most), counts
        if most == 1:
            said = scans
        elif 2 * max(counts) > scans:
            said = 2 * max(counts) - scans
        else:
            said = scans % 2 if most == 2 else 0
        assert alone == said, counts


def test_batches_have_pairs_of_both_kinds():
    records = cohort(specimens=18, positives=9)
    for batch in batches_of(records):
        pairs = [(records[a], records[b]) for a, b in itertools.combinations(batch, 2)]
        assert any(a["specimen"] == b["specimen"] and a["scanner"] != b["scanner"] for a, b in pairs)
        assert any(a["specimen"] != b["specimen"] and a["scanner"] == b["scanner"] for a, b in pairs)


def test_labels_are_balanced_in_every_batch_whatever_their_share():
    records = cohort(specimens=20, positives=3)
    for batch in batches_of(records, specimens_per_batch=4, scanners_per_specimen=3):
        assert Counter(records[i]["label"] for i in batch) == {0: 6, 1: 6}


def test_unlabelled_specimens_are_seen_once_and_not_multiplied():
    records = cohort(specimens=20, positives=4, unlabelled=5)
    seen = Counter(itertools.chain(*batches_of(records, specimens_per_batch=1, scanners_per_specimen=3)))
    assert {seen[i] for i, record in enumerate(records) if record["label"] == -1} == {1}
    labels = Counter({0: 0, 1: 0})
    for index, times in seen.items():
        labels[records[index]["label"]] += times
    assert labels[0] == labels[1]


def test_the_order_is_a_function_of_seed_and_epoch():
    records = cohort()
    first = batches_of(records, epoch=1, seed=1)
    assert first == batches_of(records, epoch=1, seed=1)
    assert first != batches_of(records, epoch=2, seed=1)
    assert first != batches_of(records, epoch=1, seed=2)


def test_scans_meet_other_partners_in_other_epochs():
    records = cohort(specimens=2, scanners=6, positives=1)
    partners = set()
    for epoch in range(30):
        for batch in batches_of(records, epoch, specimens_per_batch=1, scanners_per_specimen=3):
            on = sorted(records[i]["scanner"] for i in batch if records[i]["specimen"] == 0)
            partners |= set(itertools.combinations(on, 2))
    assert partners == set(itertools.combinations(range(6), 2))


@pytest.mark.parametrize("replicas", [2, 3])
def test_the_processes_shares_are_a_partition_of_the_global_batch(replicas):
    records = cohort(missing=0.2)
    whole = batches_of(records, specimens_per_batch=6)
    shares = [batches_of(records, specimens_per_batch=6, rank=r, num_replicas=replicas) for r in range(replicas)]
    assert [len(share) for share in shares] == [len(whole)] * replicas
    for batch, *parts in zip(whole, *shares, strict=True):
        assert list(itertools.chain(*parts)) == batch


def test_a_share_that_does_not_divide_the_batch_is_refused():
    with pytest.raises(ValueError, match="3 processes cannot share 4 specimens"):
        SpecimenScannerSampler(cohort(), specimens_per_batch=4, num_replicas=3)


def test_an_unpaired_cohort_is_warned_about_once_and_still_sampled(caplog):
    records = [{"specimen": i, "scanner": i % 3, "label": i % 2} for i in range(12)]
    with caplog.at_level(logging.WARNING):
        batches = batches_of(records, specimens_per_batch=4)
    assert set(itertools.chain(*batches)) == set(range(12))
    assert len(caplog.records) == 1
    assert "12 of 12 specimens" in caplog.text
    assert "only repels" in caplog.text


def test_a_specimen_scanned_twice_on_one_scanner_never_meets_itself_there():
    records = [{"specimen": s, "scanner": c, "label": s % 2} for s in range(4) for c in (0, 0, 1)]
    for batch in batches_of(records, specimens_per_batch=1, scanners_per_specimen=3):
        assert len({records[i]["scanner"] for i in batch}) == len(batch)


def test_evaluation_sees_every_bag_once_in_batches_of_like_length():
    rng = np.random.default_rng(0)
    records = [{"num_tiles": int(tiles)} for tiles in rng.integers(1, 5000, 200)]
    batches = list(LengthBucketSampler(records, max_tiles=8000))
    assert sorted(itertools.chain(*batches)) == list(range(200))
    padded = [max(records[i]["num_tiles"] for i in batch) * len(batch) for batch in batches]
    assert max(padded) <= 8000
    real = sum(record["num_tiles"] for record in records)
    assert sum(padded) < 1.15 * real  # in the order of the manifest it would be about twice that
    lengths = [records[i]["num_tiles"] for batch in batches for i in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_a_bag_longer_than_the_limit_comes_alone():
    batches = list(LengthBucketSampler([{"num_tiles": n} for n in (50_000, 10, 10)], max_tiles=100))
    assert batches == [[0], [1, 2]]


def test_evaluation_over_processes_covers_every_batch():
    records = [{"num_tiles": n} for n in range(1, 40)]
    whole = list(LengthBucketSampler(records, max_tiles=60))
    shares = [list(LengthBucketSampler(records, 60, rank, 3)) for rank in range(3)]
    assert len({len(share) for share in shares}) == 1
    assert {tuple(batch) for share in shares for batch in share} == {tuple(batch) for batch in whole}
