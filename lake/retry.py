"""Trying again: exponential back-off with full jitter, bounded in time, never skipping.

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
    """How to try again.

    ``seconds`` bounds the whole effort; ``sleep`` waits that many seconds and returns True if the
    caller was told to stop meanwhile; ``uniform(low, high)`` is the source of randomness.
    """

    seconds: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], bool]
    uniform: Callable[[float, float], float]
    on_retry: Callable[[str, RetryableError, float], None] = lambda _what, _error, _wait: None
    on_recovered: Callable[[str], None] = lambda _what: None
    base: float = 0.1
    cap: float = 10.0

    def call(self, what: str, step: Callable[[], ResultT]) -> ResultT:
        """Call ``step`` until it returns.

        Raises RetryableError if told to stop while waiting, FatalError when the time is used up.
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
                if isinstance(error, CommitUnknownError):
                    unknown = error
                wait = self.uniform(0, min(self.cap, self.base * 2 ** min(attempt, 16)))
                if self.monotonic() + wait > deadline:
                    if self.sleep(0):
                        raise unknown or error  # told to stop during the last try: no failure
                    raise self._used_up(what, error, unknown) from (unknown or error)
                self.on_retry(what, error, wait)
                if self.sleep(wait):
                    raise unknown or error
                attempt += 1
            except FencedError:
                # An answer, though not the one that was hoped for: the step is not in trouble.
                if attempt:
                    self.on_recovered(what)
                raise
            else:
                if attempt:
                    self.on_recovered(what)
                return result

    def _used_up(
        self, what: str, error: RetryableError, unknown: CommitUnknownError | None
    ) -> FatalError:
        text = f"{what}: still failing after {self.seconds:g} s of trying ({error})"
        return FatalError(text if unknown is None else f"{text}; the change may have been made")


def call_with_retry(retry: Retry | None, what: str, step: Callable[[], ResultT]) -> ResultT:
    """Call a step as often as ``retry`` has it called; once, if there is none."""
    return step() if retry is None else retry.call(what, step)
