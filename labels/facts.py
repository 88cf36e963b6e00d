"""What is known of one trace at one moment: all that a decision may depend on.

The join of the worker, the batch jobs and the tests all fill this same structure, so that one
function decides for all of them. Times are microseconds since 1970 (UTC).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from schemas.records import Actor, Label

NO_USER: Final = 0
"""The voice of a feedback event that names no user."""

SessionStatus = Literal["not judged", "continued", "ended"]
"""Whether a later trace of the same session is known; only a batch job over the lake can tell."""


class TraceFacts(NamedTuple):
    """What decides of a trace. ``failed``: its status is error; ``truncated``: out of tokens."""

    started_at: int
    failed: bool = False
    truncated: bool = False
    app: str | None = None
    segments: Mapping[str, str] = MappingProxyType({})


class FeedbackFacts(NamedTuple):
    """What decides of a feedback event. ``voice`` is a digest of the user, 0 if none is named."""

    feedback_id: str
    kind: str
    actor: Actor
    occurred_at: int
    value: float | None = None
    voice: int = NO_USER
    correction: str | None = None


class ReviewVerdict(NamedTuple):
    """What a reviewer found; a ``label`` of None takes back what they found before."""

    review_id: str
    reviewer: str
    label: Label | None
    reviewed_at: int
    expected_response: str | None = None


class _Word(Protocol):
    """What somebody says of a trace, in a review or a verdict."""

    @property
    def reviewer(self) -> str: ...
    @property
    def reviewed_at(self) -> int: ...
    @property
    def label(self) -> Label | None: ...
    @property
    def expected_response(self) -> str | None: ...


_WordT = TypeVar("_WordT", bound=_Word)


def latest_by_reviewer(said: Iterable[_WordT]) -> list[_WordT]:
    """Return what each reviewer of one trace said last, oldest first, in whatever order it came.

    The label of what was taken back is None.
    """
    found: dict[str, _WordT] = {}
    for word in sorted(said, key=_word_order):
        found.pop(word.reviewer, None)
        found[word.reviewer] = word
    return list(found.values())


def _word_order(word: _Word) -> tuple[object, ...]:
    return (word.reviewed_at, word.reviewer, word.label or "", word.expected_response or "")


@dataclass(frozen=True, slots=True)
class TraceKnowledge:
    """Everything that is known of one trace. The order of the sequences means nothing.

    ``seen`` is None as long as the trace itself has not come. ``retried``: the same call was made
    again soon. ``closed``: the window has passed, and all that came within it is here.
    """

    trace_id: str
    seen: TraceFacts | None = None
    said: Sequence[FeedbackFacts] = ()
    verdicts: Sequence[ReviewVerdict] = ()
    retried: bool = False
    session: SessionStatus = "not judged"
    closed: bool = False
