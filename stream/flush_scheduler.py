"""Which flushes are due, which are under way, and which were given up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lake.ledger import Incarnation, SourcePartition
from stream.applied_tombstones import TombstoneNumber
from stream.buffer import Flush, TopicBuffer
from stream.failpoints import FlushStep
from stream.flusher import Flusher, FlushOutcome
from stream.label_driver.label_flush import LabelFlush
from stream.owned_partition import Assignment


@dataclass(frozen=True, slots=True)
class FlushThresholds:
    """When a buffer is flushed: at this many bytes, or after this many seconds."""

    bytes: int
    seconds: float


@dataclass(slots=True)
class FlushScheduler:
    """The buffers of all topics, and what has been handed to the flusher.

    One flush of a topic is under way at a time: the next one starts where it ends.
    """

    flusher: Flusher
    due: FlushThresholds
    reached: Callable[[FlushStep], None]
    new_token: Callable[[], int]
    buffers: Mapping[str, TopicBuffer]
    erasures: TombstoneNumber
    _in_flight: dict[str, Flush | LabelFlush] = field(default_factory=dict)
    _abandoned: list[Flush | LabelFlush] = field(default_factory=list)

    @property
    def under_way(self) -> bool:
        """Return whether the outcome of a flush is still to come."""
        return bool(self._in_flight)

    def carries(self, ends: Mapping[SourcePartition, int]) -> bool:
        """Return whether something from below these offsets is on its way into the lake."""
        flying = (flush for flush in self._in_flight.values() if isinstance(flush, Flush))
        ranges = (item for flush in flying for item in flush.primary.ranges)
        return any(item.start < ends.get(item.source, 0) for item in ranges)

    def bytes(self) -> int:
        """Return the memory that is held for flushes, due or under way or given up but running."""
        waiting = sum(buffer.bytes for buffer in self.buffers.values())
        flying = sum(flush.bytes for flush in self._in_flight.values())
        return waiting + flying + sum(flush.bytes for flush in self._abandoned)

    def start(
        self,
        assignment: Assignment,
        incarnations: Mapping[str, Incarnation],
        now: float,
        *,
        everything: bool = False,
        memory_short: bool = False,
    ) -> None:
        """Hand over what is due; with ``everything``, whatever has been read."""
        for topic, buffer in self.buffers.items():
            if topic in self._in_flight or buffer.opened_at is None:
                continue
            full = buffer.bytes >= self.due.bytes or (memory_short and buffer.bytes > 0)
            if everything or full or buffer.age(now) >= self.due.seconds:
                flush = buffer.seal(
                    assignment.of(topic),
                    incarnations[topic],
                    self.new_token(),
                    erasures=self.erasures(),
                )
                if flush is not None:
                    self.reached(FlushStep.SEALED)
                    self.submit(flush)

    def submit(self, flush: Flush | LabelFlush) -> None:
        """Hand over a flush of a topic of which none is under way."""
        self._in_flight[flush.topic] = flush
        self.flusher.submit(flush)

    def finished(self, seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next outcome that still matters, waiting that long; None if there is none.

        The outcome of a flush that was given up matters to nobody: its records are read again.
        """
        while outcome := self.flusher.outcome(seconds):
            topic = outcome.flush.topic
            if self._in_flight.get(topic) is outcome.flush:
                del self._in_flight[topic]
                return outcome
            self._abandoned = [flush for flush in self._abandoned if flush is not outcome.flush]
        return None

    def drop(self, topic: str) -> Flush | LabelFlush | None:
        """Drop what is buffered of a topic; return the flush that was given up, if any."""
        if topic in self.buffers:
            self.buffers[topic].clear()
        flush = self._in_flight.pop(topic, None)
        if flush is not None:
            self._abandoned.append(flush)
        return flush
