"""Names of encoders, methods, measures and tasks: found by themselves, and unknown ones refused helpfully."""

import sys

import pytest

from scangen_bundle.errors import InputError
from scangen_bundle.registry import Registry


def test_what_is_registered_is_found_by_name_in_order():
    things = Registry("thing")

    @things.register("second letter")
    class B: ...

    things.add("first letter", 1)
    assert list(things) == ["second letter", "first letter"]
    assert things["second letter"] is B
    assert things["first letter"] == 1
    assert "third" not in things
    assert len(things) == 2


def test_an_unknown_name_lists_those_that_exist_and_the_nearest():
    things = Registry("method")
    things.add("scangen", 1)
    things.add("plain", 2)
    with pytest.raises(InputError, match=r"method 'scangn': no method .* did you mean scangen\? .* scangen, plain"):
        things["scangn"]


def test_a_name_can_be_taken_once():
    things = Registry("task")
    things.add("classification", 1)
    with pytest.raises(InputError, match="task 'classification': this name is registered already"):
        things.add("classification", 2)


def test_the_modules_of_its_package_are_imported_at_the_first_look_up(tmp_path, monkeypatch):
    package = tmp_path / "room_of_things"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from scangen_bundle.registry import Registry\nTHINGS = Registry('thing', __name__)\n"
    )
    (package / "one.py").write_text("from room_of_things import THINGS\nTHINGS.add('one', 1)\n")
    (package / "two.py").write_text(
        "from room_of_things import THINGS\nassert 'three' not in THINGS\nTHINGS.add('two', 2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from room_of_things import THINGS

    assert "room_of_things.one" not in sys.modules
    assert dict(THINGS) == {"one": 1, "two": 2}
