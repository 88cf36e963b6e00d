"""Runs goldpan's commands in the process of a test: its libraries take a while to load."""

import base64
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from goldpan.cli.main import run_command
from tests.batch.erase.world import SEAL
from tests.servers.worker import TEST_KEY

Run = Callable[..., CompletedProcess[str]]
"""Runs a command with the arguments that it is given, and returns code and output."""


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command here."""

    def called(*arguments: str) -> CompletedProcess[str]:
        capsys.readouterr()
        code = run_command(arguments)
        said = capsys.readouterr()
        return CompletedProcess(arguments, code, said.out, said.err)

    return called


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to a folder, and set the lake in it and the keys of tests."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    monkeypatch.setenv("GOLDPAN_REDACT__SEAL_KEY", base64.b64encode(SEAL.secret).decode())
