"""How long is waited, and waiting before the same records are read again."""

from dataclasses import dataclass

from schemas.errors import FatalError, RetryableError

BACKOFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long to wait, in seconds: for flushes at the end, in a rebalance, for what fails."""

    drain_seconds: float
    revoke_seconds: float
    retry_seconds: float


@dataclass(slots=True)
class Backoff:
    """Nothing is read before ``until``, in seconds of a monotonic clock."""

    until: float = 0.0
    _since: float | None = None

    def failed(self, error: RetryableError, now: float, most_seconds: float) -> None:
        """Wait; FatalError when it has gone on for too long."""
        self._since = self._since or now
        if now - self._since > most_seconds:
            raise FatalError(f"still failing after {most_seconds:g} s: {error}") from error
        self.until = now + BACKOFF_SECONDS

    def passed(self) -> bool:
        """Take note that the step has answered; return whether it had failed before."""
        failing, self._since = self._since is not None, None
        return failing
