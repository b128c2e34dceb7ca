"""A typed value arrives as it was typed, or is refused."""

import shlex

import pytest
from monai.bundle import ConfigParser

from scangen_bundle.errors import InputError
from scangen_bundle.settings.kinds import Kind
from scangen_bundle.settings.words import arriving, check_word


@pytest.mark.parametrize("word", ["1e5", "0x10", "a,b", "(a)", "None ", "1_000", "['a']"])
def test_what_is_proposed_for_a_text_arrives_as_it_was_meant(word):
    with pytest.raises(InputError) as caught:
        check_word("name", word, Kind(("text",)))
    (written,) = shlex.split(caught.value.remedy.removeprefix("write --name "))
    assert arriving(written) == word


@pytest.mark.parametrize("word", ["a b", "C:\\x", "it's", "ü", "50%", "a-b.c", "--x", "$expression", "@reference"])
def test_a_text_that_arrives_unchanged_passes(word):
    check_word("name", word, Kind(("text",)))
    check_word("name", word, None)


@pytest.mark.parametrize("word", ["cohort#2", "/data/cohort#2", "'cohort#2'"])
def test_a_hash_that_monai_would_rewrite_is_proposed_as_an_expression_that_keeps_it(word):
    with pytest.raises(InputError, match="not as it was typed") as caught:
        check_word("name", word, Kind(("path",)))
    (written,) = shlex.split(caught.value.remedy.removeprefix("write --name "))
    check_word("name", written, Kind(("path",)))
    parser = ConfigParser({"name": arriving(written), "file": "$@name + '/a'"})
    assert parser.get_parsed_content("file") == word.strip("'") + "/a"


def test_a_text_that_changes_is_refused_where_no_type_is_stated_either():
    with pytest.raises(InputError, match="arrives as the text 'a'"):
        check_word("name", "a#b", None)
    check_word("name", "3", None)


def test_dollars_and_double_quotes_are_quoted_for_the_shell():
    with pytest.raises(InputError) as caught:
        check_word("name", "'$b',1", Kind(("text",)))
    assert shlex.split(caught.value.remedy) == ["write", "--name", repr("'$b',1")]
