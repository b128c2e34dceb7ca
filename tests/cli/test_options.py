"""What a typed word means for a setting."""

import pytest

from scangen_bundle.cli.options import read_word
from scangen_bundle.settings.kinds import Kind

EITHER = Kind(("list of text", "mapping"))


@pytest.mark.parametrize(
    ("word", "value"),
    [("uni", ["uni"]), ("uni,virchow2", ["uni", "virchow2"]), ("{uni: features/uni}", {"uni": "features/uni"})],
)
def test_a_setting_that_is_a_list_or_a_mapping_takes_words_with_commas(word, value):
    assert read_word(word, EITHER) == value
