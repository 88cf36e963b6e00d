"""Feedback of products becomes a record once its trace is known, and once only."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel.signals import ProductFeedback
from tests.assembly.world import World
from tests.otel.make_spans import SECOND, START, TRACE, chat, span


def vote(kind: Any, target: str, **parts: Any) -> ProductFeedback:
    """Return a vote on a target, given ten seconds after the start."""
    values = {
        "feedback_id": "f1",
        "name": "thumbs",
        "value": "up",
        "comment": None,
        "target_kind": kind,
        "target_id": target,
        "time_ns": START + 10 * SECOND,
    }
    return ProductFeedback(**values | parts)


TARGETS = {
    "trace": TRACE,
    "span": f"{2:016x}",
    "session": "s1",
    "entity": "c1",
}
ATTRIBUTES = {"session.id": "s1", "traceloop.association.properties.chat_id": "c1"}


@pytest.mark.parametrize(("kind", "target"), [*TARGETS.items(), ("entity", "resp-1")])
def test_feedback_finds_its_trace(tmp_path: Path, kind: str, target: str) -> None:
    """Whether the product names the trace, a span, the session, an entity or a response."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(vote(kind, target))
    stage.wait(6)
    assert (world.rows("feedback"), stage.reports.waiting) == ([], 1)
    response = {"gen_ai.response.id": "resp-1"}
    world.arrive(span(1, attributes=ATTRIBUTES), chat(2, 1, attributes=response))
    for _ in range(4):
        stage.wait(10)
    (row,) = world.rows("feedback")
    assert (row["trace_id"], row["kind"], row["value"]) == (TRACE, "thumbs", 1.0)
    assert (row["session_id"], row["_topic"], row["_offset"]) == ("s1", "#assembly", 0)
    assert stage.stage.idle()


def test_a_copy_and_a_restart_write_it_once(tmp_path: Path) -> None:
    """Feedback that was sent twice, or is read again, is there once."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1), vote("trace", TRACE))
    world.arrive(vote("trace", TRACE))
    world.stage().wait(6)
    stage = world.stage()
    stage.wait(0)
    world.arrive(vote("trace", TRACE), after=60)
    stage.wait(6)
    assert len(world.rows("feedback")) == 1
    assert stage.stage.idle()


def test_a_session_means_its_last_trace_before_the_feedback(tmp_path: Path) -> None:
    """As long as a trace of the session is open, it is not decided."""
    world = World(tmp_path)
    stage = world.stage()
    later = "b" * 32
    world.arrive(span(1, attributes=ATTRIBUTES), chat(2, 1))
    stage.wait(6)
    world.arrive(chat(4, 9, trace_id=later, attributes={"session.id": "s1"}))
    world.arrive(vote("session", "s1"))
    world.arrive(chat(20, trace_id="c" * 32, attributes={"session.id": "s1"}))
    stage.wait(6)
    assert world.rows("feedback") == []
    stage.finish()
    for _ in range(3):
        stage.wait(30)
    assert [row["trace_id"] for row in world.rows("feedback")] == [later]


def test_feedback_of_long_ago_finds_its_trace_of_long_ago(tmp_path: Path) -> None:
    """Traffic that is read again: its own time counts, not that of the worker; many days too."""
    world = World(tmp_path)
    world.arrive(span(1, attributes=ATTRIBUTES), chat(2, 1))
    votes = [
        vote("trace", TRACE, feedback_id=f"late-{n}", time_ns=START + n * 86_400 * SECOND)
        for n in range(50)
    ]
    world.arrive(vote("session", "s1"), *votes, after=400 * 86_400)
    stage = world.stage()
    stage.finish()
    written = {row["feedback_id"] for row in world.rows("feedback")}
    assert {"f1", "late-0", "late-1", "late-2"} <= written
    assert len(written) < 20
    assert stage.reports.waiting + stage.reports.left == 51 - len(written)


@pytest.mark.parametrize("time_ns", [0, 1_000])
def test_feedback_without_a_time_finds_what_arrived_lately(tmp_path: Path, time_ns: int) -> None:
    """Annotations of Phoenix say no time, and the spans may be of long ago."""
    world = World(tmp_path)
    world.now_us += 400 * 86_400_000_000
    world.arrive(span(1), chat(2, 1))
    world.arrive(vote("span", f"{2:016x}", time_ns=time_ns))
    stage = world.stage()
    stage.finish()
    assert [row["trace_id"] for row in world.rows("feedback")] == [TRACE] * (time_ns == 0)


def test_feedback_without_a_trace_is_left_to_the_job(tmp_path: Path) -> None:
    """After the term it is tried no more."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(vote("trace", "d" * 32))
    for _ in range(60):
        stage.wait(20)
    assert (stage.reports.left, stage.reports.waiting) == (1, 0)


def test_feedback_is_refused_where_a_rule_is_broken(tmp_path: Path) -> None:
    """It stays among the spans, and is counted by its reason."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1), chat(2, 1), replace(vote("trace", TRACE), time_ns=1_000_000))
    stage.wait(6)
    assert world.rows("feedback") == []
    assert stage.reports.waiting == 0
    assert stage.reports.refused == {"invalid": 1}
