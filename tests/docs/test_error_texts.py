"""The troubleshooting page is made from the code's own messages."""

import sys

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from error_texts import ErrorText, as_markdown, error_texts


def test_texts_formats_and_variables_are_followed(tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    (room / "file.py").write_text(
        "def check(path, n):\n"
        "    remedy = f'give {n} rows'\n"
        "    raise InputError(path, f'has {n} rows, expected ' + 'more', remedy)\n"
        "def other(path, error):\n"
        "    raise InputError(path, str(error), 'not listed: nothing fixed')\n"
    )
    assert error_texts(tmp_path) == [ErrorText("room", "has … rows, expected more", "give … rows")]


def test_a_message_is_code_and_its_remedy_stands_below():
    text = as_markdown([ErrorText("bags", "is `broken`", "extract it again")])
    assert text == "\n### bags\n\n- `` is `broken` ``  \n  **Do:** `extract it again`\n"


def test_the_package_has_messages_in_its_main_rooms():
    rooms = {text.room for text in error_texts()}
    assert {"cohort", "slides", "bags", "runs", "methods"} <= rooms
