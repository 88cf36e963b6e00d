"""The comparison of redaction's builds: it runs, and it notices what is wrong with a build."""

import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from benchmarks import redaction
from benchmarks.compiled_folder import find_compiled
from benchmarks.python_build import describe_build
from benchmarks.versions import Version
from tests.architecture.source import ROOT
from tests.servers.shared_expressions import CHILD_PATH
from tests.short_versions import short

OUTCOME = ["policy", "rows", "refusals", "audit", 1, 0]


class FixedVersion(Version):
    """A version that gives one answer to everything."""

    def __init__(self, build: str, answer: Any) -> None:
        self.build = build
        self._answer = answer

    def do(self, *request: Any) -> Any:
        """Return the answer."""
        del request
        return self._answer


@pytest.mark.parametrize("before", short([False, True], [False]))
def test_the_short_comparison(
    before: bool, compiled_parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes seconds, as each version is a process that prepares the policy."""
    monkeypatch.setenv("PYTHONPATH", CHILD_PATH)
    words = ["--short", "--compiled", str(compiled_parts)]
    words += ["--before", str(ROOT)] if before else []
    done = CliRunner().invoke(redaction.main, words)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "results of both builds are equal" in done.output
    assert "pure      0 of" in done.output
    names = "pure | compiled | compiled / pure"
    if before:
        names = f"before | {names} | pure / before | compiled / before"
    for kind, model in redaction.SHORT_CASES:
        assert f"| {kind}, model {model} | {names} |" in done.output
    assert "| findings that differ | 0 of" in done.output


def test_a_difference_between_builds_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    """Of each kind: policy, rows, refusals, audit, and how many there are."""
    same = {name: FixedVersion(name, OUTCOME) for name in ("pure", "compiled")}
    assert redaction.compare_outcomes(same, 1, None)
    for place in range(len(OUTCOME)):
        other = [*OUTCOME[:place], 9 if place > 3 else "9", *OUTCOME[place + 1 :]]
        versions = {**same, "compiled": FixedVersion("compiled", other)}
        assert not redaction.compare_outcomes(versions, 1, None)
    assert "DIFFERENT" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "build", "compiled"),
    [
        ("compiled", "pure", 0),
        ("compiled", "compiled", 0),
        ("pure", "compiled", 63),
        ("pure", "pure", 1),
    ],
)
def test_another_build_than_the_one_named_is_refused(name: str, build: str, compiled: int) -> None:
    """By what the process says, and by the modules that it has loaded."""
    with pytest.raises(click.UsageError, match=f"must run {name}"):
        redaction.check_modules({name: FixedVersion(build, [compiled, 146])})


@pytest.mark.chaos  # two processes, for what the test before says of each of them
def test_a_folder_without_compiled_modules_is_refused(
    compiled_parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source tree given as compiled build stops the command."""
    del compiled_parts
    monkeypatch.setenv("PYTHONPATH", CHILD_PATH)
    done = CliRunner().invoke(redaction.main, ["--short", "--compiled", str(ROOT)])
    assert done.exit_code == 2
    assert "where it must run compiled" in done.output


def test_a_build_of_another_source_is_refused(tmp_path: Path) -> None:
    """One changed module is enough."""
    shutil.copytree(
        ROOT / "redact", tmp_path / "redact", ignore=shutil.ignore_patterns("model", "model_large")
    )
    assert find_compiled(tmp_path) == tmp_path
    (tmp_path / "redact" / "build.py").write_text("changed = True\n")
    with pytest.raises(click.UsageError, match=r"build\.py differs"):
        find_compiled(tmp_path)


@pytest.mark.parametrize(
    ("variables", "shared", "described"),
    [
        (
            {"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'", "PY_CFLAGS": "-O2 -g -O3"},
            False,
            "optimised by profile, LTO, -O3, in the executable",
        ),
        (
            {"CONFIG_ARGS": "'--enable-shared'", "PY_CFLAGS": "-O3", "Py_ENABLE_SHARED": 1},
            True,
            "no profile, no LTO, -O3, in a shared library",
        ),
        (
            {"CONFIG_ARGS": "'--enable-shared'", "Py_ENABLE_SHARED": 1},
            False,
            "in the executable, optimisation not recorded",
        ),
        ({}, False, "no profile, no LTO, no level, in the executable"),
    ],
)
def test_the_build_of_python_is_named(
    variables: dict[str, object], shared: bool, described: str
) -> None:
    """By its own variables, unless they belong to another build."""
    assert describe_build(variables, shared=shared) == described
