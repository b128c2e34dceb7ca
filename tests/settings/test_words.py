"""A typed value arrives as it was typed, or is refused."""

import shlex

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.settings.kinds import Kind
from scangen_bundle.settings.words import arriving, check_word


@pytest.mark.parametrize("word", ["cohort#2", "1e5", "0x10", "a,b", "(a)", "None ", "1_000", "['a']"])
def test_what_is_proposed_for_a_text_arrives_as_it_was_meant(word):
    with pytest.raises(InputError) as caught:
        check_word("name", word, Kind(("text",)))
    (written,) = shlex.split(caught.value.remedy.removeprefix("write --name "))
    assert arriving(written) == word


@pytest.mark.parametrize("word", ["a b", "C:\\x", "it's", "ü", "50%", "a-b.c", "--x", "$expression", "@reference"])
def test_a_text_that_arrives_unchanged_passes(word):
    check_word("name", word, Kind(("text",)))
    check_word("name", word, None)


def test_a_text_that_changes_is_refused_where_no_type_is_stated_either():
    with pytest.raises(InputError, match="arrives as the text 'a'"):
        check_word("name", "a#b", None)
    check_word("name", "3", None)


def test_dollars_and_double_quotes_are_quoted_for_the_shell():
    with pytest.raises(InputError) as caught:
        check_word("name", "a#$b", Kind(("text",)))
    assert caught.value.remedy == """write --name ''"'"'a#$b'"'"''"""
