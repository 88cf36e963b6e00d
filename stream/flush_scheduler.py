"""Tracks which flushes are due, in progress or abandoned."""

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
    """When a buffer is flushed: at this many bytes or after this many seconds."""

    bytes: int
    seconds: float


@dataclass(slots=True)
class FlushScheduler:
    """The buffers of all topics, and the flushes handed to the flusher.

    At most one flush per topic is in progress: the next one starts where it ends.
    """

    flusher: Flusher
    thresholds: FlushThresholds
    reached: Callable[[FlushStep], None]
    new_token: Callable[[], int]
    buffers: Mapping[str, TopicBuffer]
    erasures: TombstoneNumber
    _in_flight: dict[str, Flush | LabelFlush] = field(default_factory=dict)
    _abandoned: list[Flush | LabelFlush] = field(default_factory=list)

    @property
    def in_progress(self) -> bool:
        """Return whether a flush is in progress."""
        return bool(self._in_flight)

    def carries(self, ends: Mapping[SourcePartition, int]) -> bool:
        """Return whether a flush in progress contains offsets below these ends."""
        in_flight = (flush for flush in self._in_flight.values() if isinstance(flush, Flush))
        ranges = (item for flush in in_flight for item in flush.primary.ranges)
        return any(item.start < ends.get(item.source, 0) for item in ranges)

    def bytes(self) -> int:
        """Return the memory of buffers and running flushes, including abandoned ones."""
        waiting = sum(buffer.bytes for buffer in self.buffers.values())
        in_flight = sum(flush.bytes for flush in self._in_flight.values())
        return waiting + in_flight + sum(flush.bytes for flush in self._abandoned)

    def start(
        self,
        assignment: Assignment,
        incarnations: Mapping[str, Incarnation],
        now: float,
        *,
        everything: bool = False,
        memory_short: bool = False,
    ) -> None:
        """Submit the flushes that are due; with ``everything``, all that has been read."""
        for topic, buffer in self.buffers.items():
            if topic in self._in_flight or buffer.opened_at is None:
                continue
            full = buffer.bytes >= self.thresholds.bytes or (memory_short and buffer.bytes > 0)
            if everything or full or buffer.age(now) >= self.thresholds.seconds:
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
        """Submit a flush of a topic that has none in progress."""
        self._in_flight[flush.topic] = flush
        self.flusher.submit(flush)

    def finished(self, seconds: float = 0.0) -> FlushOutcome | None:
        """Return the next relevant outcome, waiting up to ``seconds``; None if there is none.

        Outcomes of abandoned flushes are discarded: their records are re-read.
        """
        while outcome := self.flusher.outcome(seconds):
            topic = outcome.flush.topic
            if self._in_flight.get(topic) is outcome.flush:
                del self._in_flight[topic]
                return outcome
            self._abandoned = [flush for flush in self._abandoned if flush is not outcome.flush]
        return None

    def drop(self, topic: str) -> Flush | LabelFlush | None:
        """Clear a topic's buffer; return its abandoned flush, if any."""
        if topic in self.buffers:
            self.buffers[topic].clear()
        flush = self._in_flight.pop(topic, None)
        if flush is not None:
            self._abandoned.append(flush)
        return flush
