"""Runs a model over the rows of a release: each row is asked once, and paid for once."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from batch.gate.candidate_chat import CandidatePlan, RecordedTools
from batch.gate.candidate_rows import redacted_answers
from batch.gate.candidate_work import CallClaim, CallFailure, CallTurn, CandidateWork
from batch.gate.gate_lines import UNRECORDED, CandidateLine
from batch.judge.client import Delivery
from batch.judge.input_proof import redacted_again
from batch.progress import ReportProgress, no_progress
from judges.answer import ChatReply, read_chat_message
from judges.judged_row import JudgedRow
from judges.outcome import PASSING_ERRORS
from judges.wires import WireRequest
from otel.price_table import ModelPrice
from redact.pipeline.redactor import Redactor
from schemas.chunks import in_chunks
from schemas.errors import FatalError
from schemas.record_batches import RecordKind
from schemas.records import ToolCall, Trace

MOST_TURNS: Final = 16
"""Replies to one row. A model that still calls tools then is an error of its own."""
ENDLESS: Final = "calls_without_end"
RESIDUE: Final = "residue"
NO_QUESTION: Final = "no_question"
UNPRICED: Final = "unpriced"
"""There is a budget, and the row has more tokens than the price is for."""
_PROVED_AT_ONCE: Final = 256


class CandidateAnswerer(Protocol):
    """Sends requests to a model's server; `batch.judge.client.JudgeClient` is one."""

    def send_from(
        self,
        take: Callable[[], tuple[str, WireRequest] | None],
        on_delivery: Callable[[str, Delivery], None],
    ) -> None:
        """Send what ``take`` gives until it gives None, and tell what came of each."""


@dataclass(frozen=True, slots=True)
class CandidateEstimate:
    """What a run will ask at first, at most; calls of tools make further calls.

    ``cost_usd`` is None without prices. ``held_back`` are rows that hold personal data.
    """

    rows: int
    known: int
    held_back: int
    calls: int
    tokens: int
    cost_usd: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class CandidateTerms:
    """How a run goes: what its tokens cost, what all may cost, and the time in microseconds."""

    price: ModelPrice | None
    budget_usd: float | None
    now: Callable[[], int]
    progress: ReportProgress = no_progress


class CandidateRun:
    """A run over rows, on a work file that may hold what earlier ones did."""

    def __init__(
        self,
        plan: CandidatePlan,
        rows: Sequence[JudgedRow],
        work: CandidateWork,
        redactor: Redactor,
        terms: CandidateTerms,
    ) -> None:
        self._plan, self._work, self._redactor, self._terms = plan, work, redactor, terms
        self._rows = {row.trace.trace_id: row for row in rows}
        left = [row for row in rows if not work.of(row.trace.trace_id).is_settled]
        self._held_back = _with_residue(redactor, left, terms.now())
        self._queue = deque(
            row.trace.trace_id for row in left if row.trace.trace_id not in self._held_back
        )
        self._answered = False
        self._denied: int | None = None
        self.calls = 0

    def estimate(self) -> CandidateEstimate:
        """Return what `run` will ask at first; nothing is asked."""
        requests = [request for row in self._queue if (request := self._request(row)) is not None]
        most = [self._most(request) for request in requests]
        tokens = sum(self._plan.input_tokens(request) for request in requests)
        return CandidateEstimate(
            rows=len(self._rows),
            known=len(self._rows) - len(self._queue) - len(self._held_back),
            held_back=len(self._held_back),
            calls=len(requests),
            tokens=tokens + len(requests) * self._plan.max_tokens,
            cost_usd=None if self._terms.price is None else sum(cost or 0.0 for cost in most),
        )

    def run(self, answerer: CandidateAnswerer) -> dict[str, CandidateLine]:
        """Ask what is left to ask, and return a line for each row, in their order.

        Raises FatalError if the server denies access.
        """
        for row in sorted(self._held_back):
            self._work.write(CallFailure(row=row, reason=RESIDUE, is_final=False))
        answerer.send_from(self._take, self._deliver)
        if self._denied is not None:
            raise FatalError(
                f"the candidate's server denies access (status {self._denied}): check its address, "
                "its key and the name of the model, then run the same command again"
            )
        return {row: self._line(row) for row in self._rows}

    def _line(self, row: str) -> CandidateLine:
        return self._work.of(row).line(row)

    def _request(self, row: str) -> WireRequest | None:
        turns = [(turn.response, turn.tool_calls) for turn in self._work.of(row).turns]
        return self._plan.request(self._rows[row], turns)

    def _take(self) -> tuple[str, WireRequest] | None:
        """Return the next call, which is claimed; None if there is none that may be made now."""
        while self._queue and self._denied is None:
            row = self._queue[0]
            request = self._request(row)
            if request is None:
                self._queue.popleft()
                self._work.write(CallFailure(row=row, reason=NO_QUESTION, is_final=True))
                continue
            most, budget = self._most(request), self._terms.budget_usd
            if budget is not None:
                if most is None:
                    self._queue.popleft()
                    self._work.write(CallFailure(row=row, reason=UNPRICED, is_final=False))
                    continue
                # What is in flight counts as dear as it may be, so the sum never goes over.
                if self._work.spent_usd + most > budget:
                    return None
            self._queue.popleft()
            self._work.write(CallClaim(row=row, most_usd=most))
            return row, request
        return None

    def _deliver(self, row: str, delivery: Delivery) -> None:
        """Write down what came of a call, redacted."""
        self.calls += delivery.calls
        if delivery.body is None:
            if delivery.is_denied and not self._answered:
                self._denied = delivery.status
            reason = delivery.reason or "unavailable"
            may_pass = reason in PASSING_ERRORS
            most = self._work.claimed(row) if delivery.may_bill else 0.0
            self._work.write(
                CallFailure(row=row, reason=reason, is_final=not may_pass, cost_usd=most)
            )
            return
        self._answered = True
        message = read_chat_message(delivery.body)
        cost = self._cost(row, message)
        step = self._read(row, message, cost, delivery.latency_ms)
        self._work.write(step)
        work = self._work.of(row)
        if not work.is_settled and isinstance(step, CallTurn):
            self._queue.appendleft(row)
        self._terms.progress("asking", self._work.settled, len(self._rows))

    def _read(
        self, row: str, message: ChatReply, cost: float | None, latency_ms: float
    ) -> CallTurn | CallFailure:
        if message.reason is not None:
            may_pass = message.reason in PASSING_ERRORS
            return CallFailure(row=row, reason=message.reason, is_final=not may_pass, cost_usd=cost)
        turns = self._work.of(row).turns
        numbers = range(1, len(message.calls) + 1)
        calls = [
            ToolCall(id=f"call-{len(turns) + 1}-{number}", name=name, arguments=arguments)
            for number, (name, arguments) in zip(numbers, message.calls, strict=True)
        ]
        said = CandidateLine(row=row, response=message.text or "", tool_calls=calls)
        redacted = redacted_answers(self._redactor, {row: said}, self._terms.now()).get(row)
        if redacted is None:
            return CallFailure(row=row, reason=RESIDUE, is_final=True, cost_usd=cost)
        answered = self._answer_calls(row, redacted)
        if answered is None:
            return CallFailure(row=row, reason=UNRECORDED, is_final=True, cost_usd=cost)
        if answered and len(turns) + 1 >= MOST_TURNS:
            return CallFailure(row=row, reason=ENDLESS, is_final=True, cost_usd=cost)
        return CallTurn(
            row=row,
            response=redacted["response"],
            tool_calls=answered,
            latency_ms=latency_ms,
            cost_usd=cost,
            input_tokens=message.input_tokens,
            output_tokens=message.output_tokens,
            model=message.model_served,
        )

    def _answer_calls(self, row: str, redacted: Mapping[str, Any]) -> list[ToolCall] | None:
        """Return calls with their recorded outcomes; None if one was not recorded."""
        tools = RecordedTools(self._rows[row])
        answered = []
        for each in redacted["tool_calls"] or []:
            call = ToolCall(id=each["id"], name=each["name"], arguments=each["arguments"])
            outcome = tools.answer(call)
            if outcome is None:
                return None
            answered.append(outcome)
        return answered

    def _most(self, request: WireRequest) -> float | None:
        """Return what a call may cost at most, None without prices."""
        return self._price(self._plan.input_tokens(request), self._plan.max_tokens)

    def _cost(self, row: str, message: ChatReply) -> float | None:
        """Return what a call cost, by the server's count; as much as it may have without one."""
        if message.input_tokens is None or message.output_tokens is None:
            return None if self._terms.price is None else self._work.claimed(row)
        return self._price(message.input_tokens, message.output_tokens)

    def _price(self, input_tokens: int, output_tokens: int) -> float | None:
        price = self._terms.price
        if price is None or input_tokens > (price.up_to_input_tokens or input_tokens):
            return None
        return (input_tokens * price.input + output_tokens * price.output) / 1e6


def _with_residue(redactor: Redactor, rows: Sequence[JudgedRow], now: int) -> set[str]:
    """Return the ids of rows of which something would be replaced under the policy of today."""
    found = set()
    for some in in_chunks(rows, _PROVED_AT_ONCE):
        traces = [row.trace for row in some]
        for trace, again in zip(
            traces, redacted_again(redactor, traces, RecordKind.TRACE, Trace, now), strict=True
        ):
            if again is None or (trace.messages, trace.tool_calls) != (
                again.messages,
                again.tool_calls,
            ):
                found.add(trace.trace_id)
    return found
