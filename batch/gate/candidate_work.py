"""The work file of a candidate's run: what was asked, answered and paid, one line a step.

A line is on the disk before what it announces: a claim before its call, an answer before anything
rests on it. So a run that was killed goes on where it was, and what its last calls may have cost
counts as spent. Answers in it are redacted.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from batch.gate.gate_lines import CandidateLine
from schemas.errors import UsageError
from schemas.records import Amount, Count, Id, ToolCall

SUFFIX: Final = ".work"
BUDGET: Final = "budget"
"""The error of a row that was not asked, since its call does not fit the budget."""
_MODE: Final = 0o600
_NumberT = TypeVar("_NumberT", int, float)


class _Step(msgspec.Struct, tag_field="step", forbid_unknown_fields=True, omit_defaults=True):
    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class RunIdentity(_Step, tag="run"):
    """What all answers of a file are to: the same for each run that goes on with it."""

    model: str
    release: str
    settings: Mapping[str, str]


class CallClaim(_Step, tag="claim"):
    """A call that is about to be made, and what it may cost at most."""

    row: Id
    most_usd: Amount | None = None


class CallTurn(_Step, tag="answer"):
    """What the model replied to a row: calls of tools with their outcomes, or else its response."""

    row: Id
    response: str | None = None
    tool_calls: list[ToolCall] = []
    latency_ms: Amount | None = None
    cost_usd: Amount | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    model: str | None = None


class CallFailure(_Step, tag="failed"):
    """Why a row has no answer, for good or until it is tried again."""

    row: Id
    reason: str
    is_final: bool
    cost_usd: Amount | None = None


_Line = RunIdentity | CallClaim | CallTurn | CallFailure


@dataclass(slots=True)
class RowWork:
    """How far a row is."""

    turns: list[CallTurn] = field(default_factory=list)
    failure: CallFailure | None = None

    @property
    def is_settled(self) -> bool:
        """Return whether nothing more is to be asked."""
        if self.failure is not None:
            return self.failure.is_final
        return bool(self.turns) and not self.turns[-1].tool_calls

    def line(self, row: str) -> CandidateLine:
        """Return what the gate is told of the row; `BUDGET` where nothing was asked."""
        answered = self.turns and not self.turns[-1].tool_calls
        error = None if answered else BUDGET if self.failure is None else self.failure.reason
        calls = [call for turn in self.turns for call in turn.tool_calls]
        return CandidateLine(
            row=row,
            response=self.turns[-1].response if answered else None,
            tool_calls=calls or None,
            latency_ms=_sum(
                [t.latency_ms for t in self.turns] + [call.latency_ms or 0 for call in calls]
            ),
            cost_usd=_sum([turn.cost_usd for turn in self.turns]),
            input_tokens=_sum([turn.input_tokens for turn in self.turns]),
            output_tokens=_sum([turn.output_tokens for turn in self.turns]),
            error=error,
        )


class CandidateWork:
    """An open work file. To be closed, or used as a context. One process at a time has it.

    ``spent_usd`` is what all calls of the file have cost, at most: a call without an answer counts
    as dear as it may have been. ``settled`` counts the rows of which nothing more is to be asked.
    """

    def __init__(self, file: Path, identity: RunIdentity) -> None:
        """Open or create the file.

        Raises UsageError if it is of another run, damaged, or in use.
        """
        self._file, self._identity = file, identity
        self.rows: dict[str, RowWork] = {}
        self.models: dict[str, int] = {}
        self.spent_usd = 0.0
        self.settled = 0
        self._claimed: dict[str, float] = {}
        self._has_identity = False
        try:
            self._descriptor = os.open(
                file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, _MODE
            )
        except OSError as error:
            raise UsageError(f"The work file {file} cannot be opened: {error.strerror}.") from None
        try:
            self._lock()
            self._read()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, which lets another process have it."""
        os.close(self._descriptor)

    def of(self, row: str) -> RowWork:
        """Return how far a row is."""
        return self.rows.setdefault(row, RowWork())

    def claimed(self, row: str) -> float:
        """Return what the call of a row that is in flight may cost."""
        return self._claimed.get(row, 0.0)

    def write(self, step: CallClaim | CallTurn | CallFailure) -> None:
        """Write a step; it is on the disk when this returns."""
        self._append(step)
        self._take(step)

    def _append(self, step: _Line) -> None:
        data = msgspec.json.encode(step) + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"The work file {self._file} is in use: another run writes it. Wait for that one, "
                "or give another --out."
            ) from None

    def _read(self) -> None:
        data = self._file.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):  # the last line of a run that was killed
            os.ftruncate(self._descriptor, whole)
        decoder = msgspec.json.Decoder(_Line)
        for number, text in enumerate(data[:whole].splitlines(), 1):
            try:
                step = decoder.decode(text)
            except (msgspec.DecodeError, RecursionError):
                raise UsageError(
                    f"The work file {self._file}, line {number}, is damaged. Give another --out: "
                    "what is in this one cannot be told from what was never asked."
                ) from None
            self._take(step)
        if not self._has_identity:
            self._append(self._identity)
            self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self._file.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _take(self, step: _Line) -> None:
        if isinstance(step, RunIdentity):
            self._has_identity = True
            if step != self._identity:
                raise UsageError(
                    f"The work file {self._file} is of another run: the model, the release, the "
                    "instructions, the tools or --max-tokens differ. Give another --out."
                )
            return
        # A claim is spent until its answer says what it really cost.
        if isinstance(step, CallClaim):
            self._claimed[step.row] = step.most_usd or 0.0
            self.spent_usd += self._claimed[step.row]
            return
        self.spent_usd += (step.cost_usd or 0.0) - self._claimed.pop(step.row, 0.0)
        work = self.of(step.row)
        was_settled = work.is_settled
        if isinstance(step, CallFailure):
            work.failure = step
        else:
            work.failure = None
            work.turns.append(step)
            if step.model is not None:
                self.models[step.model] = self.models.get(step.model, 0) + 1
        self.settled += work.is_settled - was_settled


def _sum(values: Iterable[_NumberT | None]) -> _NumberT | None:
    """Return the sum of values, None unless all of them are known and there are some."""
    total: _NumberT | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total
