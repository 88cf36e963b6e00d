"""Whatever befalls workers: the same records, the same labels, and each of them once."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from time import sleep
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.decision import events_in_force
from labels.scorer import LabelScorer
from lake.fences import ERASURE_FENCE
from lake.ledger import SourcePartition
from schemas.arrow import TABLES
from schemas.errors import FatalError, RetryableError
from schemas.record_batches import SENT_KINDS, RecordKind
from schemas.records import Feedback, LabelEvent, Trace
from tests.labels.kit import feedback, labels, partition_of, policy, told, trace
from tests.labels.worlds import records
from tests.lake.kit import commit_context
from tests.short_versions import drawn
from tests.stream.label_world import PARTITIONS, TOPICS, Worker, World, finish, haunt
from tests.stream.protocol.simulated import SimulatedLake

SCALES = LabelScorer(policy())
FATES = ["lands", "lands", "lands", "dies before", "dies after", "late"]


def happen(world: World, moves: int) -> None:
    """Let three workers, who may all believe to own the same partitions, do this and that."""
    random = world.random
    workers = [Worker(world) for _ in range(3)]
    for _ in range(moves):
        who = random.randrange(3)
        worker = workers[who]
        if not worker.assignment.owned or random.random() < 0.1:
            worker.take(random.choice([[0], [1], [0, 1]]))
        if random.random() < 0.8:
            worker.turn()
        for kind in random.sample(list(SENT_KINDS), random.randrange(3)):
            worker.flush(kind, random.randrange(1, 5))
        if random.random() < 0.15:
            haunt(world)
        if random.random() < 0.6 and not worker.label(fate=random.choice(FATES)):
            workers[who] = Worker(world)
        if random.random() < 0.1:
            workers[who] = Worker(world)
        assert world.problems() == []


@drawn(12, 30, records(), st.integers(0, 10**6))
def test_any_order_batching_crash_and_hand_over_gives_the_same_labels(
    world_records: Sequence[Trace | Feedback], seed: int
) -> None:
    """After any of it, the labels in force are those of a worker that nothing befell.

    No event is in the table twice, none that is in the table was not produced, and the positions of
    labels are never beyond what they rest on.
    """
    play(world_records, seed, moves=15)


@pytest.mark.chaos
@pytest.mark.timeout(1200)
@settings(max_examples=800)
@given(records(), st.integers(0, 10**6))
def test_the_same_for_longer(world_records: Sequence[Trace | Feedback], seed: int) -> None:
    """More worlds, and more that befalls their workers."""
    play(world_records, seed, moves=30)


def play(world_records: Sequence[Trace | Feedback], seed: int, *, moves: int) -> None:
    """Let it all happen, bring it to its end, and hold the labels against what they must be."""
    world = World(world_records, SCALES, Random(seed))  # noqa: S311 - repeatable, not secret
    happen(world, moves)
    while world.ghosts:
        haunt(world)
    finish(world)
    assert world.problems() == []
    events = world.events()
    assert told(events_in_force(events)) == told(labels(list(world_records), SCALES))
    assert {event.label_event_id for event in world.sent.events} == {
        event.label_event_id for event in events
    }


def made(*made_records: Trace | Feedback, **more: Any) -> tuple[World, Worker]:
    """Return a world of these records, and a worker that owns all of it."""
    world = World(made_records, SCALES, Random(0))  # noqa: S311
    worker = Worker(world, **more)
    worker.take(range(PARTITIONS))
    worker.turn()
    return world, worker


def flush_all(worker: Worker) -> None:
    """Bring all records into the lake."""
    for kind in SENT_KINDS:
        worker.flush(kind, 1000)


THUMB = feedback("f", "t")


def test_a_label_waits_for_its_records() -> None:
    """Nothing is decided from a record whose flush is not in the lake."""
    world, worker = made(trace("t"), THUMB)
    worker.flush(RecordKind.TRACE, 10)
    worker.label()
    assert "t" not in events_in_force(world.events()) or world.events()[0].evidence == []
    worker.flush(RecordKind.FEEDBACK, 10)
    worker.label()
    assert [e.feedback_id for e in events_in_force(world.events())["t"].evidence] == ["f"]


def test_a_record_that_changes_nothing_writes_nothing() -> None:
    """A record sent again is known, also to a worker that has read the join back from the lake."""
    world, worker = made(trace("t"), THUMB)
    flush_all(worker)
    worker.label()
    before = Counter(event.label_event_id for event in world.events())
    [source] = [s for s, log in world.logs.items() if THUMB in log]
    world.logs[source].append(THUMB)
    flush_all(worker)
    worker.label()
    world.logs[source].append(THUMB)
    other = Worker(world)
    other.take(range(PARTITIONS))
    other.turn()
    flush_all(other)
    other.label()
    assert Counter(event.label_event_id for event in world.events()) == before


def test_two_owners_each_ahead_in_one_topic_do_not_decide_from_half() -> None:
    """One has the feedback, the other the trace: who comes second reads both from the lake."""
    world, first = made(trace("t"), THUMB)
    second = Worker(world)
    second.take(range(PARTITIONS))
    second.turn()
    second.flush(RecordKind.FEEDBACK, 10)
    second.label()
    first.flush(RecordKind.TRACE, 10)
    first.label()
    assert "labels_fenced" in first.log.names
    finish(world)
    assert [e.feedback_id for e in events_in_force(world.events())["t"].evidence] == ["f"]


def test_labels_that_were_off_are_decided_when_they_are_turned_on() -> None:
    """What came meanwhile lies in the lake, within the window."""
    world, off = made(trace("t"), THUMB)
    flush_all(off)
    del off
    finish(world)
    assert "t" in events_in_force(world.events())


def test_positions_follow_where_nothing_is_decided() -> None:
    """When partitions are given up, the next owner has nothing left to decide."""
    world, worker = made(trace("quiet"))
    flush_all(worker)
    worker.label(everything=False)
    assert world.events() == []
    worker.label(everything=True)
    positions = {s: p for s, p in _positions(world).items() if world.logs[s]}
    assert positions == {source: len(log) for source, log in world.logs.items() if log}


def test_the_join_is_bounded() -> None:
    """What takes more memory than it may has its window cut, and says so."""
    many = [trace(f"t{i}", at=i * 100) for i in range(4000)]
    world, worker = made(*many, limit=150_000)
    flush_all(worker)
    worker.label()
    assert worker.label_driver.join.size().bytes <= 150_000
    assert "join_window_shortened" in worker.log.names
    again = Worker(world, limit=150_000)
    again.take(range(PARTITIONS))
    again.turn()
    assert again.label_driver.join.size().bytes <= 150_000


@pytest.mark.parametrize("counts", [(2, 2), (2, 3)])
def test_unequal_topics_are_left_to_the_batch_job(counts: tuple[int, int]) -> None:
    """The worker says so once, and decides nothing."""
    numbers = dict(zip((RecordKind.TRACE, RecordKind.FEEDBACK), counts, strict=True))
    world, worker = made(trace("t"), THUMB, count_partitions=lambda: numbers)
    flush_all(worker)
    worker.label()
    worker.turn()
    alike = counts[0] == counts[1]
    assert ("t" in events_in_force(world.events())) == alike
    assert worker.log.names.count("labels_left_to_batch") == (not alike)


def _positions(world: World) -> dict[Any, int | None]:
    sources = [*world.logs]
    worker = Worker(world)
    return {
        source: worker.label_driver.rebuild.tables.pairs([source.partition])[
            source.partition
        ].labelled[kind]
        for source in sources
        for kind, topic in TOPICS.items()
        if topic == source.topic
    }


def test_reading_on_goes_on_beside_a_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild takes a step between two polls; what is flushed meanwhile is joined after it."""
    world, worker = made(*[trace(f"t{i}", at=i) for i in range(20)])
    flush_all(worker)
    worker.label()
    monkeypatch.setattr("stream.label_driver.join_tables.READ_ROWS", 1)
    monkeypatch.setattr("stream.label_driver.join_rebuild.REBUILD_STEP_SECONDS", -1.0)
    other = Worker(world)
    other.take(range(PARTITIONS))
    for _ in range(5):
        other.label_driver.run_rebuild_step(other.assignment)
    assert other.label_driver.rebuilding
    words = [feedback(f"f{i}", f"t{i}") for i in range(20)]
    for word in words:
        world.logs[
            SourcePartition(TOPICS[RecordKind.FEEDBACK], partition_of(word, PARTITIONS))
        ].append(word)
    other.flush(RecordKind.FEEDBACK, 1000)
    other.turn()
    other.label()
    assert {f"t{i}" for i in range(20)} <= events_in_force(world.events()).keys()


def test_a_lake_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading back from the lake begins anew; after too long the worker stops."""
    monkeypatch.setattr("stream.label_driver.join_rebuild.REBUILD_RETRY_SECONDS", 0.0)
    world, worker = made(trace("t"), THUMB)
    flush_all(worker)
    other = Worker(world, retry_seconds=0.0)
    other.take(range(PARTITIONS))

    def silent(*_: Any) -> Any:
        raise RetryableError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(other.label_driver.rebuild.tables.labels, "refresh", silent)
        other.label_driver.run_rebuild_step(other.assignment)
        assert not other.label_driver.rebuilding
        sleep(0.01)
        with pytest.raises(FatalError, match="still failing"):
            other.label_driver.run_rebuild_step(other.assignment)
    other.label_driver.run_rebuild_step(other.assignment)
    other.turn()
    other.label()
    assert "t" in events_in_force(world.events())


def test_a_text_that_a_replay_has_redacted_is_not_brought_back() -> None:
    """The worker remembers the old one; it is fenced, reads the rows again, and writes the new."""
    raw, clean = "Ask Jane.", "Ask <PERSON:abc>."
    edit: dict[str, Any] = {"kind": "edit", "actor": "agent", "corrected_response": raw}
    sent: list[Trace | Feedback] = [trace("a"), feedback("e", "a", value=None, **edit)]
    sent.append(feedback("f", "a", at=90))
    world = World(sent, SCALES, Random(1))  # noqa: S311 - repeatable, not secret
    worker = Worker(world)
    worker.take(range(PARTITIONS))
    worker.turn()
    worker.flush(RecordKind.TRACE, 1)
    worker.flush(RecordKind.FEEDBACK, 1)
    worker.label()
    assert [event.expected_response for event in world.events()] == [raw]

    log = world.store["feedback"]
    at = TABLES["feedback"].arrow.get_field_index("corrected_response")
    for path in log.store:
        rows = log.rows(path, TABLES["feedback"].arrow)
        log.tables[path] = rows.set_column(at, rows.schema.field(at), pa.array([clean]))
    world.store["labels"].number("#relabelled", 1)

    worker.flush(RecordKind.FEEDBACK, 1)
    worker.label()
    assert [event.expected_response for event in world.events()] == [raw]
    assert "labels_fenced" in worker.log.names
    worker.turn()
    worker.label()
    assert events_in_force(world.events())["a"].expected_response == clean
    assert len(events_in_force(world.events())["a"].evidence) == 2
    assert world.problems() == []


def test_what_was_erased_is_forgotten_by_the_join() -> None:
    """Behind a fence nothing is written of what the join has read before; then it reads again."""
    known = [0]
    said = [feedback("erased", "a"), feedback("theirs", "a", at=90)]
    world = World([trace("a"), *said], SCALES, Random(1))  # noqa: S311 - repeatable, not secret
    worker = Worker(world, erasures=lambda: known[0])
    worker.take(range(PARTITIONS))
    worker.turn()
    worker.flush(RecordKind.TRACE, 1)
    worker.flush(RecordKind.FEEDBACK, 1)
    worker.label()
    assert _evidence(world.events()) == [["erased"]]

    log = world.store["feedback"]
    for path in log.store:
        found = log.rows(path, TABLES["feedback"].arrow)
        log.tables[path] = found.filter(pc.not_equal(found["feedback_id"], "erased"))
    labels_of = SimulatedLake(world.store).table("labels")
    ERASURE_FENCE.raise_to(labels_of, 1, commit_context())
    worker.flush(RecordKind.FEEDBACK, 1)
    worker.label()
    assert "labels_fenced" in worker.log.names
    assert _evidence(world.events()) == [["erased"]]

    known[0] = 1  # as the worker's loop does, once it has read the tombstones
    worker.turn()
    worker.label()
    assert _evidence(world.events())[1:] == [["theirs"]]


def _evidence(events: Sequence[LabelEvent]) -> list[list[str | None]]:
    return [[item.feedback_id for item in event.evidence] for event in events]
