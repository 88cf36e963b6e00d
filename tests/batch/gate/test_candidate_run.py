"""A candidate's run: recorded tools, redaction, the budget, and what a kill leaves."""

import time
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from batch.gate.candidate_chat import CandidatePlan, RecordedTools, tools_of
from batch.gate.candidate_work import CandidateWork, RunIdentity
from batch.gate.gate_lines import UNRECORDED, CandidateLine
from batch.judge.client import CallLimits, Delivery, JudgeClient
from batch.judge.server import allowed_server
from batch.judge.waits import RetryWaits
from judges.wires import WireRequest
from redact.pipeline.redactor import Redactor
from schemas.errors import FatalError, UsageError
from schemas.records import Message, ToolCall
from tests.batch.gate.candidate_kill_jobs import JOB, ROWS, WORK, ask_all, asked_in
from tests.batch.gate.candidate_world import (
    CANARY,
    IDENTITY,
    NOW,
    SERVED,
    SLOTS,
    TOOL,
    PlayedModel,
    body_of,
    light_redactor,
    row_of,
    rows_of,
    run_rows,
    spent,
)
from tests.batch.judge.faults import ALL_FAULTS, WIRES
from tests.batch.judge.hostile_server import HostileServer
from tests.batch.judge.jevcompat_faults import VERDICT
from tests.batch.judge.test_hostile_server import no_wait

CALLS = {"t0000": 1, "t0001": 2, "t0002": 1}
"""Of the first three rows, which repeat."""


@pytest.fixture(scope="module")
def light() -> Redactor:
    """A redactor."""
    return light_redactor()


def as_expected(lines: dict[str, CandidateLine]) -> None:
    """Each row has its one line: answered, or unknown where a call was not recorded."""
    assert list(lines) == [f"t{number:04}" for number in range(len(lines))]
    for number, line in enumerate(lines.values()):
        if number % 3 == 2:
            assert (line.error, line.response) == (UNRECORDED, None)
            continue
        assert line.error is None
        assert str(line.response).startswith(f"Row {number}: ask <EMAIL")
        outcomes = [call.result for call in line.tool_calls or []]
        assert outcomes == (["nine"] if number % 3 else [])
        assert line.input_tokens == 60 * (number % 3 + 1)
        assert line.cost_usd == pytest.approx(160e-6 * (number % 3 + 1))


def test_rows_are_answered_with_recorded_tools_and_redacted(
    tmp_path: Path, light: Redactor
) -> None:
    """No canary of a reply is in a line, in the work file or in a later request."""
    model, file = PlayedModel(), tmp_path / "out.work"
    as_expected(run_rows(file, rows_of(9), model, light))
    assert CANARY.encode() not in file.read_bytes()
    assert CANARY not in str([request.body for request in model.requests])
    assert Counter(model.asked)["t0001"] == 2
    second = next(r.body for r in model.requests if r.body["messages"][-1]["role"] == "tool")
    assert [m["role"] for m in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][-1]["content"] == "nine"
    assert [tool["function"]["name"] for tool in second["tools"]] == [TOOL]
    with CandidateWork(file, IDENTITY) as work:
        assert work.models == {SERVED: 9}
    again = PlayedModel()
    as_expected(run_rows(file, rows_of(9), again, light))
    assert again.asked == []


def test_a_call_is_equal_if_its_arguments_are_the_same_json() -> None:
    """Another value, another name or no recorded outcome answers nothing."""
    tools = RecordedTools(row_of(1))
    for arguments, is_known in (
        ('{"at":"x","day":1}', True),
        ('{"at":"x","day":2}', False),
        ('{"at":"x"}', False),
        ("[" * 100_000, False),
    ):
        found = tools.answer(ToolCall(id="c", name=TOOL, arguments=arguments))
        assert (found is not None) == is_known
    assert tools.answer(ToolCall(id="c", name="other", arguments='{"at":"x","day":1}')) is None
    silent = row_of(1)
    silent.trace.tool_calls[0].result = None
    same = silent.trace.tool_calls[0]
    assert RecordedTools(silent).answer(same) is None


def test_what_followed_the_last_question_is_not_sent() -> None:
    """Neither the recorded answer nor its calls; instructions take the place of the system's."""
    row = row_of(1)
    row.trace.messages.append(Message(role="assistant", content="At nine."))
    plan = CandidatePlan("m", 50, "Be kind.", tools_of([row]))
    request = plan.request(row, [])
    assert request is not None
    assert [m["content"] for m in request.body["messages"]] == [
        "Be kind.",
        row.trace.messages[1].content,
    ]
    empty = row_of(1)
    empty.trace.messages.clear()
    assert plan.request(empty, []) is None


def test_rows_with_personal_data_do_not_leave(tmp_path: Path, light: Redactor) -> None:
    """They are errors, and are looked at again by the next run."""
    rows = rows_of(3)
    rows[0].trace.messages.append(Message(role="user", content=f"I am {CANARY}"))
    model, file = PlayedModel(), tmp_path / "w"
    lines = run_rows(file, rows, model, light)
    assert lines["t0000"].error == "residue"
    assert "t0000" not in model.asked
    as_expected(run_rows(file, rows_of(3), model, light))


@pytest.mark.parametrize("budget", [0.0, 0.0005, 0.001, 0.002, 0.1])
def test_the_budget_is_never_exceeded(tmp_path: Path, light: Redactor, budget: float) -> None:
    """Whatever the replies cost within their limits; a larger budget goes on with what is left."""

    def dear(row: str, request: WireRequest) -> Delivery:
        plan = CandidatePlan("m", 50, tools=tools_of(rows_of(9)))
        return Delivery(body_of("Hm.", usage=(plan.input_tokens(request), 50)), None, 200)

    model, file = PlayedModel(dear), tmp_path / "w"
    lines = run_rows(file, rows_of(9), model, light, budget_usd=budget)
    assert spent(file) <= budget
    answered = [line for line in lines.values() if line.error is None]
    assert sum(line.cost_usd or 0 for line in answered) <= budget
    assert {line.error for line in lines.values()} <= {None, "budget"}
    assert len(answered) == len(model.asked)
    run_rows(file, rows_of(9), model, light)
    assert sorted(model.asked) == sorted(lines)


def test_a_call_without_an_answer_counts_as_dear_as_it_may_be(
    tmp_path: Path, light: Redactor
) -> None:
    """A timeout may have been paid for; a 429 was not. Both are asked again by the next run."""
    file = tmp_path / "w"
    lines = run_rows(file, rows_of(1), PlayedModel(lambda *_: Delivery(None, "timeout")), light)
    most = spent(file)
    assert (lines["t0000"].error, most > 0) == ("timeout", True)
    refused = Delivery(None, "rate_limited", 429, may_bill=False)
    run_rows(file, rows_of(1), PlayedModel(lambda *_: refused), light)
    assert spent(file) == most
    as_expected(run_rows(file, rows_of(1), PlayedModel(), light))


def test_a_server_that_denies_access_ends_the_run(tmp_path: Path, light: Redactor) -> None:
    """After the calls in flight; nothing is spent, and the next run asks all rows."""
    model = PlayedModel(lambda *_: Delivery(None, "unavailable", 401, may_bill=False))
    file = tmp_path / "w"
    with pytest.raises(FatalError, match="401"):
        run_rows(file, rows_of(9), model, light)
    assert len(model.asked) == SLOTS
    assert spent(file) == 0
    as_expected(run_rows(file, rows_of(9), PlayedModel(), light))


def test_a_model_that_calls_tools_for_ever_is_an_error(tmp_path: Path, light: Redactor) -> None:
    """After a number of replies; what it says beside is sent back redacted."""
    arguments = '{"day": 1, "at": "x"}'
    model = PlayedModel(
        lambda *_: Delivery(body_of(f"By {CANARY}", [(TOOL, arguments)]), None, 200)
    )
    (line,) = run_rows(tmp_path / "w", [row_of(1)], model, light).values()
    assert (line.error, len(model.asked)) == ("calls_without_end", 16)
    assert CANARY not in str([request.body for request in model.requests])


def test_a_work_file_is_of_one_run_at_a_time(tmp_path: Path, light: Redactor) -> None:
    """Another model, another process, and a damaged line are refused, without its content."""
    file = tmp_path / "w"
    run_rows(file, rows_of(3), PlayedModel(), light)
    with pytest.raises(UsageError, match="of another run"):
        CandidateWork(file, RunIdentity(model="other", release="r", settings={}))
    with CandidateWork(file, IDENTITY), pytest.raises(UsageError, match="in use"):
        CandidateWork(file, IDENTITY)
    with file.open("ab") as lines:
        lines.write(b'{"step": "answer", "row": "zaphod"\n')
    with pytest.raises(UsageError, match="line 10, is damaged") as refused:
        CandidateWork(file, IDENTITY)
    assert "zaphod" not in str(refused.value)


def test_a_run_goes_on_wherever_the_last_one_was_cut(tmp_path: Path, light: Redactor) -> None:
    """At each byte of the work file: the same lines, and no call whose answer is there again."""
    whole = tmp_path / "whole"
    run_rows(whole, rows_of(3), PlayedModel(), light)
    data, cost = whole.read_bytes(), spent(whole)
    for end in range(0, len(data), 23):
        cut = tmp_path / "cut"
        cut.write_bytes(data[:end])
        kept = data[:end].count(b'"step":"answer"') - (not data[:end].endswith(b"\n"))
        model = PlayedModel()
        as_expected(run_rows(cut, rows_of(3), model, light))
        assert len(model.asked) <= 4 - max(kept - 1, 0)
        assert spent(cut) >= cost - 1e-12


@pytest.mark.parametrize("every", [29, pytest.param(1, marks=pytest.mark.chaos)])
def test_killed_at_a_step_and_run_again(tmp_path: Path, light: Redactor, every: int) -> None:
    """Paid twice is at most what was in flight; no row is lost or doubled."""
    original = tmp_path / "original"
    original.mkdir()
    needed = sum(CALLS.values()) * ROWS // 3
    for copy in JOB.killed_copies(original, tmp_path / "copies", slice(4, None, every)):
        ask_all(copy)
        asked = asked_in(copy)
        assert needed <= len(asked) <= needed + SLOTS
        model = PlayedModel()
        as_expected(run_rows(copy / WORK, rows_of(ROWS), model, light))
        assert model.asked == []
        # What was paid twice counts in the budget.
        assert spent(copy / WORK) >= 160e-6 * needed - 1e-9


EVERYWHERE: Final = [fault for fault in ALL_FAULTS if fault.wires == WIRES]
"""The faults that are not about the verdict in an answer, which a candidate does not give."""


def test_whatever_a_server_does_each_row_has_its_line(tmp_path: Path, light: Redactor) -> None:
    """A failure is never an answer, and no answer is lost; nothing of the replies is kept raw."""
    faults = [fault for fault in EVERYWHERE if not fault.is_slow]
    rows = [row_of(3 * number) for number in range(len(faults))]
    scripts = {3 * at: fault.made("chat", "pass") for at, fault in enumerate(faults)}
    waits = RetryWaits(lambda low, _high: low, lambda: NOW / 1e6)
    limits = CallLimits(concurrency=16)
    with (
        HostileServer(scripts) as server,
        JudgeClient(
            allowed_server(server.address, []), waits, time.monotonic, limits=limits, sleep=no_wait
        ) as client,
    ):
        lines = run_rows(tmp_path / "w", rows, client, light)
    expected = {
        fault.name: None if fault.expected == VERDICT else fault.expected for fault in faults
    }
    found = {fault.name: line.error for fault, line in zip(faults, lines.values(), strict=True)}
    assert found == expected
    assert set(server.calls) == set(scripts)
