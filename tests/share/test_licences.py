import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.share.licences import check_redistribution


@pytest.mark.parametrize("name", ["efficientnet-lite0", "h-optimus-0", "virchow", "hibou-l", "midnight-12k"])
def test_permissive_encoders_may_be_shared(name):
    assert check_redistribution(name).name == name


@pytest.mark.parametrize(
    ("name", "licence"), [("uni", "CC-BY-NC-ND-4.0"), ("phikon", "Owkin"), ("prov-gigapath", "gate")]
)
def test_other_licences_are_refused_by_name(name, licence):
    with pytest.raises(InputError, match=licence):
        check_redistribution(name)


def test_an_unknown_encoder_is_refused():
    with pytest.raises(InputError, match="no encoder has this name"):
        check_redistribution("nobody")
