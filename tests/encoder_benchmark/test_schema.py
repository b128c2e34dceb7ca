"""docs/encoder_benchmark.schema.json describes what is written."""

import json

import pytest
from jsonschema import Draft202012Validator

from scangen_bundle.encoder_benchmark import BenchmarkJob

from .test_run import SMALL, table, write_bags


@pytest.fixture(scope="module")
def validator(bundle_root):
    schema = json.loads((bundle_root / "docs" / "encoder_benchmark.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def written(folder, manifest, **options):
    encoders = {"bags": write_bags(folder / "bags", manifest), "absent": str(folder / "absent")}
    BenchmarkJob(manifest, encoders, str(folder / "out"), **{**SMALL, **options}).run()
    return json.loads((folder / "out" / "results.json").read_text())


@pytest.mark.parametrize(
    "manifest",
    [table(6), table(6, scanners="a"), table(6).assign(label=-1), table(2)],
    ids=["plain", "one scanner", "unlabelled", "two patients"],
)
def test_results_fit_the_schema(validator, manifest, tmp_path):
    results = written(tmp_path, manifest)
    validator.validate(results)
    assert "absent" in results["failed"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return written(tmp_path_factory.mktemp("schema"), table(6))


@pytest.mark.parametrize(
    "change", [{"value": None}, {"low": None}, {"baseline": "0.1"}, {"surplus": 1}, {"method": "guess"}]
)
def test_the_schema_refuses_a_null_without_its_reason_and_unknown_fields(validator, results, change):
    changed = json.loads(json.dumps(results))
    changed["encoders"]["bags"]["figures"]["cka"].update(change)
    assert validator.is_valid(results)
    assert not validator.is_valid(changed)
