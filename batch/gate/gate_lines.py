"""Lines of the files of a gate: outputs of a candidate, verdicts and reviews made elsewhere."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from batch.judge.subjects import read_json_lines
from judges.gate.readings import CANDIDATE, GateSide, ReadingState, RowReading
from judges.outcome import JudgeOutcome
from schemas.errors import UsageError
from schemas.records import Amount, Count, Finite, Id, Message, Retrieved, ToolCall
from schemas.refused_lines import broken_rule

_MetricName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.-]{0,126}$")]
_Identity = Annotated[str, Meta(min_length=1, max_length=200)]
_AnswerName = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
_CANDIDATE_RULES: Final = {
    "row": "`row` must be the trace id of a row of the release",
    "response": "`response` must be text",
    "messages": "`messages` must be a list of messages, each with role",
    "tool_calls": "`tool_calls` must be a list of calls, each with id, name and arguments",
    "retrieved": "`retrieved` must be a list of documents, each with document_id",
    "latency_ms": "`latency_ms` must be a number, at least 0",
    "cost_usd": "`cost_usd` must be a number, at least 0",
    "input_tokens": "`input_tokens` must be a whole number, at least 0",
    "output_tokens": "`output_tokens` must be a whole number, at least 0",
    "error": "`error` must be text",
}
_VERDICT_RULES: Final = {
    "row": "`row` must be the trace id of a row of the release",
    "side": "`side` must be candidate or baseline",
    "metric": "`metric` must be the name of a metric",
    "outcome": "`outcome` must be pass, fail, unknown, not_applicable or error",
    "value": "`value` must be a finite number",
    "judge": "`judge` must be text of 1 to 200 characters",
}
_REVIEW_RULES: Final = {
    "row": "`row` must be the trace id of a row of the release",
    "metric": "`metric` must be the name of a metric",
    "outcome": "`outcome` must be pass or fail",
    "probability": "`probability` must be above 0 and at most 1",
    "side": "`side` must be candidate or baseline",
    "answer": "`answer` must be the name that stands in the file of --reviews-to",
    "question": "`question` must be text",
    "response": "`response` must be text",
}


UNRECORDED: Final = "unrecorded_tool_call"
"""The `error` of a row whose candidate called a tool in a way that the row does not record."""


class CandidateLine(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a candidate answered to one row: a response, or an error.

    ``messages`` is the conversation that led to the response, where it is not that of the row: an
    agent that has run the whole task again has had its own.
    """

    row: Id
    response: str | None = None
    messages: list[Message] | None = None
    tool_calls: list[ToolCall] | None = None
    retrieved: list[Retrieved] | None = None
    latency_ms: Amount | None = None
    cost_usd: Amount | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    error: str | None = None

    def __repr__(self) -> str:
        return "CandidateLine(...)"

    @property
    def is_unknown(self) -> bool:
        """Return whether nobody can tell what the candidate would have answered."""
        return self.error == UNRECORDED

    def check(self) -> None:
        """Raise ValueError if it has neither a response nor an error."""
        if self.response is None and self.error is None and not self.tool_calls:
            raise ValueError("it needs a `response`, or an `error`")


class VerdictLine(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A judgement made elsewhere: an outcome or a value. ``judge`` says who judged."""

    row: Id
    side: GateSide
    metric: _MetricName
    outcome: JudgeOutcome | None = None
    value: Finite | None = None
    judge: _Identity | None = None

    def check(self) -> None:
        """Raise ValueError unless it has either an outcome or a value."""
        if (self.outcome is None) == (self.value is None):
            raise ValueError("it needs an `outcome` or a `value`, and not both")

    @property
    def reading(self) -> RowReading:
        """Return what it says of its row."""
        state: ReadingState = "value" if self.outcome is None else self.outcome
        return RowReading(state, self.value)


class ReviewLine(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What reviewers say of an answer, drawn with a probability.

    It is the candidate's, unless ``side`` says so, or ``answer`` where reviewers must not see whose
    it is (`batch.gate.blind_answers`). The texts are those that were reviewed, as
    `batch.gate.review_requests` wrote them.
    """

    row: Id
    metric: _MetricName
    outcome: Literal["pass", "fail"]
    probability: Annotated[float, Meta(gt=0, le=1)]
    side: GateSide | None = None
    answer: _AnswerName | None = None
    question: str | None = None
    response: str | None = None

    def __repr__(self) -> str:
        return f"ReviewLine({self.outcome})"

    def check(self) -> None:
        """Raise ValueError if it says in two ways whose answer it is."""
        if self.side is not None and self.answer is not None:
            raise ValueError("it needs a `side` or an `answer`, and not both")

    @property
    def answer_of(self) -> str:
        """Return what it says of whose answer it is."""
        return self.answer or self.side or CANDIDATE


LineT = TypeVar("LineT", CandidateLine, VerdictLine, ReviewLine)


def read_candidate(file: Path) -> dict[str, CandidateLine]:
    """Return the outputs of a file by row. Raises UsageError with the line and the rule."""
    return _read(file, CandidateLine, _CANDIDATE_RULES, lambda line: line.row)


def read_verdicts(file: Path) -> dict[tuple[str, str, str], VerdictLine]:
    """Return verdicts by row, side and metric. Raises UsageError with the line and the rule.

    A second verdict on the same answer is refused: one of them would be picked.
    """
    return _read(file, VerdictLine, _VERDICT_RULES, lambda line: (line.row, line.side, line.metric))


def read_reviews(file: Path) -> dict[tuple[str, str, str], ReviewLine]:
    """Return reviews by row, whose answer it is, and metric.

    Raises UsageError with the line and the rule.
    """
    return _read(
        file, ReviewLine, _REVIEW_RULES, lambda line: (line.row, line.answer_of, line.metric)
    )


_KeyT = TypeVar("_KeyT", str, tuple[str, str, str])


def _read(
    file: Path,
    form: type[LineT],
    rules: Mapping[str, str],
    key_of: Callable[[LineT], _KeyT],
) -> dict[_KeyT, LineT]:
    found: dict[_KeyT, LineT] = {}
    first: dict[_KeyT, int] = {}
    for number, document in read_json_lines(file, f"The file {file}"):
        where = f"The file {file}, line {number}"
        try:
            line = msgspec.convert(document, form)
            line.check()
        except msgspec.ValidationError as error:
            raise UsageError(f"{where}: {broken_rule(error, form, rules)}.") from None
        except ValueError as error:
            raise UsageError(f"{where}: {error}.") from None
        key = key_of(line)
        if first.setdefault(key, number) != number:
            raise UsageError(
                f"{where}: the same as line {first[key]}; one of them would be picked."
            )
        found[key] = line
    return found


def digest_of_lines(lines: Mapping[Any, LineT]) -> str:
    """Return the SHA-256 (64 hex digits) of lines, whatever their order in the file."""
    texts = sorted(
        json.dumps(msgspec.to_builtins(line), sort_keys=True, separators=(",", ":"))
        for line in lines.values()
    )
    return sha256("\n".join(texts).encode()).hexdigest()
