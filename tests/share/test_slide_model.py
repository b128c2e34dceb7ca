import numpy as np
import pandas as pd
import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.features import open_bag, write_bag
from scangen_bundle.share.slide_model import SlideModel
from tests.features.bags import make_attributes, make_bag_arrays
from tests.share.conftest import write_features


@pytest.fixture(scope="module")
def strict(packed):
    return SlideModel(packed[1])


def test_probability_is_the_runs(strict, trained_run):
    for row in pd.read_csv(trained_run[0] / "predictions.csv").head(3).itertuples():
        told, attention = strict(open_bag(trained_run[1] / f"{row.slide_id}.h5"), row.slide_id)
        assert told["probability"]["positive"] == pytest.approx(row.probability, abs=1e-6)
        assert attention.sum() == pytest.approx(1, abs=1e-5)
        assert told["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "problem"), [({"encoder": "uni"}, "encoder is 'uni'"), ({"mpp": 0.25}, "mpp is 0.25")]
)
def test_what_is_refused_is_a_warning_where_the_site_allows_it(packed, strict, tmp_path, changes, problem):
    write_features(tmp_path / "a.h5", "a", "scanner-1", 0, np.random.default_rng(5), **changes)
    bag = open_bag(tmp_path / "a.h5")
    with pytest.raises(InputError, match=problem):
        strict(bag, "a.h5")
    told, _ = SlideModel(packed[1], frozenset({"other_encoder", "far_from_training"}))(bag, "a.h5")
    assert problem in told["warnings"][0]
    assert 0 < told["probability"]["positive"] < 1


def test_vectors_of_another_length_are_refused_even_where_the_encoder_is_allowed(packed, tmp_path):
    features, coords = make_bag_arrays(5, 4)
    write_bag(tmp_path / "short.h5", features, coords.astype(np.int64), make_attributes())
    with pytest.raises(InputError, match="D = 4, the model takes 1280"):
        SlideModel(packed[1], frozenset({"other_encoder"}))(open_bag(tmp_path / "short.h5"), "short.h5")
