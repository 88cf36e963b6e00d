"""A judgement: the outcome of judging one subject once, and its identity.

Ids are content-addressed. The same judge, subject, input, epoch and repeat give the same id
wherever they are judged: over a release, over a window of the lake, over JSON lines. So a judgement
that exists is never paid for again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

from judges.definition import JudgeDefinition, digest_of
from judges.outcome import JudgeAnswer
from judges.ways import WayKind
from labels.digests import audit_draw, digest_id

SubjectKind: TypeAlias = Literal["trace", "row", "conversation"]
"""What is judged. A ``row`` is a trace as a release holds it."""
JudgementArm: TypeAlias = Literal[
    "release", "window", "file", "random", "priority", "anchor", "import"
]
"""Why the subject was judged. ``random`` and ``priority`` are draws with a known probability;
``release``, ``window`` and ``file`` judge all rows; ``anchor`` judges reviewed rows again at a
steady share; ``import`` comes from an evaluation elsewhere."""
ARMS: Final[tuple[JudgementArm, ...]] = get_args(JudgementArm)

FIRST_EPOCH: Final = 1


class JudgementKey(NamedTuple):
    """What identifies a judgement.

    ``judge_digest`` is that of the way that answers (`JudgeDefinition.digest_of_way`). ``subject``
    is a trace id, or a session id for a conversation. ``epoch`` counts the changes of the model
    that the server serves. ``repeat`` is 0 for the verdict, and more for its repetitions.
    """

    judge_digest: str
    subject: str
    input_digest: str
    epoch: int = FIRST_EPOCH
    repeat: int = 0
    kind: SubjectKind = "trace"

    @property
    def judgement_id(self) -> str:
        """Return the id (64 hex digits); a row of a release has that of its trace."""
        kind = "conversation" if self.kind == "conversation" else "trace"
        return digest_of(
            ["judgement", self.judge_digest, kind, self.subject, self.input_digest, self.epoch,
             self.repeat]
        )  # fmt: skip


def call_id(question_digest: str, input_digest: str, epoch: int, repeat: int = 0) -> str:
    """Return what identifies a call to a server (64 hex digits): equal texts are paid for once.

    The subject is left out. ``question_digest`` is `JudgeDefinition.question_digest_of`.
    """
    return digest_of(["call", question_digest, input_digest, epoch, repeat])


def repeats_of(definition: JudgeDefinition, subject: str) -> int:
    """Return how many times a subject is judged: once, or as often as ``repeat`` says.

    The share that is repeated is a keyed hash of the subject, the same in every run.
    """
    rule = definition.repeat
    if rule is None or audit_draw(digest_id(subject, f"repeat {definition.judge}")) >= rule.share:
        return 1
    return rule.times


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a call cost and who answered.

    ``model_served`` is the name in the reply; None if nobody was called, or the reply names none.
    ``call_id`` identifies what was asked of a server (`call_id`); None if nobody was asked.
    ``cached_from`` is the id of the judgement whose answer to an equal question was used.
    """

    model_requested: str | None
    model_served: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    call_id: str | None = None
    cached_from: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement, as the table ``judgements`` keeps it.

    ``judged_at`` is in microseconds since 1970 (UTC). ``attempt`` counts from 1: an error that may
    pass is tried again under the same id. ``trace_id`` is the judged trace, or the last one of a
    judged conversation, and ``revision`` that of the trace. ``probability`` is the probability of
    the draw, ``threshold`` the level of a priority sample. ``cluster`` is the conversation or user
    that rows belong to together.
    """

    key: JudgementKey
    judge: str
    judge_version: int | None
    way: WayKind | None
    answer: JudgeAnswer
    call: CallFacts
    trace_id: str
    run_id: str
    judged_at: int
    attempt: int = 1
    revision: int | None = None
    arm: JudgementArm = "release"
    probability: float = 1.0
    threshold: float | None = None
    release: str | None = None
    candidate_digest: str | None = None
    rationale: str | None = None
    app: str | None = None
    prompt_version: str | None = None
    model_version: str | None = None
    cluster: str | None = None
    segments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise ValueError("the probability of a draw is more than 0 and at most 1")
        if self.attempt < 1 or self.key.repeat < 0 or self.key.epoch < FIRST_EPOCH:
            raise ValueError("attempts and epochs count from 1, repeats from 0")

    def __repr__(self) -> str:
        return f"Judgement({self.judgement_id}, {self.answer.outcome})"

    @property
    def judgement_id(self) -> str:
        """Return the id."""
        return self.key.judgement_id

    @property
    def weight(self) -> float:
        """Return how many subjects this one represents."""
        return 1 / self.probability


def judgements_in_force(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return the judgement in force of each id: the last final one, else the last attempt.

    The order of the input does not matter; the result is in order of ids.
    """
    in_force: dict[str, Judgement] = {}
    for judgement in judgements:
        held = in_force.get(judgement.judgement_id)
        if held is None or _rank(judgement) > _rank(held):
            in_force[judgement.judgement_id] = judgement
    return [in_force[id_] for id_ in sorted(in_force)]


def _rank(judgement: Judgement) -> tuple[Any, ...]:
    answer = judgement.answer
    return (
        answer.is_final,
        judgement.attempt,
        judgement.judged_at,
        answer.outcome,
        answer.reason or "",
    )
