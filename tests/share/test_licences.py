import pytest

from scangen_bundle.encoders import ENCODERS, num_features
from scangen_bundle.errors import InputError
from scangen_bundle.share.licences import check_redistribution


@pytest.mark.parametrize("name", ["efficientnet-lite0", "h-optimus-0", "virchow", "hibou-l", "midnight-12k"])
def test_permissive_encoders_may_be_shared(name):
    for stated in (name, None):
        assert check_redistribution(name, stated, num_features(name)).name == name


@pytest.mark.parametrize(
    ("name", "licence"), [("uni", "CC-BY-NC-ND-4.0"), ("phikon", "Owkin"), ("prov-gigapath", "gate")]
)
def test_other_licences_are_refused_by_name(name, licence):
    with pytest.raises(InputError, match=licence):
        check_redistribution(name, name, num_features(name))


def test_an_unknown_encoder_is_refused():
    with pytest.raises(InputError, match="no encoder has this name"):
        check_redistribution("nobody", None, 4)


def test_features_of_a_model_under_other_terms_do_not_pass_under_the_name_of_a_free_one():
    with pytest.raises(InputError, match="of the encoder 'uni2-h', but 'efficientnet-lite0' is named"):
        check_redistribution("efficientnet-lite0", "uni2-h", 1280)
    with pytest.raises(InputError, match="D = 1536, but those of the named encoder 'efficientnet-lite0' have D = 1280"):
        check_redistribution("efficientnet-lite0", None, 1536)
    for name in ENCODERS:
        with pytest.raises(InputError, match="is named"):
            check_redistribution("colour-statistics" if name == "virchow" else "virchow", name, num_features("virchow"))
