"""How long to wait before a call is made again: as the server says, else longer each time."""

import email.utils
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_RETRIED: Final = frozenset({429, *range(500, 600)}) - {501, 505}


def is_retried(status: int) -> bool:
    """Return whether a reply with this status is worth another call: 429, and what 5xx may pass.

    Such a reply is no answer, so nobody is billed for one.
    """
    return status in _RETRIED


@dataclass(frozen=True, slots=True)
class RetryWaits:
    """The waits between the calls for one answer.

    ``tries`` bounds the calls, ``longest`` a single wait in seconds, ``total`` all of them. The
    scheme is "full jitter", as in `lake.retry`. ``uniform(low, high)`` is the source of
    randomness, ``now()`` the seconds since 1970.
    """

    uniform: Callable[[float, float], float]
    now: Callable[[], float]
    tries: int = 5
    base: float = 0.5
    longest: float = 60.0
    total: float = 180.0

    def before(self, tried: int, waited: float, retry_after: str | None) -> float | None:
        """Return the seconds to wait after ``tried`` calls; None if there is to be no other.

        A server that asks for a longer wait than is allowed is not called before its time: then
        the answer is left to a later run.
        """
        if tried >= self.tries:
            return None
        asked = None if retry_after is None else self._asked(retry_after)
        drawn = self.uniform(0, min(self.longest, self.base * 2 ** (tried - 1)))
        wait = drawn if asked is None else asked + min(drawn, self.base)
        if (asked or 0) > self.longest or waited + wait > self.total:
            return None
        return wait

    def _asked(self, retry_after: str) -> float | None:
        """Return the seconds that a header ``Retry-After`` asks for (RFC 9110, 10.2.3)."""
        text = retry_after.strip()
        if _SECONDS.fullmatch(text):
            return float(text)
        try:
            date = email.utils.parsedate_to_datetime(text)
            return max(0.0, date.timestamp() - self.now())
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
