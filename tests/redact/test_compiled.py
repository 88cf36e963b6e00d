"""The compiled build of redaction: the same results as the pure one, and a process that answers."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from redact.build import SWITCH
from tests.architecture.source import ROOT
from tests.redact.equality import draw_all, other_version, results
from tests.servers.compiled_build import lay_out
from tests.short_versions import short

_BLOCK = 256
_FEW = 60


@pytest.fixture(scope="session")
def site(compiled_parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a compiled build, as it is installed."""
    return lay_out(compiled_parts, tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("combinations", short([_FEW, 4_000], always=[_FEW]))
def test_both_builds_give_the_same(site: Path, combinations: int) -> None:
    """Rows, findings, refusals and audit are equal, of ordinary and of hostile records.

    A few are drawn under the default policy only, since each policy takes seconds to prepare.
    """
    other = other_version(site)
    assert other.build == "compiled"
    for drawn in draw_all(combinations, combinations, None):
        if combinations == _FEW and drawn.policy != "strict":
            continue
        for start in range(0, len(drawn.records), _BLOCK):
            block = drawn.records[start : start + _BLOCK]
            other.ask(drawn.policy, drawn.schema, block)
            assert results(drawn.policy, drawn.schema, block) == other.answer()
    other.end()


@pytest.mark.parametrize(("setting", "build"), [("true", "compiled"), ("false", "pure")])
def test_the_version_says_which_build_it_is(site: Path, setting: str, build: str) -> None:
    """A setting switches between the builds in one installation."""
    done = _run(site, ["-m", "goldpan", "--version"], {SWITCH: setting})
    assert done.stdout.rstrip().endswith(f"({build})")


@pytest.mark.chaos
@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_process_answers_while_compiled_loops_read_hostile_records(site: Path, size: int) -> None:
    """A thread, like that of `/livez`, and signals have their turn all the time."""
    done = _run(site, ["-m", "tests.redact.answers", str(size)])
    assert done.stdout.split() == ["compiled", "answered", "signalled"]


@pytest.mark.chaos
def test_the_tests_of_redaction_pass_on_the_compiled_build(site: Path) -> None:
    """All but those that replace a part of a compiled object, which it does not allow."""
    options = ["-q", "-p", "no:cacheprovider", "-m", "not chaos", "-n", "2", "tests/redact"]
    options += [f"--ignore=tests/redact/{name}.py" for name in ("test_build", "test_compiled")]
    done = _run(site, ["-m", "pytest", *options], check=False)
    assert done.returncode == 0, done.stdout[-4_000:]


def _run(
    site: Path, words: list[str], more: Mapping[str, str] | None = None, *, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join((str(site), str(ROOT)))
    return subprocess.run(
        [sys.executable, "-P", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, **(more or {})},
        capture_output=True,
        text=True,
        check=check,
    )
