"""Time limits for waiting, and the back-off before records are re-read."""

from dataclasses import dataclass

from schemas.errors import FatalError, RetryableError

BACKOFF_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long to wait, in seconds: for the final flush, in a rebalance, for failing steps."""

    drain_seconds: float
    revoke_seconds: float
    retry_seconds: float


@dataclass(slots=True)
class Backoff:
    """Blocks reading before ``until``, in seconds of a monotonic clock."""

    until: float = 0.0
    _since: float | None = None

    def failed(self, error: RetryableError, now: float, limit_seconds: float) -> None:
        """Start or extend the wait; FatalError if the failure has lasted too long."""
        self._since = self._since or now
        if now - self._since > limit_seconds:
            raise FatalError(f"still failing after {limit_seconds:g} s: {error}") from error
        self.until = now + BACKOFF_SECONDS

    def passed(self) -> bool:
        """Record that the step succeeded; return whether it had failed before."""
        failing, self._since = self._since is not None, None
        return failing
