"""Checks whether the tables hold all records that the topics held at startup.

Only the positions in the tables can show that: one worker reads only its own share, and the group's
offsets are committed only for lag tools. While something is missing, this waits, logs progress at
intervals, and fails at a time limit if there is one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lake.ledger import SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.events import EventLog

POLL_POSITIONS_SECONDS: Final = 1.0
"""The shortest interval between two reads of the tables."""
QUIET_SECONDS: Final = 3.0
"""A shorter wait for the rest of the group is not logged: it may be about to finish."""
LOG_INTERVAL_SECONDS: Final = 30.0
MAX_PARTITIONS_SHOWN: Final = 12
READING_POSITIONS: Final = "reading positions"


@dataclass(frozen=True, slots=True)
class CatchUpLimit:
    """How long to wait: ``seconds`` as given by the user, ``deadline`` on the monotonic clock."""

    seconds: int
    deadline: float


@dataclass(frozen=True, slots=True)
class LaggingPartition:
    """A partition whose table ``position`` is below ``end``; None if it was not begun."""

    source: SourcePartition
    position: int | None
    end: int

    def __str__(self) -> str:
        """Return the position and the end."""
        return f"{self.position} of {self.end}" if self.position is not None else f"- of {self.end}"


@dataclass(slots=True)
class CatchUp:
    """Polls the positions of all partitions until each has reached its end.

    ``ends`` are the offsets after the last record at the start, without partitions that have
    nothing to read. ``positions`` re-reads the tables; ``high`` asks Kafka for the current end of a
    partition. ``retried`` and ``recovered`` are called when the lake is unavailable and available
    again; failures are tolerated for ``retry_seconds``.
    """

    ends: Mapping[SourcePartition, int]
    positions: Callable[[Sequence[SourcePartition]], Mapping[SourcePartition, int | None]]
    high: Callable[[SourcePartition], int]
    log: EventLog
    monotonic: Callable[[], float]
    retry_seconds: float
    retried: Callable[[str, RetryableError, float], None] = lambda _step, _error, _wait: None
    recovered: Callable[[str], None] = lambda _step: None
    limit: CatchUpLimit | None = None
    _polled_at: float | None = None
    _waiting_since: float | None = None
    _logged_at: float | None = None
    _failing_since: float | None = None

    def overdue(self) -> bool:
        """Return whether the time limit has passed."""
        return self.limit is not None and self.monotonic() >= self.limit.deadline

    def reached(self, at_end: Collection[SourcePartition]) -> bool:
        """Return whether the tables hold everything; False if it is too early to ask again.

        ``at_end`` are partitions with nothing more to read. Raises FatalError if one of them has
        lost records that existed at the start, or if the lake or Kafka has been unavailable for too
        long.
        """
        now = self.monotonic()
        if self._polled_at is not None and now - self._polled_at < POLL_POSITIONS_SECONDS:
            return False
        self._polled_at = now
        try:
            lagging = self.lagging()
            self._refuse_lost([item for item in lagging if item.source in at_end])
        except RetryableError as error:
            self._tolerate(error, now)
            return False
        if self._failing_since is not None:
            self._failing_since = None
            self.recovered(READING_POSITIONS)
        if lagging:
            self._log_progress(lagging, now)
        return not lagging

    def lagging(self) -> list[LaggingPartition]:
        """Return the partitions whose position is below the end; errors as for ``positions``."""
        positions = self.positions(list(self.ends))
        return [
            LaggingPartition(source, positions[source], end)
            for source, end in self.ends.items()
            if (positions[source] or 0) < end
        ]

    def conclude(self) -> None:
        """Log that everything is there; raise FatalError, with what is missing, if time ran out."""
        if self.overdue():
            try:
                lagging = self.lagging()
            except RetryableError as error:
                raise FatalError(f"not caught up, as far as is known: {error}") from error
            if lagging:
                raise FatalError(self._describe_missing(lagging))
        self.log.info("caught_up", partitions=len(self.ends))

    def _refuse_lost(self, read: Sequence[LaggingPartition]) -> None:
        for item in read:
            now = self.high(item.source)
            if now < item.end:
                raise FatalError(
                    f"{item.source}: the topic ended at {item.end} at the start, and ends at "
                    f"{now} now: it was truncated (an unclean leader election, or a restored "
                    "broker). Records from before may be lost: restart the worker to catch up "
                    "with what Kafka has"
                )

    def _tolerate(self, error: RetryableError, now: float) -> None:
        self._failing_since = self._failing_since if self._failing_since is not None else now
        if now - self._failing_since > self.retry_seconds:
            raise FatalError(
                f"{READING_POSITIONS}: still failing after {self.retry_seconds:g} s ({error})"
            ) from error
        self.retried(READING_POSITIONS, error, POLL_POSITIONS_SECONDS)

    def _log_progress(self, lagging: Sequence[LaggingPartition], now: float) -> None:
        self._waiting_since = self._waiting_since if self._waiting_since is not None else now
        quiet_since = self._waiting_since + QUIET_SECONDS
        if self._logged_at is not None:
            quiet_since = self._logged_at + LOG_INTERVAL_SECONDS
        if now < quiet_since:
            return
        self._logged_at = now
        self.log.info(
            "waiting_for_partitions",
            partitions=len(lagging),
            positions={str(item.source): str(item) for item in lagging[:MAX_PARTITIONS_SHOWN]},
            seconds=round(now - self._waiting_since),
        )

    def _describe_missing(self, lagging: Sequence[LaggingPartition]) -> str:
        seconds = self.limit.seconds if self.limit else 0
        listed = lagging[:MAX_PARTITIONS_SHOWN]
        shown = ", ".join(f"{item.source} (at {item})" for item in listed)
        left = len(lagging) - len(listed)
        more = f" and {left} more" if left else ""
        return (
            f"not caught up within {seconds} s: {len(lagging)} of {len(self.ends)} partitions are "
            f"behind, {shown}{more}. The records read so far are in the lake; run it again to "
            "continue. If another worker of the group has these partitions, check that it runs"
        )
