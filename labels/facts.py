"""The facts about a trace at a given moment: everything that a decision may depend on.

The worker's join, the batch jobs and the tests all fill this structure, so one function decides for
all of them. Times are microseconds since 1970 (UTC).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from schemas.records import Actor, Label

NO_USER: Final = 0
"""The user digest of a feedback event that names no user."""

MAX_CONTENTS: Final = 50
"""How many earlier contents of a trace count at most (`TraceFacts.contents`)."""

SessionStatus = Literal["not judged", "continued", "ended"]
"""Whether the session has a later trace; only a batch job over the lake can know."""


class TraceFacts(NamedTuple):
    """The facts of a trace that matter to its label.

    ``failed``: its status is error; ``truncated``: it ran out of tokens. ``contents``: how many
    other contents the trace had before the one in force; 0 if it was never assembled again.
    """

    started_at: int
    failed: bool = False
    truncated: bool = False
    app: str | None = None
    segments: Mapping[str, str] = MappingProxyType({})
    contents: int = 0


class FeedbackFacts(NamedTuple):
    """The facts of a feedback event that matter to a label."""

    feedback_id: str
    kind: str
    actor: Actor
    occurred_at: int
    value: float | None = None
    user_digest: int = NO_USER
    correction: str | None = None


class ReviewVerdict(NamedTuple):
    """A reviewer's verdict; a ``label`` of None withdraws the one before it."""

    review_id: str
    reviewer: str
    label: Label | None
    reviewed_at: int
    expected_response: str | None = None


class _Judgement(Protocol):
    """A reviewer's judgement of a trace: a review or a verdict."""

    @property
    def reviewer(self) -> str: ...
    @property
    def reviewed_at(self) -> int: ...
    @property
    def label(self) -> Label | None: ...
    @property
    def expected_response(self) -> str | None: ...


_JudgementT = TypeVar("_JudgementT", bound=_Judgement)


def latest_by_reviewer(judgements: Iterable[_JudgementT]) -> list[_JudgementT]:
    """Return the latest judgement of each reviewer of one trace, oldest first.

    The order of the input does not matter. A withdrawn judgement has the label None.
    """
    latest: dict[str, _JudgementT] = {}
    for judgement in sorted(judgements, key=_judgement_order):
        latest.pop(judgement.reviewer, None)
        latest[judgement.reviewer] = judgement
    return list(latest.values())


def _judgement_order(judgement: _Judgement) -> tuple[object, ...]:
    return (
        judgement.reviewed_at,
        judgement.reviewer,
        judgement.label or "",
        judgement.expected_response or "",
    )


@dataclass(frozen=True, slots=True)
class TraceKnowledge:
    """Everything known about one trace. The order of the sequences means nothing.

    ``trace`` is None until the trace itself has arrived. ``retried``: the same call was repeated
    soon after. ``closed``: the window has passed, and everything that came within it is here.
    """

    trace_id: str
    trace: TraceFacts | None = None
    feedback: Sequence[FeedbackFacts] = ()
    verdicts: Sequence[ReviewVerdict] = ()
    retried: bool = False
    session: SessionStatus = "not judged"
    closed: bool = False
