"""Spans in the lake become whole traces, whatever happens on the way."""

from pathlib import Path

from tests.assembly.world import World
from tests.otel.make_spans import TRACE, chat, span


def test_a_trace_becomes_a_row_after_the_quiet_period(tmp_path: Path) -> None:
    """Once its root has ended and nothing more came; the row has a revision and a number."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1))
    world.arrive(chat(2, 1), after=1)
    stage.wait(4)
    assert world.rows() == []
    assert stage.reports.open == 1
    stage.wait(1)
    (row,) = world.rows()
    assert (row["trace_id"], row["revision"], row["response"]) == (TRACE, 1, "hi")
    assert (row["_topic"], row["_offset"], row["incomplete"]) == ("#assembly", 0, [])
    assert stage.stage.idle()


def test_late_spans_make_a_new_revision(tmp_path: Path) -> None:
    """From all spans of the trace; spans that change nothing write nothing."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1), chat(2, 1))
    stage.wait(5)
    world.arrive(chat(3, 1, answer="better"), after=60)
    stage.wait(5)
    world.arrive(chat(3, 1, answer="better"), after=60)
    stage.wait(5)
    assert [(r["revision"], r["response"]) for r in world.rows()] == [(1, "hi"), (2, "better")]
    world.check_sequences()
