"""Do the tables hold all that the topics held at the start, whoever of the group brought it there?

Only the positions in the tables can answer that: what one worker has read is its own share, and the
group's offsets are a courtesy to lag tools. For what is missing, this waits, says so in the log now
and then, and ends at a time limit if there is one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lake.ledger import SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.events import EventLog

POLL_POSITIONS_SECONDS: Final = 1.0
"""The tables are asked that often, at most."""
QUIET_SECONDS: Final = 3.0
"""So long a wait for others of the group is nothing to tell of: they may be just about to end."""
LOG_INTERVAL_SECONDS: Final = 30.0
MAX_PARTITIONS_SHOWN: Final = 12
READING_POSITIONS: Final = "reading positions"


@dataclass(frozen=True, slots=True)
class CatchUpLimit:
    """How long to wait: ``seconds`` as a person gave it, ``deadline`` by the monotonic clock."""

    seconds: int
    deadline: float


@dataclass(frozen=True, slots=True)
class LaggingPartition:
    """A partition of which the tables lack something: ``position`` of ``end`` (None: not begun)."""

    source: SourcePartition
    position: int | None
    end: int

    def __str__(self) -> str:
        """Say where the tables stand."""
        return f"{self.position} of {self.end}" if self.position is not None else f"- of {self.end}"


@dataclass(slots=True)
class CatchUp:
    """Asks for the positions of all partitions until each has reached its end.

    ``ends`` are the offsets after the last record at the start, without partitions that nothing
    has to be brought from. ``positions`` reads the tables anew; ``high`` asks Kafka for the end of
    a partition now. ``retried`` and ``recovered`` hear of a lake that does not answer, which is
    borne with for ``retry_seconds``.
    """

    ends: Mapping[SourcePartition, int]
    positions: Callable[[Sequence[SourcePartition]], Mapping[SourcePartition, int | None]]
    high: Callable[[SourcePartition], int]
    log: EventLog
    monotonic: Callable[[], float]
    retry_seconds: float
    retried: Callable[[str, RetryableError, float], None] = lambda _what, _error, _wait: None
    recovered: Callable[[str], None] = lambda _what: None
    limit: CatchUpLimit | None = None
    _asked_at: float | None = None
    _waits_since: float | None = None
    _said_at: float | None = None
    _failing_since: float | None = None

    def overdue(self) -> bool:
        """Return whether the time limit has passed."""
        return self.limit is not None and self.monotonic() >= self.limit.deadline

    def reached(self, at_end: Collection[SourcePartition]) -> bool:
        """Return whether the tables hold everything; False where it is not time to ask again.

        ``at_end`` are partitions of which there is nothing more to read. Raises FatalError if one
        of them has lost records that were there at the start, or if the lake or Kafka has not
        answered for too long.
        """
        now = self.monotonic()
        if self._asked_at is not None and now - self._asked_at < POLL_POSITIONS_SECONDS:
            return False
        self._asked_at = now
        try:
            behind = self.behind()
            self._refuse_lost([one for one in behind if one.source in at_end])
        except RetryableError as error:
            self._bear(error, now)
            return False
        if self._failing_since is not None:
            self._failing_since = None
            self.recovered(READING_POSITIONS)
        if behind:
            self._say(behind, now)
        return not behind

    def behind(self) -> list[LaggingPartition]:
        """Return the partitions whose position is below the end; errors as of ``positions``."""
        found = self.positions(list(self.ends))
        return [
            LaggingPartition(source, found[source], end)
            for source, end in self.ends.items()
            if (found[source] or 0) < end
        ]

    def conclude(self) -> None:
        """Log that all is there. Raises FatalError, with what is not, if the time was too short."""
        if self.overdue():
            try:
                behind = self.behind()
            except RetryableError as error:
                raise FatalError(f"not caught up as far as can be seen: {error}") from error
            if behind:
                raise FatalError(self._too_late(behind))
        self.log.info("caught_up", partitions=len(self.ends))

    def _refuse_lost(self, read: Sequence[LaggingPartition]) -> None:
        for one in read:
            now = self.high(one.source)
            if now < one.end:
                raise FatalError(
                    f"{one.source}: the topic ended at {one.end} when this began, and ends at "
                    f"{now} now: it was truncated (an unclean leader election, or a restored "
                    "broker). Records that were there at the start may be lost: start the worker "
                    "again to catch up with what Kafka has"
                )

    def _bear(self, error: RetryableError, now: float) -> None:
        self._failing_since = self._failing_since if self._failing_since is not None else now
        if now - self._failing_since > self.retry_seconds:
            raise FatalError(
                f"{READING_POSITIONS}: still failing after {self.retry_seconds:g} s of trying ({error})"
            ) from error
        self.retried(READING_POSITIONS, error, POLL_POSITIONS_SECONDS)

    def _say(self, behind: Sequence[LaggingPartition], now: float) -> None:
        self._waits_since = self._waits_since if self._waits_since is not None else now
        quiet_since = self._waits_since + QUIET_SECONDS
        if self._said_at is not None:
            quiet_since = self._said_at + LOG_INTERVAL_SECONDS
        if now < quiet_since:
            return
        self._said_at = now
        self.log.info(
            "waiting_for_partitions",
            partitions=len(behind),
            positions={str(one.source): str(one) for one in behind[:MAX_PARTITIONS_SHOWN]},
            seconds=round(now - self._waits_since),
        )

    def _too_late(self, behind: Sequence[LaggingPartition]) -> str:
        seconds = self.limit.seconds if self.limit else 0
        shown = ", ".join(f"{one.source} (at {one})" for one in behind[:MAX_PARTITIONS_SHOWN])
        more = (
            f" and {len(behind) - MAX_PARTITIONS_SHOWN} more"
            if len(behind) > MAX_PARTITIONS_SHOWN
            else ""
        )
        return (
            f"not caught up within {seconds} s: {len(behind)} of {len(self.ends)} partitions are "
            f"behind, {shown}{more}. What is read is in the lake; run it again to go on from "
            "there. If another member of the group has these partitions, look whether it reads"
        )
