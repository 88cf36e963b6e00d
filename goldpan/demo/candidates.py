"""Two candidates whose answers are known: other recorded runs of the tasks of a golden set.

Each task was run four times by the real agent, and it is known which runs were right. So a
candidate that runs the tasks again can be put together from them, and nobody has to be asked.

Pure: the same arguments give the same answers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from goldpan.demo.month import TASK_ATTRIBUTE, DemoMonth
from goldpan.demo.traffic import TrafficRecord

CHANGES: Final = frozenset(
    {
        "book_reservation",
        "cancel_reservation",
        "send_certificate",
        "update_reservation_baggages",
        "update_reservation_flights",
        "update_reservation_passengers",
    }
)
"""The agent's tools that change something; whether a task was done is told by what was changed."""
_NUMBERS: Final = ("latency_ms", "cost_usd", "input_tokens", "output_tokens")
_GIFT: Final = {
    "id": "goodwill",
    "name": "send_certificate",
    "arguments": '{"amount": 100}',
    "result": "Certificate added with amount 100.",
}
_GIFT_WORDS: Final = "As a gesture of goodwill I have sent you a certificate of $100."


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run of a task: the trace that holds it, whether the task was done, and what it changed."""

    trace_id: str
    is_done: bool
    turns: int
    changes: int


@dataclass(frozen=True, slots=True)
class CandidateAnswer:
    """The run that a candidate answers a row with; ``is_generous``: it makes a gift besides.

    A customer who gets a gift that nobody should get has not been served as the task asks.
    """

    run: RecordedRun
    is_generous: bool = False

    @property
    def is_done(self) -> bool:
        """Return whether the task is done by this answer."""
        return self.run.is_done and not self.is_generous


def careful_answer(runs: Sequence[RecordedRun]) -> CandidateAnswer:
    """Answer with the shortest run that was right; where none was, with the longest."""
    right = [run for run in runs if run.is_done]
    if right:
        return CandidateAnswer(min(right, key=lambda run: run.turns))
    return CandidateAnswer(max(runs, key=lambda run: run.turns))


def generous_answer(runs: Sequence[RecordedRun]) -> CandidateAnswer:
    """Answer with the longest run that was wrong; where all were right, with the longest.

    Where it was right to change nothing, it sends the customer a certificate.
    """
    wrong = [run for run in runs if not run.is_done]
    run = max(wrong or runs, key=lambda run: run.turns)
    return CandidateAnswer(run, is_generous=run.is_done and not run.changes)


CANDIDATES: Final[Mapping[str, Callable[[Sequence[RecordedRun]], CandidateAnswer]]] = {
    "careful": careful_answer,
    "generous": generous_answer,
}
"""The candidates by name. In the demo's tasks the first is better than production."""


def recorded_runs(month: DemoMonth) -> dict[str, list[RecordedRun]]:
    """Return the runs of each task, as the first day of the month has them."""
    runs: dict[str, list[RecordedRun]] = {}
    first_day = month.records[: month.conversations]
    for record in sorted(first_day, key=lambda record: record["attributes"]["conversation"]):
        run = RecordedRun(
            trace_id=record["trace_id"],
            is_done=month.is_done[record["trace_id"]],
            turns=len(record["messages"]),
            changes=sum(name in CHANGES for name in _call_names(record)),
        )
        runs.setdefault(record["attributes"][TASK_ATTRIBUTE], []).append(run)
    return runs


def candidate_answers(
    name: str, month: DemoMonth, rows: Sequence[str]
) -> dict[str, CandidateAnswer]:
    """Return the answers of a candidate to rows of a release, which are traces of the month."""
    runs = recorded_runs(month)
    tasks = {record["trace_id"]: record["attributes"][TASK_ATTRIBUTE] for record in month.records}
    return {row: CANDIDATES[name](runs[tasks[row]]) for row in rows}


def candidate_line(row: str, answer: CandidateAnswer, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as `goldpan gate` reads it; ``stored`` is the redacted trace of the run."""
    response, calls = stored["response"] or "", list(stored["tool_calls"] or ())
    if answer.is_generous:
        response, calls = f"{response} {_GIFT_WORDS}".strip(), [*calls, _GIFT]
    return {
        "row": row,
        "messages": stored["messages"],
        "response": response,
        "tool_calls": calls,
        **{name: stored[name] for name in _NUMBERS},
    }


def _call_names(record: TrafficRecord) -> Iterator[str]:
    """Yield the names of all tools that were called in a conversation."""
    for message in record["messages"]:
        yield from (call["name"] for call in message["tool_calls"])
    yield from (call["name"] for call in record["tool_calls"])
