"""Reading a recipe's code from Markdown."""

import pytest

from tests.recipes import recipe

TEXT = """# Contributing
### Recipe: a thing
Write a file:
```python
# a comment is no heading
thing = 1
```
```bash
run --plugins "['thing.py']"  # one flag
```
### Recipe: another
nothing
"""


def test_the_first_block_of_the_language_under_the_heading_is_the_recipe():
    assert recipe("a thing", text=TEXT) == "# a comment is no heading\nthing = 1\n"
    assert recipe("a thing", "bash", TEXT) == "run --plugins \"['thing.py']\"  # one flag\n"


def test_a_missing_recipe_or_block_is_an_error():
    with pytest.raises(LookupError, match="no heading 'Recipe: a fourth'"):
        recipe("a fourth", text=TEXT)
    with pytest.raises(LookupError, match="has no block of python"):
        recipe("another", text=TEXT)
