"""A flush starts when it is due, one of a topic at a time; what was given up matters to nobody."""

from itertools import count
from typing import Any

import pytest

from lake.ledger import SourcePartition
from stream.buffer import Flush, TopicBuffer
from stream.failpoints import FlushStep
from stream.flush_scheduler import FlushScheduler, FlushThresholds
from stream.flusher import CommittedFlush, FailedFlush, FlushOutcome
from stream.owned_partition import Assignment, OwnedPartition
from stream.ranges import OpenRange
from tests.lake.kit import HERE, rows

TOPICS = ("a", "b")


class Inbox:
    """Stands for the flusher: keeps what it is given, and what it is told to say."""

    def __init__(self) -> None:
        self.given: list[Flush] = []
        self.said: list[FlushOutcome] = []

    def submit(self, flush: Flush) -> None:
        """Take a flush."""
        self.given.append(flush)

    def outcome(self, _seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next outcome."""
        return self.said.pop(0) if self.said else None

    def done(self, flush: Flush) -> None:
        """Say that a flush is in the lake."""
        self.said.append(CommittedFlush(flush, seconds=0.1, files=1, bytes=1))


class Desk:
    """Flushes of two topics, of each of which a partition is owned."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.steps: list[FlushStep] = []
        tokens = count(1)
        flusher: Any = self.inbox
        self.flushes = FlushScheduler(
            flusher=flusher,
            thresholds=FlushThresholds(bytes=10_000, seconds=30),
            reached=self.steps.append,
            new_token=lambda: next(tokens),
            buffers={topic: TopicBuffer(topic) for topic in TOPICS},
            erasures=lambda: 0,
        )
        self.assignment = Assignment()
        for topic in TOPICS:
            reading = OpenRange(SourcePartition(topic, 0), 0, 0)
            self.assignment.add([OwnedPartition(reading, None, None, None)])

    def read(self, topic: str, number: int = 1, now: float = 0.0) -> None:
        """Read records of a topic."""
        owned = self.assignment.owned[SourcePartition(topic, 0)]
        first = owned.range.next
        at = range(first, first + number)
        owned.range.read(at)
        self.flushes.buffers[topic].add(rows([(0, o) for o in at], topic=topic), now)

    def start(self, now: float = 0.0, **more: bool) -> list[str]:
        """Start what is due; return the topics of what was handed over."""
        before = len(self.inbox.given)
        self.flushes.start(self.assignment, dict.fromkeys(TOPICS, HERE), now, **more)
        return [flush.topic for flush in self.inbox.given[before:]]


@pytest.fixture
def desk() -> Desk:
    """Nothing read yet."""
    return Desk()


def test_nothing_is_due_where_nothing_was_read(desk: Desk) -> None:
    """Not even when everything is to be flushed."""
    assert desk.start(1e9, everything=True, memory_short=True) == []
    assert desk.steps == []


def test_age_makes_it_due(desk: Desk) -> None:
    """Counted from the first record, for each topic by itself."""
    desk.read("a", now=0)
    desk.read("b", now=10)
    assert desk.start(29.9) == []
    assert desk.start(30) == ["a"]
    assert desk.start(40) == ["b"]
    assert desk.steps == [FlushStep.SEALED] * 2


def test_size_makes_it_due(desk: Desk) -> None:
    """However young it is."""
    desk.read("a", 1)
    assert desk.start() == []
    desk.read("a", 500)
    assert desk.start() == ["a"]


@pytest.mark.parametrize("why", ["everything", "memory_short"])
def test_all_that_was_read_may_be_asked_for(desk: Desk, why: str) -> None:
    """At the end, and where memory is short."""
    desk.read("a")
    desk.read("b")
    assert desk.start(**{why: True}) == ["a", "b"]


def test_one_flush_of_a_topic_at_a_time(desk: Desk) -> None:
    """The next one starts where it ends, and not before its outcome is known."""
    desk.read("a", 2)
    desk.start(everything=True)
    desk.read("a", 3)
    assert desk.start(everything=True) == []
    desk.inbox.done(desk.inbox.given[0])
    assert desk.flushes.finished() is not None
    assert desk.start(everything=True) == ["a"]
    ranges = [(r.start, r.end) for flush in desk.inbox.given for r in flush.primary.ranges]
    assert ranges == [(0, 2), (2, 5)]
    assert [flush.token for flush in desk.inbox.given] == [1, 2]


def test_memory_is_held_until_the_flusher_lets_go(desk: Desk) -> None:
    """Also that of a flush that was given up: it is still being written."""
    desk.read("a", 100)
    size = desk.flushes.bytes()
    assert size > 0
    desk.start(everything=True)
    assert desk.flushes.bytes() == size
    given = desk.flushes.drop("a")
    assert given is desk.inbox.given[0]
    assert (desk.flushes.bytes(), desk.flushes.in_progress) == (size, False)
    desk.inbox.done(desk.inbox.given[0])
    assert desk.flushes.finished() is None
    assert desk.flushes.bytes() == 0


def test_the_outcome_of_a_flush_that_was_given_up_is_not_that_of_the_next(desk: Desk) -> None:
    """Only what was handed over last of a topic counts."""
    desk.read("a")
    desk.start(everything=True)
    desk.flushes.drop("a")
    desk.read("a")
    desk.start(everything=True)
    first, second = desk.inbox.given
    desk.inbox.said.append(FailedFlush(first, ValueError()))
    desk.inbox.done(second)
    finished = desk.flushes.finished()
    assert finished is not None
    assert finished.flush is second
    assert not desk.flushes.in_progress


def test_dropping_a_buffer_leaves_the_others(desk: Desk) -> None:
    """Each topic is by itself."""
    desk.read("a")
    desk.read("b")
    assert desk.flushes.drop("a") is None
    assert desk.start(everything=True) == ["b"]
