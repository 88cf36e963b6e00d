"""What others reported as faults of redaction stays repaired: 316 cases in 18 kinds.

See ``tests/data/redaction_cases/README.md``.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.redact.cases import failures, kinds, read

CASES = read()
LONG = [case for case in CASES if case.get("busy")]
SHORT_FORM = 40
"""By which the long texts are shorter in `make test`."""


def report(found: list[str]) -> str:
    """Return failures as lines."""
    return "\n" + "\n".join(found)


@pytest.mark.parametrize("kind", kinds([case for case in CASES if not case.get("busy")]))
def test_every_case_of_a_kind_passes(kind: str) -> None:
    """What must be gone is gone, what must stay stays, and nothing is refused without need."""
    found = failures([case for case in CASES if case["kind"] == kind and not case.get("busy")])
    assert not found, report(found)


@pytest.mark.parametrize("case", LONG, ids=lambda case: case["note"])
def test_a_long_text_is_redacted_to_its_end(case: dict[str, object]) -> None:
    """The short form of a long text is not refused, and its last words are redacted."""
    found = failures([case], shorter=SHORT_FORM)
    assert not found, report(found)


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """Run two endless programs for each core while a test runs."""
    loop = "while True: pass"
    running = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(2 * _cores())]
    time.sleep(1)
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _cores() -> int:
    return os.cpu_count() or 1


@pytest.mark.chaos
@pytest.mark.parametrize("case", LONG, ids=lambda case: case["note"])
def test_a_long_text_is_redacted_on_a_busy_machine(
    case: dict[str, object], busy_cores: None
) -> None:
    """The load of other programs does not decide whether a record is stored."""
    found = failures([case])
    assert not found, report(found)
