"""The commands around the worker, on the embedded broker: several workers, redrive, adopt."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from goldpan.demo.broker import EmbeddedBroker
from goldpan.demo.traffic import load_shipped_conversations, make_feedback, make_traces
from goldpan.demo.wire_formats import encode_framed_avro, encode_json, schema_files
from schemas.record_batches import RecordKind
from tests.servers.worker import Worker, call_goldpan, run_goldpan, settings

TRACES, FEEDBACK = "llm.traces", "llm.feedback"
START = 1_790_000_000_000_000
CATCH_UP = ("stream", "run", "--until-caught-up")

Env = dict[str, str]

NOBODY = dict.fromkeys(
    ("quarantine", "redactions", "reviews", "judgements", "answer_reviews", "otel_spans"), 0
)
"""Rows of the tables that records without fault, and without redaction, leave empty."""


def _broker(encode: Callable[[RecordKind, Any], bytes]) -> tuple[EmbeddedBroker, int, int]:
    """Return a broker with the shipped conversations in it: traces and feedback, and how many."""
    broker = EmbeddedBroker()
    counts = [0, 0]
    for conversation in load_shipped_conversations():
        traces = make_traces(conversation, started_at=START)
        for number, (topic, kind, records) in enumerate(
            (
                (TRACES, RecordKind.TRACE, traces),
                (FEEDBACK, RecordKind.FEEDBACK, make_feedback(conversation, traces)),
            )
        ):
            for record in records:
                broker.send(topic, record["trace_id"], encode(kind, record), lambda _p, _o: None)
            counts[number] += len(records)
    broker.flush()
    return broker, counts[0], counts[1]


def _rows(env: Env) -> dict[str, int]:
    """Count the rows of all tables but that of labels, which has tests of its own."""
    tables = json.loads(call_goldpan(env, "lake", "tables", "--json").stdout)["tables"]
    return {table["name"]: table["rows"] for table in tables if table["name"] != "labels"}


def _verified(env: Env) -> list[dict[str, Any]]:
    done = call_goldpan(env, "lake", "verify", "--deep", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    partitions: list[dict[str, Any]] = json.loads(done.stdout)["partitions"]
    return partitions


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[tuple[Env, int, int]]:
    """Settings for a broker full of JSON, and how many traces and feedback events it holds."""
    broker, traces, feedback = _broker(lambda _kind, record: encode_json(record))
    yield settings(broker.address, tmp_path / "lake"), traces, feedback
    del broker


def test_two_workers_share_the_work(plain: tuple[Env, int, int]) -> None:
    """``--workers 2`` is two processes in one group; together they store everything once."""
    env, traces, feedback = plain
    done = run_goldpan(env, *CATCH_UP, "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"ok": True, "workers": 2}
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert sum(event["event"] == "worker_stopped" for event in events) == 2
    assert _rows(env) == {"traces": traces, "feedback": feedback, **NOBODY}
    assert sum(p["stored"] for p in _verified(env)) == traces + feedback


def test_workers_end_when_their_supervisor_is_killed(
    plain: tuple[Env, int, int], tmp_path: Path
) -> None:
    """No worker is left behind when the process that started them is gone.

    Until then each has its own name in the group, and all share a folder of expressions.
    """
    env, _, _ = plain
    env["GOLDPAN_KAFKA__GROUP_INSTANCE_ID"] = "worker"
    env["TMPDIR"] = str(tmp_path)  # where a supervisor that is killed leaves that folder
    supervisor = Worker(env, ["--workers", "2"], folder=tmp_path)
    supervisor.wait_for_log("worker_started", count=2)
    children = psutil.Process(supervisor.pid).children()
    variables = [child.environ() for child in children]
    names = [one["GOLDPAN_KAFKA__GROUP_INSTANCE_ID"] for one in variables]
    assert sorted(names) == ["worker-0", "worker-1"]
    assert len({one["GOLDPAN_REDACT__CACHE_DIR"] for one in variables}) == 1
    os.kill(supervisor.pid, signal.SIGKILL)  # the supervisor alone, not its children
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []


def test_what_lacked_a_schema_is_redriven_once_it_is_there(tmp_path: Path) -> None:
    """Records without a known schema are set aside, and reach their tables exactly once later."""
    broker, traces, feedback = _broker(encode_framed_avro)
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, *CATCH_UP).returncode == 0
    assert _rows(env) == {"traces": 0, "feedback": 0, **NOBODY, "quarantine": traces + feedback}
    listed = json.loads(call_goldpan(env, "quarantine", "list", "--json").stdout)["groups"]
    assert {(g["topic"], g["reason"], g["records"]) for g in listed} == {
        (TRACES, "unknown_schema", traces),
        (FEEDBACK, "unknown_schema", feedback),
    }

    (tmp_path / "schemas").mkdir()
    for name, text in schema_files().items():
        (tmp_path / "schemas" / name).write_text(text)
    env["GOLDPAN_KAFKA__SCHEMAS_DIR"] = str(tmp_path / "schemas")
    redrive = ("quarantine", "redrive", "--json")
    tried = json.loads(call_goldpan(env, *redrive, "--dry-run").stdout)
    assert [(t["tried"], t["stored"]) for t in tried["topics"]] == [(traces,) * 2, (feedback,) * 2]
    assert _rows(env)["traces"] == 0

    assert run_goldpan(env, *redrive).returncode == 0
    assert _rows(env) == {"traces": traces, "feedback": feedback, **NOBODY}
    again = json.loads(call_goldpan(env, *redrive).stdout)
    assert [t["tried"] for t in again["topics"]] == [0, 0]
    assert all(p["quarantined"] == 0 for p in _verified(env))
    del broker


def test_another_cluster_is_adopted_only_when_told(
    plain: tuple[Env, int, int], tmp_path: Path
) -> None:
    """Offsets of another cluster mean something else: the worker stops until a person decides."""
    env, traces, feedback = plain
    assert run_goldpan(env, *CATCH_UP).returncode == 0
    other, _, _ = _broker(lambda _kind, record: encode_json(record))
    moved = settings(other.address, tmp_path / "lake")

    stopped = run_goldpan(moved, *CATCH_UP)
    assert stopped.returncode == 3
    assert "goldpan stream adopt --topic" in stopped.stderr
    assert _rows(moved)["traces"] == traces

    unasked = call_goldpan(moved, "stream", "adopt", "--topic", TRACES)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    wrong = call_goldpan(moved, "stream", "adopt", "--topic", "other", "--yes")
    assert (wrong.returncode, "not a configured topic" in wrong.stderr) == (2, True)

    for topic in (TRACES, FEEDBACK):
        told = run_goldpan(moved, "stream", "adopt", "--topic", topic, "--yes", "--json")
        assert told.returncode == 0, told.stderr
        assert {one["after"] for one in json.loads(told.stdout)["moved"]} == {0}
    assert run_goldpan(moved, *CATCH_UP).returncode == 0
    assert _rows(moved) == {"traces": 2 * traces, "feedback": 2 * feedback, **NOBODY}
    done = call_goldpan(moved, "lake", "verify", "--json")
    assert done.returncode == 0, done.stdout
    del other
