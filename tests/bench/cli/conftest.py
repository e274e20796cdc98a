"""What tests of several commands share: a command that is run in this process."""

import sys

import pytest

from brodmann.bench.cli.main import main


@pytest.fixture
def brodmann(capsys, monkeypatch):
    """Run a command in this process; exit code, standard output, standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["brodmann", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stopped:
            code = stopped.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
