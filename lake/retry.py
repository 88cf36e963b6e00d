"""Retries with exponential back-off and full jitter, up to a time limit; never skips a step.

The scheme is "full jitter" from the AWS Architecture Blog (Exponential Backoff And Jitter, 2015):
sleep a uniform random time below min(cap, base * 2**attempt).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from schemas.errors import CommitUnknownError, FatalError, FencedError, RetryableError

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Retry:
    """How steps are retried.

    ``seconds`` bounds all attempts together. ``sleep`` waits that many seconds and returns True if
    the caller was asked to stop. ``uniform(low, high)`` is the source of randomness.
    """

    seconds: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], bool]
    uniform: Callable[[float, float], float]
    on_retry: Callable[[str, RetryableError, float], None] = lambda _action, _error, _wait: None
    on_recovered: Callable[[str], None] = lambda _action: None
    base: float = 0.1
    cap: float = 10.0

    def backoff(self, attempt: int) -> float:
        """Return how many seconds to wait after a failed attempt; the first has number 0."""
        return self.uniform(0, min(self.cap, self.base * 2 ** min(attempt, 16)))

    def call(self, action: str, step: Callable[[], ResultT]) -> ResultT:
        """Call ``step`` until it returns.

        Raises RetryableError if stopped while waiting, FatalError when the time is used up.
        If an attempt left its outcome unknown and no later one settled it, the first is a
        CommitUnknownError, and the second has one as its cause.
        """
        deadline = self.monotonic() + self.seconds
        attempt = 0
        unknown: CommitUnknownError | None = None
        while True:
            try:
                result = step()
            except RetryableError as error:
                unknown = error if isinstance(error, CommitUnknownError) else unknown
                self._wait(action, error, unknown, attempt, deadline)
                attempt += 1
            except FencedError:
                # The step itself works: it got an answer, if not the expected one.
                self._recovered(action, attempt)
                raise
            else:
                self._recovered(action, attempt)
                return result

    def _wait(
        self,
        action: str,
        error: RetryableError,
        unknown: CommitUnknownError | None,
        attempt: int,
        deadline: float,
    ) -> None:
        """Wait before the next attempt; raise if stopped, or if the time is used up."""
        wait = self.backoff(attempt)
        reason = unknown or error
        if self.monotonic() + wait > deadline:
            if self.sleep(0):  # stopped during the last attempt: not a failure
                raise reason
            text = f"{action}: still failing after {self.seconds:g} s of trying ({error})"
            hint = "" if unknown is None else "; the change may have been made"
            raise FatalError(text + hint) from reason
        self.on_retry(action, error, wait)
        if self.sleep(wait):
            raise reason

    def _recovered(self, action: str, attempt: int) -> None:
        if attempt:
            self.on_recovered(action)


def call_with_retry(retry: Retry | None, action: str, step: Callable[[], ResultT]) -> ResultT:
    """Call a step with retries; once, if ``retry`` is None."""
    return step() if retry is None else retry.call(action, step)
