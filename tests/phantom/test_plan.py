from __future__ import annotations

from collections import Counter

from scangen_bundle.phantom.plan import plan_cohort, random_stream


def test_a_longer_cohort_begins_with_the_shorter_one() -> None:
    assert plan_cohort(12, 5)[:7] == plan_cohort(7, 5)


def test_another_seed_gives_other_specimens() -> None:
    assert all(a.haematoxylin != b.haematoxylin for a, b in zip(plan_cohort(6, 0), plan_cohort(6, 1), strict=True))


def test_patients_have_one_label_and_labels_are_balanced() -> None:
    plan = plan_cohort(48, 0)
    patients = {specimen.patient_id: specimen.label for specimen in plan}
    assert all(patients[specimen.patient_id] == specimen.label for specimen in plan)
    counts = Counter(patients.values())
    assert abs(counts[0] - counts[1]) <= 1
    per_patient = Counter(specimen.patient_id for specimen in plan)
    assert set(per_patient.values()) == {1, 2}


def test_only_label_1_has_altered_glands() -> None:
    assert all((specimen.altered_fraction > 0) == (specimen.label == 1) for specimen in plan_cohort(20, 1))


def test_streams_of_different_keys_differ() -> None:
    drawn = {random_stream(0, *key).random() for key in [(1, 2), (2, 1), (1,), (2,), (1, 2, 0)]}
    assert len(drawn) == 5
