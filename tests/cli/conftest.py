"""The command line in this process."""

import pytest

from scangen_bundle.cli.main import main


class Ended:
    """How a command ended."""

    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr


@pytest.fixture
def scangen(capsys, monkeypatch, tmp_path):
    """Run `scangen` in an empty folder; an `InputError` ends it as the excepthook does."""
    from scangen_bundle.errors import InputError

    monkeypatch.setattr("scangen_bundle.cli.main.report_input_errors", lambda: None)
    monkeypatch.chdir(tmp_path)

    def call(*words):
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
            problem = ""
        except InputError as error:
            code, problem = error.exit_code, f"error: {error}\n"
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err + problem)

    return call
