"""The comparison of the worker with its rivals runs, and the rivals do what they are said to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from benchmarks import worker
from benchmarks.processes import Cost
from benchmarks.rivals.presidio_loop import PresidioLoop, find_as_shipped
from tests.architecture.source import ROOMS, ROOT
from tests.servers.kafka import Kafka
from tests.servers.shared_expressions import CHILD_PATH
from tests.short_versions import short


@pytest.mark.parametrize("redaction", short([False, True], [False]))
def test_the_short_comparison(
    redaction: bool,
    kafka: Kafka,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Takes seconds, as each program is a process that runs twice."""

    @contextmanager
    def shared() -> Iterator[tuple[Kafka, Path]]:
        yield kafka, tmp_path

    monkeypatch.setattr(worker, "own_kafka", shared)
    monkeypatch.setenv("PYTHONPATH", CHILD_PATH)
    words = ["--short", "--varied", "--labels"]
    if redaction:
        compiled = request.getfixturevalue("compiled_parts")
        words += ["--redaction", "--compiled", str(compiled)]
    done = CliRunner().invoke(worker.main, words)
    assert done.exit_code == 0, (done.output, done.exception)
    lines = [line.split("  ")[1] for line in done.output.splitlines() if "records/s" in line]
    rivals = ["consume", "plain loop"]
    more = ["+ Presidio", "+ Presidio, same", "goldpan, pure", "goldpan, compiled"]
    assert lines == rivals + (more if redaction else ["goldpan"])


def test_a_round_leaves_the_start_out() -> None:
    """The figure of a million records is what the records add to a run over a few of them."""
    measured = worker.Round(Cost(9.0, 5.0, 1), 1_100, Cost(3.0, 3.0, 1), 100)
    assert measured.cpu == pytest.approx(2.0 / 1_000 * 1e6)


def test_another_build_than_the_one_named_is_refused(tmp_path: Path) -> None:
    """What is given as compiled must say that it is."""
    for room in ROOMS:
        (tmp_path / room).symlink_to(ROOT / room)
    with pytest.raises(click.UsageError, match="must be compiled"):
        worker.builds_of_goldpan(tmp_path / "site", tmp_path)


def test_findings_that_overlap_become_one() -> None:
    """The first type stands for all of them; nothing of any is left, and nothing else is taken."""
    spans = [(3, 7, "B"), (1, 5, "A"), (2, 3, "C"), (8, 9, "D")]
    assert PresidioLoop(lambda _: spans).redact("0123456789") == "0<A>7<D>9"


def test_presidio_in_the_loop_replaces_what_it_finds() -> None:
    """In messages and the response; the rest stays."""
    loop = PresidioLoop(find_as_shipped())
    trace = {
        "trace_id": "t",
        "messages": [{"role": "user", "content": "Mail ann@example.com or bob@example.org now"}],
        "response": "ok",
    }
    row = loop.row(json.dumps(trace).encode())
    assert row == {
        "trace_id": "t",
        "messages": [{"role": "user", "content": "Mail <EMAIL_ADDRESS> or <EMAIL_ADDRESS> now"}],
        "response": "ok",
    }
