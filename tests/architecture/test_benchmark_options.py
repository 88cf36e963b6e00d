"""Benchmarks refuse options that would measure nothing, or this version against itself."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks import gate_errors, memory, release, startup


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (memory.main, ["--records", "0"], "x>=1"),
        (memory.main, ["--against", "."], "has no version of goldpan"),
        (release.main, ["--traces", "-1"], "x>=1"),
        (release.main, ["--against", "none"], "does not exist"),
        (startup.main, ["--against", "."], "has no version of goldpan"),
        (gate_errors.main, ["nothing"], "is not one of"),
    ],
)
def test_wrong_options_are_refused(
    command: click.Command,
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is measured: modules that a folder lacks would come from this version."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert said in done.output
