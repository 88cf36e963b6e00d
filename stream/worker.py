"""The worker's loop: polls, takes records in, hands flushes over, follows the consumer group.

One turn of the loop takes a batch from Kafka, processes the flusher's outcomes, starts the flushes
that are due, and opens or closes the memory gate. Only this thread touches the state; the flusher's
thread takes sealed flushes and returns outcomes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from lake.ledger import SourcePartition
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, RetryableError
from schemas.record_batches import RawRecord
from stream.adaptive_batch import AdaptiveBatch
from stream.applied_tombstones import AppliedTombstones
from stream.assembly_driver.driver import AssemblyDriver, NoAssembly
from stream.backoff import BACKOFF_SECONDS, Backoff, WaitLimits
from stream.buffer import Flush
from stream.catch_up import CatchUp
from stream.client_errors import is_fatal, translate_fatal
from stream.cluster import Cluster
from stream.events import EventLog
from stream.failpoints import FlushStep
from stream.flush_scheduler import FlushScheduler
from stream.flusher import CommittedFlush, FailedFlush, FlushOutcome
from stream.intake import Intake
from stream.label_driver.driver import LabelDriver
from stream.label_driver.label_flush import LABELS_MARKER, LabelFlush, LabelsFlushed
from stream.label_driver.no_labels import NoLabels
from stream.leader_epochs import raise_if_truncated, record_epochs
from stream.memory import MemoryGate
from stream.messages import is_offset_reset, source_of, to_raw, to_sources
from stream.observer import DECODING, WorkerObserver
from stream.owned_partition import Assignment, OwnedPartition
from stream.partition_consumer import PartitionConsumer
from stream.partition_ownership import PartitionOwnership

POLL_SECONDS = 0.2
OBSERVE_SECONDS = 2.0
JOIN_SECONDS = 2.0  # a thread that hangs in a request to the lake is abandoned after this


@dataclass(slots=True)
class Worker:
    """Owns the consumer and everything that depends on its records."""

    kafka: PartitionConsumer
    cluster: Cluster
    partitions: PartitionOwnership
    intakes: Mapping[str, Intake]
    flushes: FlushScheduler
    gate: MemoryGate
    pace: AdaptiveBatch
    limits: WaitLimits
    retry: Retry
    observer: WorkerObserver
    log: EventLog
    label_driver: LabelDriver | NoLabels
    assembly: AssemblyDriver | NoAssembly
    erasures: AppliedTombstones
    reached: Callable[[FlushStep], None]
    stop_requested: Callable[[], bool]
    give_up: Callable[[], None]
    monotonic: Callable[[], float] = time.monotonic
    backoff: Backoff = field(default_factory=Backoff)
    _rebalanced: bool = False
    _fenced: bool = False
    _observed_at: float = 0.0

    @property
    def assignment(self) -> Assignment:
        """Return the partitions that this worker owns."""
        return self.partitions.assignment

    def run(self, goal: CatchUp | None = None) -> bool:
        """Read until asked to stop, or until ``goal`` is reached; return False if asked to stop.

        Raises FatalError if only an operator can help, or if the goal's time is over. The next
        worker then re-reads the buffered records.
        """
        topics = list(self.intakes)
        self.flushes.flusher.start()
        self.assembly.start()
        self.kafka.subscribe(
            topics, on_assign=self.on_assign, on_revoke=self.on_revoke, on_lost=self.on_lost
        )
        try:
            reached = self._loop(goal)
            while not self._drain() and goal is not None and reached and not goal.overdue():
                # Drained records are invalid, labels for example, and are re-read.
                if self._fenced:
                    self._reload_tombstones()
                self._take_again(self.partitions.sources)
                reached = self._loop(goal)
            if goal is not None and reached:
                goal.conclude()
            return reached
        finally:
            self.give_up()
            self._abandon()
            self.assembly.stop(JOIN_SECONDS)
            self.kafka.close()
            self.flushes.flusher.stop(JOIN_SECONDS)

    def _loop(self, goal: CatchUp | None) -> bool:
        """Turn until the goal is reached or overdue; return False if asked to stop."""
        try:
            while not self.stop_requested():
                self.turn()
                if goal is not None and (goal.overdue() or self._caught_up(goal)):
                    return True
        except RetryableError:
            # A signal arrived while a step waited for a retry, in a rebalance for example.
            if not self.stop_requested():
                raise
        except KafkaException as error:  # for example of a client that has ended
            raise self.cluster.translate(error.args[0], "") from error
        self.log.info("stopping", buffered_bytes=self.flushes.bytes())
        return False

    # -- one turn -------------------------------------------------------------------------------

    def turn(self) -> None:
        """Take a batch, process outcomes, and start the flushes that are due."""
        self.observer.health.turned(self.monotonic())
        wait = 0.0 if self.label_driver.rebuilding else POLL_SECONDS
        batch = self.kafka.poll(self.pace.batch, wait)
        if self._rebalanced:
            # The batch may hold records from before a rebalance; only the positions count.
            self._rebalanced = False
            self.kafka.reposition(self.assignment.owned.values())
        else:
            self._take(batch)
        self._handle_outcomes()
        if self._fenced:
            self._reload_tombstones()
        self.assembly.check()
        self.assembly.own(self.assignment)
        self.label_driver.run_rebuild_step(self.assignment)
        self._start_flushes()
        self._control_gate()
        self._observe()

    def _take(self, batch: Sequence[Any]) -> None:
        raws: dict[str, list[RawRecord]] = defaultdict(list)
        ends: list[tuple[SourcePartition, int]] = []
        last: dict[SourcePartition, Any] = {}
        with_headers = {topic for topic, intake in self.intakes.items() if intake.reads_headers}
        for message in batch:
            error = message.error()
            if error is None:
                topic = message.topic()
                raws[topic].append(to_raw(message, headers=topic in with_headers))
                last[source_of(message)] = message
            elif error.code() == KafkaError._PARTITION_EOF:
                ends.append((source_of(message), message.offset()))
            elif self._client_error(error, message):
                return  # a topic was reset: the earlier records of this batch are re-read
        waiting = {topic for topic, records in raws.items() if not self._take_topic(topic, records)}
        record_epochs(
            self.assignment, {s: message for s, message in last.items() if s.topic not in waiting}
        )
        for source, offset in ends:
            if source.topic not in waiting:
                self._reached_end(source, offset)
        if waiting:
            self.kafka.reposition(self.assignment.owned.values())

    def _take_topic(self, topic: str, records: Sequence[RawRecord]) -> bool:
        """Take records of one topic in; return False if that must be retried later."""
        began = self.monotonic()
        try:
            new_records = self.intakes[topic].take(
                records, self.assignment, self.flushes.buffers[topic], began
            )
        except RetryableError as error:
            self.backoff.failed(error, began, self.limits.retry_seconds)
            self.observer.retried(DECODING, error, BACKOFF_SECONDS)
            return False
        if self.backoff.passed():
            self.observer.recovered(DECODING)
        size = sum(len(raw.value) for raw in records if raw.value)
        self.pace.took(len(records), size, self.monotonic() - began)
        self.observer.read(topic, new_records, records)
        return True

    def _reached_end(self, source: SourcePartition, offset: int) -> None:
        owned = self.assignment.owned.get(source)
        if owned is None:
            return
        owned.range.skip_to(offset, "absent")
        owned.at_end = True
        if owned.range.moved:
            self.flushes.buffers[source.topic].touch(self.monotonic())

    def _client_error(self, error: KafkaError, message: Any) -> bool:
        """Handle an error of the client; return True if a topic was reset."""
        topic: str | None = message.topic()
        if is_offset_reset(error):
            for name in self.intakes:
                if topic in {name, None}:
                    self._reset(name)
            # By their offsets, Kafka has all records that the tables are based on.
            raise_if_truncated(error, message, self.assignment)
            return True
        if is_fatal(error):
            raise translate_fatal(error)
        translated = self.cluster.translate(error, topic or "")
        if isinstance(translated, FatalError):
            raise translated
        self.observer.kafka_error(error)
        return False

    # -- flushing -------------------------------------------------------------------------------

    def _start_flushes(self, *, everything: bool = False) -> None:
        self.flushes.start(
            self.assignment,
            self.partitions.incarnations,
            self.monotonic(),
            everything=everything,
            memory_short=self.gate.closed,
        )
        busy = self.flushes.in_progress
        labels = self.label_driver.seal(
            self.partitions.incarnations, everything=everything, busy=busy
        )
        if labels is not None:
            self.flushes.submit(labels)

    def _handle_outcomes(self) -> None:
        """Process what the flusher has finished, and return the memory of its rows."""
        finished = 0
        while outcome := self.flushes.finished():
            self._handle_outcome(outcome)
            finished += 1
        if finished:
            self.gate.trim()

    def _handle_outcome(self, outcome: FlushOutcome) -> None:
        """Process the outcome of a flush."""
        if isinstance(outcome, CommittedFlush):
            self._committed(outcome)
        elif isinstance(outcome, LabelsFlushed):
            self.label_driver.finish_flush(outcome)
        elif not isinstance(outcome.error, FencedError):
            raise outcome.error
        elif isinstance(outcome.flush, LabelFlush):
            self._fenced = True
            self.label_driver.finish_flush(outcome.error)
        else:
            self._fenced = True
            self.observer.fenced(outcome.flush, outcome.error)
            self._reset(outcome.flush.topic)

    def _committed(self, flushed: CommittedFlush) -> None:
        self.observer.committed(flushed)
        self.label_driver.add_flushed(flushed.flush)
        offsets = [
            TopicPartition(item.topic, item.partition, item.end)
            for item in flushed.flush.primary.ranges
            if item.source in self.assignment.owned
        ]
        if offsets:
            try:
                self.kafka.commit(offsets)
            except KafkaException as error:
                self.observer.offsets_not_committed(error.args[0].name())
        self.reached(FlushStep.OFFSETS_COMMITTED)

    def _flush_everything(self, seconds: float) -> bool:
        """Flush all buffers and wait; return False if that failed or took too long."""
        deadline = self.monotonic() + seconds
        while True:
            self._start_flushes(everything=True)
            if not self.flushes.in_progress:
                return True
            left = deadline - self.monotonic()
            if left <= 0:
                return False
            outcome = self.flushes.finished(min(left, POLL_SECONDS))
            if isinstance(outcome, FailedFlush) and isinstance(outcome.flush, Flush):
                if not isinstance(outcome.error, FencedError):
                    raise outcome.error
                self._fenced = True
                self.observer.fenced(outcome.flush, outcome.error)
                return False
            if outcome is not None:
                self._handle_outcome(outcome)

    def _abandon(self) -> None:
        """Drop everything not known to be in the lake: always safe, since it is re-read."""
        for topic in (*self.intakes, LABELS_MARKER):
            flush = self.flushes.drop(topic)
            if isinstance(flush, Flush):
                self.observer.abandoned(flush)
        self.label_driver.abandon()

    def _drain(self) -> bool:
        """Flush the buffers; return False if that was given up or fenced."""
        self.kafka.pause(self.partitions.sources)
        drained = self._flush_everything(self.limits.drain_seconds)
        if not drained:
            self._abandon()
        return drained and not self._fenced

    # -- partitions -----------------------------------------------------------------------------

    def on_assign(self, _consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        """Own partitions, from the tables' positions."""
        sources = to_sources(partitions)
        owned = self._own(sources)
        self.partitions.check_epochs(owned)
        self.kafka.assign(owned)
        self._rebalanced = True
        self.observer.assigned(owned)

    def on_revoke(self, _consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        """Flush what the buffers hold, and give partitions back."""
        flushed = self._flush_everything(self.limits.revoke_seconds)
        self._give_back(partitions, flushed=flushed)

    def on_lost(self, _consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        """Drop what the buffers hold, and give up partitions that another worker may own."""
        self._give_back(partitions, flushed=False)

    def _give_back(self, partitions: Sequence[TopicPartition], *, flushed: bool) -> None:
        sources = to_sources(partitions)
        self.partitions.remove(sources)
        self.label_driver.drop_partitions(sources)
        self.observer.revoked(sources, flushed=flushed)
        if not flushed:
            self._abandon()
            self.partitions.take(self.partitions.sources)
        self.kafka.unassign(partitions)
        self._rebalanced = True

    def _reset(self, topic: str) -> None:
        """Drop a topic's buffer and continue from the tables' positions."""
        self.flushes.drop(topic)
        self._take_again([item.source for item in self.assignment.of(topic)])

    def _reload_tombstones(self) -> None:
        """Reload tombstones after a fence; if there are new ones, re-read everything with them."""
        self._fenced = False
        if not self.retry.call("reading tombstones", self.erasures.reload):
            return
        self.observer.erasures(self.erasures.newest)
        self._abandon()
        self._take_again(self.partitions.sources)

    def _take_again(self, sources: Sequence[SourcePartition]) -> None:
        self._own(sources)
        self.kafka.reposition(self.assignment.owned.values())

    def _own(self, sources: Sequence[SourcePartition]) -> list[OwnedPartition]:
        owned = self.partitions.take(sources)
        self.label_driver.drop_partitions(sources)
        return owned

    # -- memory and time ------------------------------------------------------------------------

    def _control_gate(self) -> None:
        full = self.gate.update(self.flushes.bytes())
        wait = full or self.monotonic() < self.backoff.until
        if wait and not self.kafka.paused:
            self.kafka.pause(self.partitions.sources)
            self.observer.paused("memory" if full else "retry")
        elif self.kafka.paused and not wait:
            self.kafka.resume(self.partitions.sources)
            self.observer.resumed()

    def _caught_up(self, goal: CatchUp) -> bool:
        """Return whether the tables hold all that the goal asks for; checks the own share first."""
        if self.label_driver.unjoined(self.assignment):
            return False
        owned = self.assignment.owned
        short = [
            item for item in owned.values() if item.range.start < goal.ends.get(item.source, 0)
        ]
        # Committed transactions end in a marker, an offset without a record. So only the client can
        # report that the end of a partition is reached.
        if any(not i.at_end and i.range.next < goal.ends[i.source] for i in short):
            return False
        if any(item.range.moved for item in short):
            self._start_flushes(everything=True)
            return False
        if self.flushes.carries(goal.ends):
            return False
        return goal.reached([item.source for item in short]) and self.assembly.caught_up()

    def _observe(self) -> None:
        now = self.monotonic()
        if now - self._observed_at < OBSERVE_SECONDS:
            return
        self._observed_at = now
        self.observer.gauges.refresh(self.kafka, self.assignment, self.flushes.bytes())
