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


def test_a_root_that_is_missing_is_not_waited_for_longer_than_the_idle_period(
    tmp_path: Path,
) -> None:
    """The row says what is missing, and a root that comes late completes it."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(chat(2, 1))
    stage.wait(29)
    assert world.rows() == []
    stage.wait(1)
    assert [row["incomplete"] for row in world.rows()] == [["root_missing"]]
    world.arrive(span(1), after=300)
    stage.wait(5)
    assert [row["incomplete"] for row in world.rows()] == [["root_missing"], []]


def test_a_root_that_never_ends_is_marked(tmp_path: Path) -> None:
    """A root that has begun is no reason to assemble early."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1, end_ns=0), chat(2, 1))
    stage.wait(10)
    assert world.rows() == []
    stage.wait(20)
    assert [row["incomplete"] for row in world.rows()] == [["root_not_ended"]]


def test_traces_that_are_none_of_a_model_have_no_row(tmp_path: Path) -> None:
    """A health check stays among the spans, and the mark passes it."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1, name="GET /healthz"))
    stage.wait(5)
    assert world.rows() == []
    assert stage.stage.idle()
    assert [outcome.stored for outcome in stage.reports.outcomes] == [None]


def test_a_late_span_of_a_trace_that_is_forgotten_finds_the_others(tmp_path: Path) -> None:
    """Later than the term the state knows no more of the trace: its spans are searched for."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1), chat(2, 1))
    stage.wait(5)
    stage.wait(700)
    assert stage.stage.remembered == 0
    world.arrive(chat(3, 1, answer="late"))
    stage.finish()
    assert [row["response"] for row in world.rows()] == ["hi", "late"]
    assert world.rows()[1]["incomplete"] == []
    assert world.rows()[1]["revision"] == 2


def test_a_restart_remembers_what_was_assembled(tmp_path: Path) -> None:
    """What is below the mark is not assembled again, and late spans find it."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1))
    world.stage().wait(5)
    stage = world.stage()
    stage.wait(0)
    assert stage.reports.outcomes == []
    world.arrive(chat(3, 1, answer="late"), after=60)
    stage.wait(5)
    assert [row["response"] for row in world.rows()] == ["hi", "late"]
    world.check_sequences()


def test_two_owners_write_each_trace_once(tmp_path: Path) -> None:
    """The one that comes second is fenced, reads the lake again, and finds the row."""
    world = World(tmp_path)
    first, second = world.stage(), world.stage()
    first.wait(0)
    second.wait(0)
    world.arrive(span(1), chat(2, 1))
    first.wait(5)
    second.wait(0)
    second.wait(0)
    assert second.reports.rebuilds == ["start", "fenced"]
    assert len(world.rows()) == 1
    world.arrive(chat(3, 1, answer="late"), after=1)
    second.wait(5)
    first.wait(0)
    first.wait(0)
    assert [row["revision"] for row in world.rows()] == [1, 2]
    world.check_sequences()


def test_owners_of_different_shards_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each assembles its own traces."""
    world = World(tmp_path)
    even, odd = world.stage(range(0, 16, 2)), world.stage(range(1, 16, 2))
    ids = [f"{number:032x}" for number in range(1, 30)]
    world.arrive(*(chat(n, trace_id=trace_id) for n, trace_id in enumerate(ids, 1)))
    even.wait(5)
    odd.wait(0)
    assert sorted(row["trace_id"] for row in world.rows()) == ids
    assert even.reports.rebuilds == odd.reports.rebuilds == ["start"]
    assert {r["_partition"] % 2 for r in world.rows()} == {0, 1}
    world.check_sequences()
