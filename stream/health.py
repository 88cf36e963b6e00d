"""The worker's health for its probes: whether the loop is running, and the worker ready."""

from collections.abc import Callable
from dataclasses import dataclass, field

from stream.broker_heartbeat import SILENT_SECONDS

STUCK_SECONDS = 120.0


@dataclass(slots=True)
class WorkerHealth:
    """``monotonic`` is a clock in seconds, ``silence`` the seconds since a broker last answered.

    The probes call `live` and `ready` from threads of their own. Until the loop's first turn, the
    start counts as one; each of its waits has a limit below ``STUCK_SECONDS``.
    """

    monotonic: Callable[[], float]
    silence: Callable[[], float] = lambda: 0.0
    _turned_at: float = field(init=False)
    _assigned: bool = False
    _failing: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turned_at = self.monotonic()

    def live(self) -> str | None:
        """Return None while the loop runs."""
        still = self.monotonic() - self._turned_at
        return None if still < STUCK_SECONDS else f"the loop has not run for {still:.0f} s"

    def ready(self) -> str | None:
        """Return None while partitions are assigned, and Kafka and the lake are available."""
        if self.kafka_silent:
            return f"no Kafka broker has answered for {self.silence():.0f} s"
        if not self._assigned:
            return "no partitions have been assigned"
        return next(iter(list(self._failing.values())), None)

    @property
    def kafka_silent(self) -> bool:
        """Return whether the brokers have been silent for too long."""
        return self.silence() > SILENT_SECONDS

    def turned(self, now: float) -> None:
        """Record a turn of the loop."""
        self._turned_at = now

    def assigned(self) -> None:
        """Record that the group has assigned partitions, maybe none."""
        self._assigned = True

    def unassigned(self) -> None:
        """Record that partitions were lost, until the group assigns partitions again."""
        self._assigned = False

    def failing(self, step: str, detail: str) -> None:
        """Record a failing step; ``detail`` is shown by `ready`."""
        self._failing[step] = detail

    def recovered(self, step: str) -> None:
        """Record that a step succeeds again."""
        self._failing.pop(step, None)
