from __future__ import annotations

import pytest

from scangen_bundle.studies.words import HEADLINE, words_of


@pytest.mark.parametrize("key", HEADLINE)
def test_every_headline_column_has_words(key):
    words = words_of(key)
    assert words.title
    assert words.help
    assert words.better in ("higher", "lower")


def test_scopes_thresholds_and_far_scanners_are_told():
    assert words_of("auroc/mean_unseen").title == "AUROC, scanners never seen"
    assert "at the threshold that validation chose" in words_of("flip_rate").help
    assert "0.5" in words_of("flip_rate_at_half").title
    assert "far" in words_of("far_auroc/mean").title
    assert "nothing is chosen by it" in words_of("cov").help
    assert words_of("logit_sd_ratio").heading.endswith("↓")


def test_titles_differ():
    titles = [words_of(key).title for key in HEADLINE]
    assert len(set(titles)) == len(titles)
