"""Turns the values of products' feedback to the kinds and scales of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

ScaleKind = Literal["thumbs", "rating", "comment", "custom"]


@dataclass(frozen=True, slots=True)
class FeedbackScale:
    """The kind of a feedback, and for a rating its lowest and highest value."""

    kind: ScaleKind
    lowest: float = 0.0
    highest: float = 1.0


_THUMBS: Final = FeedbackScale("thumbs")
_FIVE: Final = FeedbackScale("rating", 1.0, 5.0)
DEFAULT_SCALES: Final[Mapping[str, FeedbackScale]] = {
    "thumb": _THUMBS,
    "thumbs": _THUMBS,
    "thumbs_up": _THUMBS,
    "user_thumb": _THUMBS,
    "user_thumbs": _THUMBS,
    "user-feedback": _THUMBS,
    "user_feedback": _THUMBS,
    "like": _THUMBS,
    "sentiment": _THUMBS,
    "stars": _FIVE,
    "rating": _FIVE,
    "csat": _FIVE,
    "comment": FeedbackScale("comment"),
}
"""By the name of the feedback in lower case; other names are decided by their value."""

_UP: Final = frozenset({"up", "thumbs_up", "good", "positive", "yes", "true", "like", "correct"})
_DOWN: Final = frozenset(
    {"down", "thumbs_down", "bad", "negative", "no", "false", "dislike", "incorrect"}
)


def scale_feedback(
    name: str, value: Any, scales: Mapping[str, FeedbackScale] = DEFAULT_SCALES
) -> tuple[ScaleKind, float | None]:
    """Return the kind and the value of the contract: thumbs -1 or +1, rating 0 to 1.

    A name without a scale is thumbs for booleans and for good or bad, else custom. A rating
    outside its scale has no value, since nothing says what it means.
    """
    scale = scales.get(name.lower())
    vote = _read_vote(value)
    if scale is None:
        is_word = isinstance(value, bool | str)
        if is_word and vote is not None:
            return "thumbs", vote
        return "custom", _read_number(value)
    if scale.kind == "thumbs":
        return "thumbs", vote
    number = _read_number(value)
    if scale.kind == "rating":
        if number is None or not scale.lowest <= number <= scale.highest:
            return "rating", None
        return "rating", (number - scale.lowest) / (scale.highest - scale.lowest)
    return scale.kind, number if scale.kind == "custom" else None


def _read_vote(value: Any) -> float | None:
    if isinstance(value, bool):
        return 1.0 if value else -1.0
    if isinstance(value, str):
        word = value.strip().lower()
        return 1.0 if word in _UP else -1.0 if word in _DOWN else None
    number = _read_number(value)
    if number is None:
        return None
    return 1.0 if number > 0 else -1.0


def _read_number(value: Any) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float) and abs(value) < 1e15:
        return float(value)
    return None
