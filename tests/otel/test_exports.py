"""What the products export reads like what their SDKs send: traces, runs, spans and feedback."""

import json
from typing import Any

from otel.assembly import AssembledTrace, assemble_trace
from otel.capture_files import read_capture
from otel.formats import SignalFormat, decode_signals
from otel.signals import DecodedSignals
from otel.trace_sets import group_by_trace

TIMES = {"startTime": "2026-11-21T10:00:00.000Z", "endTime": "2026-11-21T10:00:01.000Z"}
OBSERVATION = {
    "id": "o-1", "traceId": "t-1", "type": "GENERATION", "name": "chat", "model": "gpt-x",
    "input": [{"role": "user", "content": "hello"}],
    "output": {"role": "assistant", "content": "hi"},
    "usageDetails": {"input": 3, "output": 1}, **TIMES,
}  # fmt: skip
SCORE = {"id": "s-1", "traceId": "t-1", "name": "user_thumb", "value": 1,
         "timestamp": "2026-11-21T10:00:09Z", "source": "API"}  # fmt: skip
TRACE = {"id": "t-1", "timestamp": TIMES["startTime"], "latency": 1.5, "sessionId": "s-9",
         "userId": "u-9", "name": "turn", "observations": [OBSERVATION], "scores": [SCORE],
         }  # fmt: skip


def decode(signal_format: SignalFormat, *documents: Any) -> list[DecodedSignals]:
    """Return the decoded lines of an export."""
    return [decode_signals(signal_format, json.dumps(each).encode(), ()) for each in documents]


def assemble(signals: list[DecodedSignals]) -> AssembledTrace:
    """Return the only trace of some records."""
    assert [item for each in signals for item in each.rejected] == []
    ((trace_id, group),) = group_by_trace(signals).items()
    return assemble_trace(trace_id, group.spans, group.logs)


def test_langfuse_exports_traces_with_their_parts() -> None:
    """One line holds the trace, its observations and its scores."""
    signals = decode("langfuse", TRACE)
    trace = assemble(signals)
    assert trace.row is not None
    assert (trace.row["session_id"], trace.row["user_id"]) == ("s-9", "u-9")
    assert (trace.row["response"], trace.row["input_tokens"]) == ("hi", 3)
    assert trace.row["latency_ms"] == 1500.0
    assert trace.incomplete == ()
    assert [item.target_id for item in signals[0].feedback] == ["t-1"]


def test_langfuse_exports_observations_and_scores_on_their_own() -> None:
    """As the tables of its user interface and its blob storage export do."""
    signals = decode("langfuse", OBSERVATION, SCORE)
    assert assemble(signals).row is not None
    assert len(signals[1].feedback) == 1
    assert not decode("langfuse", {"hello": 1})[0].readable
    assert not decode("langfuse", "text")[0].readable


def test_langfuse_exports_arrays() -> None:
    """A trace in an array is a trace, although it has a session and a name as scores have."""
    (signals,) = decode("langfuse", [TRACE, SCORE, {**SCORE, "traceId": None, "sessionId": "s-9"}])
    assert assemble([signals]).row == assemble(decode("langfuse", TRACE)).row
    assert [item.target_id for item in signals.feedback] == ["t-1", "t-1", "s-9"]
    (empty,) = decode("langfuse", [{**TRACE, "observations": [], "scores": []}, 7])
    assert (len(empty.spans), empty.feedback) == (1, ())
    assert [item.index for item in empty.rejected] == [1]


def test_a_line_that_is_no_record_costs_itself_only() -> None:
    """Also the first one, which a tool may have written as a notice."""
    content = b'Exporting 2 traces\n{"id": 1}\n\n{"id": 2}\n'
    assert [(each.line, each.value) for each in read_capture(content)] == [
        (1, b"Exporting 2 traces"),
        (2, b'{"id": 1}'),
        (4, b'{"id": 2}'),
    ]
    with_returns = content.replace(b"\n", b"\r\n")
    assert [each.value for each in read_capture(with_returns)] == [
        each.value for each in read_capture(content)
    ]
    for other in (b"no record\n", b"\x0a\xff\n{", b"\n\x00\n{"):
        assert [each.value for each in read_capture(other)] == [other]


def test_langsmith_exports_runs_and_feedback() -> None:
    """A run or a feedback per line."""
    run = {"id": "r-1", "trace_id": "r-1", "run_type": "llm", "name": "ChatOpenAI",
           "start_time": TIMES["startTime"], "end_time": TIMES["endTime"],
           "inputs": {"messages": [{"role": "user", "content": "hello"}]},
           "outputs": {"choices": [{"message": {"role": "assistant", "content": "hi"}}]},
           }  # fmt: skip
    feedback = {"id": "f-1", "run_id": "r-1", "key": "user_thumb", "score": 1}
    signals = decode("langsmith", run, feedback)
    trace = assemble(signals)
    assert trace.row is not None
    assert trace.row["response"] == "hi"
    assert [item.target_id for item in signals[1].feedback] == ["r-1"]


SPAN: dict[str, Any] = {
    "name": "ChatCompletion",
    "span_kind": "LLM",
    "parent_id": None,
    "start_time": "2026-11-21T10:00:00+00:00",
    "end_time": "2026-11-21T10:00:01+00:00",
    "status_code": "OK",
    "status_message": "",
    "events": [],
}


def test_phoenix_exports_spans_with_attributes_of_either_form() -> None:
    """Names with dots and lists of messages, nested objects, or columns of a data frame."""
    context = {"trace_id": "ab" * 16, "span_id": "cd" * 8}
    flat = {"llm.model_name": "gpt-x", "llm.token_count.prompt": 3,
            "llm.input_messages": [{"message.role": "user", "message.content": "hello"}],
            "llm.output_messages": [{"message.role": "assistant", "message.content": "hi"}],
            "metadata": {"user_id": "u-9"}}  # fmt: skip
    nested = {"llm": {"model_name": "gpt-x", "token_count": {"prompt": 3},
                      "input_messages": [{"message": {"role": "user", "content": "hello"}}],
                      "output_messages": [{"message": {"role": "assistant", "content": "hi"}}]},
              "metadata": {"user_id": "u-9"}}  # fmt: skip
    columns = {f"attributes.{key}": value for key, value in flat.items()}
    frame = {f"context.{key}": value for key, value in context.items()}
    rows = [
        assemble(decode("phoenix", document)).row
        for document in (
            {**SPAN, "context": context, "attributes": flat},
            {**SPAN, "context": context, "attributes": nested},
            {**SPAN, **frame, **columns, "attributes.session": None},
            {"data": [{**SPAN, "context": context, "attributes": flat}]},
        )
    ]
    assert rows[0] is not None
    assert [m["content"] for m in rows[0]["messages"]] == ["hello"]
    assert (rows[0]["response"], rows[0]["user_id"], rows[0]["input_tokens"]) == ("hi", "u-9", 3)
    assert rows[1:] == rows[:1] * 3


def test_a_span_that_phoenix_exports_without_ids_is_rejected_alone() -> None:
    """The others of the record are kept."""
    good = {**SPAN, "context": {"trace_id": "ab" * 16, "span_id": "cd" * 8}, "attributes": {}}
    (decoded,) = decode("phoenix", {"data": [{**SPAN, "context": {}}, good]})
    assert [(item.index, item.reason) for item in decoded.rejected] == [(0, "trace_id is missing")]
    assert [span.index for span in decoded.spans] == [1]
    assert not decode("phoenix", {"hello": 1})[0].readable


def test_langsmith_exports_the_usage_of_a_run() -> None:
    """It counts where `usage_metadata` says none; 0 is a sum that LangSmith does not know."""
    run = {"id": "r-1", "trace_id": "r-1", "run_type": "llm", "name": "ChatOpenAI",
           "start_time": "2026-11-21T10:00:00Z", "end_time": "2026-11-21T10:00:01Z",
           "inputs": {"messages": [{"role": "user", "content": "hello"}]},
           "outputs": {"choices": [{"message": {"role": "assistant", "content": "hi"}}]},
           "prompt_tokens": 3, "completion_tokens": 4, "total_cost": "0.0005"}  # fmt: skip
    row = assemble(decode("langsmith", run)).row
    assert row is not None
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (3, 4, 0.0005)
    own = {"choices": [{"message": {"role": "assistant", "content": "hi"}}],
           "usage_metadata": {"input_tokens": 30, "output_tokens": 40}}  # fmt: skip
    row = assemble(decode("langsmith", run | {"outputs": own})).row
    assert row is not None
    assert (row["input_tokens"], row["output_tokens"]) == (30, 40)
    row = assemble(decode("langsmith", run | {"prompt_tokens": 0, "total_cost": None})).row
    assert row is not None
    assert (row["input_tokens"], row["cost_usd"]) == (None, None)
