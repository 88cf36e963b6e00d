"""The job takes in what the worker cannot, and writes nothing over an unchanged lake."""

from pathlib import Path

import pytest

from assembly.feedback_targets import TargetFinder
from assembly.feedback_writer import FeedbackWriter
from assembly.row_writer import RowRedactor, RowWriter
from assembly.shard_sequences import ShardSequences
from assembly.trace_assembler import TraceAssembler
from batch.trace_assembly.trace_reconciler import TraceReconciler, TraceRequest
from schemas.times import day_of_micros
from tests.assembly.test_feedback import vote
from tests.assembly.world import TERMS, NoTombstones, PlainRedactor, World
from tests.lake.kit import open_lake
from tests.otel.make_spans import START, TRACE, chat, span


def make_job(world: World, redactor: RowRedactor | None = None, **more: int) -> TraceReconciler:
    """Return the job on a world's lake."""
    lake = open_lake(world.folder)
    spans, traces = lake.table("otel_spans"), lake.table("traces")
    tools = (redactor or PlainRedactor(), NoTombstones(), lambda: world.now_us)
    return TraceReconciler(
        spans,
        RowWriter(ShardSequences(traces, world.context()), *tools),
        FeedbackWriter(
            TargetFinder(spans, traces),
            ShardSequences(lake.table("feedback"), world.context()),
            *tools,
        ),
        TraceAssembler(),
        TERMS,
        world.context(),
        lambda: world.now_us,
        **more,
    )


def test_it_assembles_what_no_worker_has(tmp_path: Path) -> None:
    """And nothing the second time, nor anything in a dry run."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1))
    world.arrive(chat(3, trace_id="f" * 32))
    world.now_us += TERMS.idle_us
    assert make_job(world).run(TraceRequest(dry_run=True)).to_json()["new"] == 2
    assert world.rows() == []
    assert make_job(world, portion_rows=1).run(TraceRequest()).to_json()["new"] == 2
    again = make_job(world).run(TraceRequest()).to_json()
    assert (again["new"], again["revised"], again["unchanged"]) == (0, 0, 2)
    world.check_sequences()


def test_traces_that_are_not_due_are_left_to_the_worker(tmp_path: Path) -> None:
    """A job beside a worker does not assemble half of a trace."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1))
    report = make_job(world).run(TraceRequest())
    assert (report.still_open, world.rows()) == (1, [])


def test_a_part_from_before_the_term_is_taken_in(tmp_path: Path) -> None:
    """A root without a row comes long before its calls: only the job knows both."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1))
    stage.wait(6)
    stage.wait(1_000)
    world.arrive(chat(2, 1), after=1_000)
    stage.finish()
    assert [row["incomplete"] for row in world.rows()] == [["root_missing"]]
    report = make_job(world).run(TraceRequest())
    assert report.to_json()["revised"] == 1
    assert [row["incomplete"] for row in world.rows()] == [["root_missing"], []]


def test_a_worker_that_knows_less_is_fenced(tmp_path: Path) -> None:
    """The worker reads the lake again, and its next revision follows the job's."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1), chat(2, 1))
    stage.wait(6)
    world.arrive(chat(3, 1, answer="second"), after=1)
    world.now_us += TERMS.idle_us
    make_job(world).run(TraceRequest())
    stage.wait(0)
    stage.wait(0)
    world.arrive(chat(4, 1, answer="third"), after=1)
    stage.finish()
    rows = sorted(world.rows(), key=lambda row: row["revision"])
    assert [row["response"] for row in rows] == ["hi", "second", "third"]
    world.check_sequences()


def test_a_trace_that_repeats_another_is_marked_and_stays_so(tmp_path: Path) -> None:
    """Also if its row was written first; a later revision of it keeps the mark."""
    world = World(tmp_path)
    resource = {"service.instance.id": "one"}
    world.arrive(
        span(1, resource=resource, scope="a"),
        chat(2, 1, resource=resource, scope="a"),
        chat(2, trace_id="e" * 32, resource=resource, scope="b"),
    )
    stage = world.stage()
    stage.finish()
    assert make_job(world).run(TraceRequest()).duplicates == 1
    marked = {row["trace_id"]: row["duplicate_of"] for row in world.in_force().values()}
    assert sorted(map(str, marked.values())) in ([TRACE, "None"], ["None", "e" * 32])
    count = len(world.rows())
    make_job(world).run(TraceRequest())
    assert len(world.rows()) == count


@pytest.mark.parametrize("days", [0, 1])
def test_days_limit_what_is_read(tmp_path: Path, days: int) -> None:
    """Traces of earlier days are left as they are."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1))
    world.now_us += TERMS.idle_us
    today = day_of_micros(START // 1000)
    report = make_job(world).run(TraceRequest(since=today.replace(day=today.day + days)))
    assert report.traces == 1 - days


def test_feedback_that_waited_too_long_is_resolved(tmp_path: Path) -> None:
    """Once, and with the trace that came after the worker gave up."""
    world = World(tmp_path)
    world.arrive(vote("trace", TRACE))
    world.arrive(span(1), chat(2, 1), after=5_000)
    world.now_us += TERMS.idle_us
    assert make_job(world).run(TraceRequest()).feedback == 1
    assert make_job(world).run(TraceRequest()).feedback == 0
    assert [row["trace_id"] for row in world.rows("feedback")] == [TRACE]
