"""docs/metrics.schema.json describes what is written; embeddings are in the evaluation handler's test."""

import json

import pytest
from jsonschema import Draft202012Validator

from scangen_bundle.measures import SCHEMA_VERSION, compare_predictions, evaluate_predictions

from .tables import cohort, multi_class
from .test_evaluate import KINDS, spoil


@pytest.fixture(scope="module")
def validator(bundle_root):
    schema = json.loads((bundle_root / "docs" / "metrics.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("kind", ["plain", *KINDS.split("|")])
def test_an_evaluation_fits_the_schema(validator, kind):
    result = evaluate_predictions(spoil(kind), validation_sensitivity=0.8, resamples=25)
    validator.validate(result)
    assert result["schema_version"] == SCHEMA_VERSION


def test_more_classes_and_comparisons_fit_the_schema(validator):
    validator.validate(evaluate_predictions(multi_class(20), resamples=25))
    for kind in ("plain", "perfect", "constant"):
        validator.validate(compare_predictions(cohort(20), spoil(kind), resamples=25))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("auroc/A", {"value": None}),
        ("auroc/A", {"low": None}),
        ("cov", {"value": "0.1"}),
        ("cov", {"surplus": 1}),
        ("icc", {"method": "guess"}),
    ],
)
def test_the_schema_refuses_a_null_without_its_reason_and_unknown_fields(validator, key, change):
    result = evaluate_predictions(cohort(), resamples=25)
    result["figures"][key].update(change)
    assert not validator.is_valid(result)
