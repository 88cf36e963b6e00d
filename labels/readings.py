"""Readings: the closed list of what a record can say about an answer, before any policy.

A reading is one-sided: it fires or it does not. Thumbs are therefore two readings: many users speak
up only when they are unhappy, so a thumbs up need not be worth as much as a thumbs down.
"""

import math
from typing import Final

THUMBS_UP: Final = "thumbs_up"
THUMBS_DOWN: Final = "thumbs_down"
RATING_HIGH: Final = "rating_high"
RATING_LOW: Final = "rating_low"
CUSTOM_POSITIVE: Final = "custom_positive"
CUSTOM_NEGATIVE: Final = "custom_negative"
PLAIN_KINDS: Final = (
    "edit",
    "correction",
    "regenerate",
    "copy",
    "accept",
    "escalation",
    "resolution",
    "comment",
)
"""Kinds of feedback whose presence is the reading."""

KIND_OF: Final = {
    THUMBS_UP: "thumbs",
    THUMBS_DOWN: "thumbs",
    RATING_HIGH: "rating",
    RATING_LOW: "rating",
    CUSTOM_POSITIVE: "custom",
    CUSTOM_NEGATIVE: "custom",
    **{kind: kind for kind in PLAIN_KINDS},
}
"""The kind of feedback that each reading comes from."""

FEEDBACK_KINDS: Final = tuple(dict.fromkeys(KIND_OF.values()))

ERROR: Final = "error"
TRUNCATED: Final = "truncated"
RETRY: Final = "retry"
TRACE_READINGS: Final = (ERROR, TRUNCATED, RETRY)
"""Readings of the traces themselves: the call failed, ran out of tokens, or was repeated."""

SILENCE: Final = "silence"
ABANDONED: Final = "abandoned"
CONTINUED: Final = "continued"
ABSENCE_READINGS: Final = (SILENCE, ABANDONED, CONTINUED)
"""Readings of absence, such as silence. Only the lake shows it, so only batch jobs use them."""

REVIEW_FAIL: Final = "review_fail"
REVIEW_PASS: Final = "review_pass"  # noqa: S105
REVIEW_READINGS: Final = (REVIEW_FAIL, REVIEW_PASS)

READINGS: Final = (*KIND_OF, *TRACE_READINGS, *ABSENCE_READINGS, *REVIEW_READINGS)
"""All readings."""


def feedback_reading(kind: str, value: float | None, *, low: float, high: float) -> str | None:
    """Return the reading of a feedback event, or None if it has none.

    ``low`` and ``high`` cut ratings (0 to 1): at most ``low`` is low, at least ``high`` is high. A
    value outside the range of its kind has no reading: the contract refuses such a value today, but
    older rows may hold one.
    """
    if kind in PLAIN_KINDS:
        return kind
    if value is None or not math.isfinite(value):
        return None
    match kind:
        case "thumbs":
            return {1.0: THUMBS_UP, -1.0: THUMBS_DOWN}.get(value)
        case "rating":
            return _rating(value, low, high)
        case "custom":
            return CUSTOM_POSITIVE if value > 0 else CUSTOM_NEGATIVE if value < 0 else None
        case _:
            return None


def _rating(value: float, low: float, high: float) -> str | None:
    if 0.0 <= value <= low:
        return RATING_LOW
    return RATING_HIGH if high <= value <= 1.0 else None
