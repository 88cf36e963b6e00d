"""What a row says: the rules where the products differ or are silent."""

import json
from typing import Any

import pytest

from decode.contract_check import check_lines
from otel.signals import OtelSpan
from schemas.record_batches import RecordKind
from tests.otel.captures import CAPTURES, assemble_capture
from tests.otel.make_spans import SECOND, START, assemble, chat, log, messages, row_of, span


def root(**parts: Any) -> OtelSpan:
    """Return the root of a request."""
    attributes = {"session.id": "s-1", "user.id": "u-1", "app.prompt.version": "7"}
    return span(1, attributes=attributes | parts.pop("attributes", {}), **parts)


def tool(number: int, call_id: str | None, **parts: Any) -> OtelSpan:
    """Return a tool span below the root."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look_up",
                  "app.tool.args": '{"of": "span"}', "app.tool.result": '{"n": 1}'}  # fmt: skip
    if call_id:
        attributes["gen_ai.tool.call.id"] = call_id
    return span(number, 1, attributes=attributes | parts.pop("attributes", {}), **parts)


def requests(*calls: tuple[str, str, dict[str, Any]]) -> str:
    """Return the output of a model that asks for tools."""
    parts = [{"type": "tool_call", "id": i, "name": n, "arguments": a} for i, n, a in calls]
    return json.dumps([{"role": "assistant", "parts": parts, "finish_reason": "tool_calls"}])


def asks(number: int, *calls: tuple[str, str, dict[str, Any]]) -> OtelSpan:
    """Return a model call that asks for tools."""
    return chat(number, 1, answer="", attributes={"gen_ai.output.messages": requests(*calls)})


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_rows_fit_the_contract(source: str, encoding: str) -> None:
    """The contract would take every row as a record of a trace."""
    rows = [t.row for t in assemble_capture(source, encoding).values() if t.row is not None]
    lines = [json.dumps(row).encode() for row in rows]
    results = list(check_lines(RecordKind.TRACE, iter(lines), max_record_bytes=2**24))
    assert sum(fits for fits, _ in results) == len(rows) > 0
    assert [violation for _, found in results for violation in found] == []


def test_session_user_and_prompt_come_from_the_root_else_from_any_span() -> None:
    """The root wins over a span that says otherwise."""
    row = row_of(root(), chat(2, 1, attributes={"session.id": "other"}))
    assert (row["session_id"], row["user_id"], row["prompt_version"]) == ("s-1", "u-1", "7")
    assert row_of(span(1), chat(2, 1, attributes={"session.id": "s-2"}))["session_id"] == "s-2"


def test_a_call_that_fails_and_is_repeated_is_no_error() -> None:
    """The last model call decides."""
    row = row_of(root(), chat(2, 1, answer="", failed="busy"), chat(3, 1, answer="fine"))
    assert (row["status"], row["response"], row["error_type"]) == ("ok", "fine", None)


def test_the_last_call_that_fails_makes_an_error_though_the_root_is_ok() -> None:
    """The status of a root lies; the class of the error has no module."""
    failed = chat(3, 1, answer="", failed="busy", attributes={"error.type": "openai.RateLimit"})
    row = row_of(root(), chat(2, 1), failed)
    assert (row["status"], row["error_type"], row["error_message"]) == (
        "error", "RateLimit", "busy"
    )  # fmt: skip
    assert row["model_version"] is None


def test_a_root_that_fails_after_a_good_answer_is_an_error() -> None:
    """Its own error is named."""
    row = row_of(root(failed="ValueError: no room"), chat(2, 1))
    assert (row["status"], row["error_type"], row["error_message"]) == (
        "error", "ValueError", "no room"
    )  # fmt: skip
    assert row["response"] == "hi"


def test_what_a_broken_stream_brought_is_kept() -> None:
    """The status is error."""
    row = row_of(root(), chat(2, 1, answer="half an ans", failed="connection lost"))
    assert (row["status"], row["response"]) == ("error", "half an ans")


def test_an_empty_answer_that_ended_regularly_is_ok() -> None:
    """The finish reason says why it is empty."""
    output = json.dumps([{"role": "assistant", "parts": [], "finish_reason": "content_filter"}])
    row = row_of(root(), chat(2, 1, attributes={"gen_ai.output.messages": output}))
    assert (row["status"], row["response"], row["finish_reason"]) == ("ok", "", "content_filter")


def test_tokens_are_summed_over_the_calls_that_answered() -> None:
    """Embeddings and failed calls do not count; a call without tokens makes the row incomplete."""
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3}
    embedding = {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 99}
    spans = (root(), chat(2, 1, attributes=usage), chat(3, 1, attributes=usage),
             chat(4, 1, failed="x", answer="", attributes=usage), chat(6, 1, attributes=usage),
             span(5, 1, attributes=embedding))  # fmt: skip
    row = row_of(*spans)
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (30, 9, None)
    assert "tokens_missing" in assemble(*spans, chat(7, 1)).incomplete
    assert row_of(root(), chat(2, 1))["input_tokens"] is None


def test_a_call_that_two_instrumentations_saw_counts_once() -> None:
    """The inner span counts, and what only the outer one says is taken from it."""
    outer = chat(2, 1, attributes={"gen_ai.usage.input_tokens": 5, "gen_ai.response.model": "m-2"})
    inner = chat(3, 2, said="", answer="", attributes={"gen_ai.input.messages": ""})
    assert row_of(root(), outer, inner)["input_tokens"] == 5
    both = chat(3, 2, answer="inner", attributes={"gen_ai.usage.input_tokens": 5})
    row = row_of(root(), outer, both)
    assert (row["input_tokens"], row["response"], row["model_version"]) == (5, "inner", "m-2")


def test_an_agent_between_two_calls_makes_them_two() -> None:
    """A model call inside a tool or an agent of another call is a call of its own."""
    usage = {"gen_ai.usage.input_tokens": 5}
    agent = span(3, 2, attributes={"gen_ai.operation.name": "invoke_agent"})
    row = row_of(root(), chat(2, 1, attributes=usage), agent, chat(4, 3, attributes=usage))
    assert row["input_tokens"] == 10


def test_the_arguments_of_a_tool_are_those_of_the_model() -> None:
    """Found by the id of the call; the result is that of the span."""
    row = row_of(root(), asks(2, ("c-1", "look_up", {"of": "model"})), tool(3, "c-1"), chat(4, 1))
    [call] = row["tool_calls"]
    assert json.loads(call["arguments"]) == {"of": "model"}
    assert (call["id"], call["name"], call["result"], call["latency_ms"]) == (
        "c-1", "look_up", '{"n": 1}', 500.0
    )  # fmt: skip


def test_tool_spans_without_ids_are_paired_by_arguments_then_by_order() -> None:
    """Two calls of one tool do not get each other's results."""
    model = asks(2, ("a", "look_up", {"n": 1}), ("b", "look_up", {"n": 2}))
    second = tool(3, None, attributes={"app.tool.args": '{"n": 2}', "app.tool.result": "two"})
    first = tool(4, None, attributes={"app.tool.args": "?", "app.tool.result": "one"})
    calls = row_of(root(), model, second, first)["tool_calls"]
    assert [(call["id"], call["result"]) for call in calls] == [("a", "one"), ("b", "two")]


def test_a_tool_without_a_span_ran_if_a_later_call_was_given_its_result() -> None:
    """A request that nothing answers did not run."""
    given = json.dumps(
        [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "a", "response": "r"}]}]
    )
    model = asks(2, ("a", "look_up", {}), ("b", "look_up", {}))
    row = row_of(root(), model, chat(3, 1, attributes={"gen_ai.input.messages": given}))
    assert [(call["id"], call["result"]) for call in row["tool_calls"]] == [("a", "r")]


def test_a_tool_that_fails_is_no_error_of_the_trace() -> None:
    """Its error is in `tool_calls`."""
    row = row_of(root(), asks(2, ("a", "look_up", {})), tool(3, "a", failed="conflict"), chat(4, 1))
    [call] = row["tool_calls"]
    assert (row["status"], call["error"], call["result"]) == ("ok", "conflict", None)


def test_a_document_without_an_id_gets_a_hash_of_its_text() -> None:
    """Equal texts give equal ids."""
    documents = json.dumps([{"content": "a"}, {"id": "kb-1", "content": "b", "score": 0.5}])
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": documents}
    first, second = row_of(root(), span(2, 1, attributes=attributes), chat(3, 1))["retrieved"]
    assert first["document_id"].startswith("sha256:")
    assert second == {"document_id": "kb-1", "score": 0.5, "text": "b"}


def test_the_input_is_that_of_the_first_call_with_its_history() -> None:
    """Later calls are in tools and response; instructions become the system message."""
    history = messages(("user", "one"), ("assistant", "two"), ("user", "three"))
    first = {"gen_ai.input.messages": history, "gen_ai.system_instructions":
             '[{"type": "text", "content": "be kind"}]'}  # fmt: skip
    row = row_of(root(), chat(2, 1, attributes=first), chat(3, 1, said="other"))
    assert [m["role"] for m in row["messages"]] == ["system", "user", "assistant", "user"]
    assert [m["content"] for m in row["messages"]] == ["be kind", "one", "two", "three"]


def test_tools_and_retrievals_alone_have_no_row() -> None:
    """Nor has a root that is none of a language model application."""
    assert assemble(tool(3, "a")).reason == "no model call, agent, chain or workflow: only tool"
    assert assemble(span(1, name="GET /healthz")).reason == (
        "no span of a language model application"
    )


def test_an_agent_whose_model_call_was_lost_has_a_row() -> None:
    """It says what is missing."""
    agent = span(1, attributes={"gen_ai.operation.name": "invoke_agent"})
    trace = assemble(agent, tool(2, "a"))
    assert trace.row is not None
    assert trace.incomplete == ("messages_missing", "model_calls_missing")


def test_incomplete_names_what_is_not_there() -> None:
    """A lost root, a lost parent, dropped and cut attributes, a root that never ended."""
    assert assemble(chat(2, 1)).incomplete == ("root_missing",)
    assert assemble(root(end_ns=0), chat(2, 1)).incomplete == ("root_not_ended",)
    assert assemble(root(), chat(3, 2)).incomplete == ("parents_missing",)
    assert assemble(root(), chat(2, 1, dropped_attributes=3)).incomplete == ("attributes_dropped",)
    cut = {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "te'}
    assert "attributes_cut" in assemble(root(), chat(2, 1, attributes=cut)).incomplete


@pytest.mark.parametrize("parents", [(1,), (2, 1), (2, 3, 1)])
def test_cycles_of_parents_end(parents: tuple[int, ...]) -> None:
    """A span that is its own ancestor is named, and its calls still count."""
    spans = [chat(n, parent) for n, parent in enumerate(parents, start=1)]
    trace = assemble(*spans)
    assert trace.row is not None
    assert trace.incomplete == ("cyclic_parents", "root_missing")


def test_a_trace_without_times_has_no_row() -> None:
    """The contract needs an event time."""
    assert assemble(chat(1, start_ns=0)).reason == "no span has a start time between 2000 and 2099"


def test_latency_and_start_are_those_of_the_root() -> None:
    """Without a root they span all spans."""
    row = row_of(root(end_ns=START + 9 * SECOND), chat(2, 1))
    assert (row["started_at"], row["latency_ms"]) == ((START + SECOND) // 1000, 8000.0)
    row = row_of(chat(2, 1), chat(3, 1))
    assert (row["started_at"], row["latency_ms"]) == ((START + 2 * SECOND) // 1000, 1500.0)


def test_a_log_with_the_content_as_attributes_is_read() -> None:
    """Semantic conventions 1.37 allow the content on the log `…operation.details`."""
    said = [{"role": "user", "parts": [{"type": "text", "content": "from the log"}]}]
    details = log(1, "gen_ai.client.inference.operation.details", None,
                  attributes={"gen_ai.input.messages": said})  # fmt: skip
    bare = span(1, attributes={"gen_ai.operation.name": "chat", "gen_ai.provider.name": "x"})
    row = row_of(bare, logs=(details,))
    assert [m["content"] for m in row["messages"]] == ["from the log"]


def test_each_field_says_where_it_came_from() -> None:
    """Span, dialect and place, and never a value."""
    origins = assemble(root(), chat(2, 1, said="secret-4711")).origins
    assert origins["messages"].place == "gen_ai.input.messages"
    assert origins["session_id"].span_id == f"{1:016x}"
    assert "4711" not in str(origins)


@pytest.mark.parametrize(
    ("state", "probability"),
    [("ot=th:c", 0.25), ("ot=rv:abc;th:8,x=y", 0.5), ("vendor=1,ot=th:0", 1.0), ("a=b", None)],
)
def test_the_sampling_probability_is_kept(state: str, probability: float | None) -> None:
    """The threshold `th` of the trace state, as the Collector writes it."""
    assert assemble(chat(1, trace_state=state)).sampling_probability == probability


def test_a_long_chain_of_spans_is_assembled_in_linear_time() -> None:
    """20,000 spans, each the parent of the next."""
    spans = [chat(1), *(span(n, n - 1) for n in range(2, 20_000)), chat(20_000, 19_999)]
    trace = assemble(*spans)
    assert trace.row is not None
    assert trace.span_count == 20_000


def test_a_call_that_three_instrumentations_saw_counts_once() -> None:
    """What only the outermost one says is in the row too."""
    outermost = chat(2, 1, attributes={"gen_ai.response.model": "m-3"})
    inner = chat(4, 3, attributes={"gen_ai.usage.input_tokens": 5})
    row = row_of(root(), outermost, chat(3, 2), inner)
    assert (row["input_tokens"], row["model_version"]) == (5, "m-3")


def test_spans_nested_twenty_thousand_deep_in_one_another() -> None:
    """Each of them a model call: they are one call."""
    row = row_of(*(chat(n, n - 1 or None) for n in range(1, 20_000)))
    assert row["response"] == "hi"


def test_a_service_without_a_name_is_called_by_its_project() -> None:
    """The SDK writes `unknown_service` where nothing was set."""
    resource = {"service.name": "unknown_service:python", "openinference.project.name": "bot"}
    assert row_of(chat(1, resource=resource))["app"] == "bot"
    assert row_of(chat(1, resource={"service.name": "unknown_service"}))["app"] == "unknown"
