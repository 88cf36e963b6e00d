"""The join: whatever the order, the batches and the mishaps, the same records, the same labels."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labels.evidence import Scales
from labels.reconcile import LakeRows, reconcile
from schemas.records import Feedback, Trace
from tests.labels.kit import (
    DAY,
    FEEDBACK,
    NOW,
    SECOND,
    START,
    TRACE,
    Worker,
    labels,
    policy,
    rows,
    told,
)
from tests.labels.worlds import happenings, records

SCALES = Scales(policy())
World = list[Trace | Feedback]


def happen(worker: Worker, steps: Sequence[tuple[Any, ...]]) -> None:
    """Let a worker go through some steps, and then finish."""
    for number, (what, *arguments) in enumerate(steps):
        if what == "die":
            worker.die(after=arguments[0], now=NOW + number)
        elif what in ("flush", "fail_to_flush"):
            getattr(worker, what)(now=NOW + number)
        else:
            getattr(worker, what)(*arguments)
    worker.finish(now=NOW + len(steps))


@settings(max_examples=150, deadline=None)
@given(records(), happenings())
def test_any_order_batching_and_death_gives_the_same_labels(
    world: World, steps: Sequence[tuple[Any, ...]]
) -> None:
    """However a worker reads, re-reads, fails and dies, the labels in force are the same."""
    worker = Worker(SCALES, world)
    happen(worker, steps)
    assert told(worker.final()) == told(labels(world, SCALES))


@settings(max_examples=100, deadline=None)
@given(records(), happenings())
def test_no_label_event_is_written_twice(world: World, steps: Sequence[tuple[Any, ...]]) -> None:
    """A worker that is killed at any step writes no event again, and none that is outranked."""
    worker = Worker(SCALES, world)
    happen(worker, steps)
    revisions: dict[str, int] = {}
    for event in worker.table:
        known = revisions.get(event.trace_id, 0)
        assert event.revision >= known
        revisions[event.trace_id] = event.revision


@settings(max_examples=60, deadline=None)
@given(records(), st.randoms(use_true_random=False))
def test_the_batch_job_agrees_with_itself_in_any_order(world: World, rng: Any) -> None:
    """Rows of the lake in any order of files give the batch job the same labels."""
    assert told(_reconciled(world, None)) == told(_reconciled(world, rng))


@settings(max_examples=60, deadline=None)
@given(records(), happenings())
def test_worker_and_batch_job_end_in_the_labels_of_the_batch_job_alone(
    world: World, steps: Sequence[tuple[Any, ...]]
) -> None:
    """What the worker decided from less is outranked by what the batch job finds, or is equal."""
    worker = Worker(SCALES, world, window=100 * SECOND)
    happen(worker, steps)
    ids = {trace_id: event.label_event_id for trace_id, event in worker.final().items()}
    worker.table += _reconciled(world, None, ids, now=NOW + DAY).values()
    assert told(worker.final()) == told(_reconciled(world, None))


def _reconciled(world: World, rng: Any, known: dict[str, str] | None = None, now: int = NOW) -> Any:
    worker = Worker(SCALES, world)
    parts = [
        (log, rows([record], partition=log[1], start=offset))
        for log, made in worker.logs.items()
        for offset, record in enumerate(made)
    ]
    if rng is not None:
        rng.shuffle(parts)
    lake = LakeRows(
        traces=[batch for log, batch in parts if log[0] is TRACE],
        feedback=[batch for log, batch in parts if log[0] is FEEDBACK],
        in_force=known or {},
    )
    as_of = START + 60 * DAY
    return {e.trace_id: e for e in reconcile(lake, SCALES, as_of=as_of, now=now)}
