"""Each dialect is recognised, and its places are read; unknown spans stay unknown."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from otel.dialects import DIALECTS
from otel.signals import OtelSpan, SpanEvent
from tests.otel.make_spans import START, assemble, log, row_of, span

ASSOCIATION = "traceloop.association.properties"
ANSWER = {"role": "assistant", "content": "It is late."}
SAID = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Where is it?"}]
CALL = {"id": "c-1", "type": "function",
        "function": {"name": "look_up", "arguments": '{"id": 7}'}}  # fmt: skip


def _spans(*attributes: Mapping[str, Any], scope: str = "") -> list[OtelSpan]:
    """Return a root and its children, each with its attributes."""
    names = ("turn", "model", "look_up", "kb", "model")
    return [
        span(number, None if number == 1 else 1, attributes=values, name=name, scope=scope)
        for number, (name, values) in enumerate(zip(names, attributes, strict=False), start=1)
    ]


def traceloop(*, old: bool) -> list[OtelSpan]:
    """Return a turn as OpenLLMetry exports it."""
    shared = {f"{ASSOCIATION}.session_id": "s-1", f"{ASSOCIATION}.user_id": "u-1",
              "traceloop.prompt.version": "7"}  # fmt: skip
    tokens = ("prompt_tokens", "completion_tokens") if old else ("input_tokens", "output_tokens")
    model = shared | {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        f"gen_ai.usage.{tokens[0]}": 10,
        f"gen_ai.usage.{tokens[1]}": 2,
    }
    if old:
        model |= {
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be kind.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "Where is it?",
        }
        asks = {
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c-1",
            "gen_ai.completion.0.tool_calls.0.name": "look_up",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"id": 7}',
        }
        answers = {
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "It is late.",
            "gen_ai.completion.0.finish_reason": "stop",
        }
    else:
        model |= {"gen_ai.operation.name": "chat", "gen_ai.input.messages": _parts(SAID)}
        asks = {
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [
                            {
                                "type": "tool_call",
                                "id": "c-1",
                                "name": "look_up",
                                "arguments": {"id": 7},
                            }
                        ],
                        "finish_reason": "tool_calls",
                    }
                ]
            )
        }
        answers = {
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "text", "content": "It is late."}],
                        "finish_reason": "stop",
                    }
                ]
            )
        }
    return _spans(
        shared | {"traceloop.span.kind": "workflow"},
        model | asks,
        shared | {"traceloop.span.kind": "tool", "traceloop.entity.name": "look_up",
                  "traceloop.entity.input": '{"args": [], "kwargs": {"id": 7}}',
                  "traceloop.entity.output": '{"late": true}'},
        shared | {"traceloop.span.kind": "task", "traceloop.entity.output":
                  json.dumps([{"id": "kb-1", "content": "Parcels can be late."}])},
        model | answers,
    )  # fmt: skip


def _parts(values: list[dict[str, str]]) -> str:
    return json.dumps(
        [{"role": m["role"], "parts": [{"type": "text", "content": m["content"]}]} for m in values]
    )


def langfuse() -> list[OtelSpan]:
    """Return a turn as Langfuse's SDK exports it."""
    shared = {"session.id": "s-1", "user.id": "u-1"}
    kind = "langfuse.observation"
    model = shared | {
        f"{kind}.type": "generation",
        f"{kind}.input": json.dumps(SAID),
        f"{kind}.model.name": "m-1",
        f"{kind}.usage_details": '{"input": 10, "output": 2}',
        f"{kind}.cost_details": '{"total": 0.5}',
        f"{kind}.prompt.version": 7,
    }
    return _spans(
        shared | {f"{kind}.type": "agent"},
        model | {f"{kind}.output": json.dumps({"role": "assistant", "tool_calls": [CALL]})},
        shared | {f"{kind}.type": "tool", f"{kind}.input": '{"id": 7}',
                  f"{kind}.output": '{"late": true}'},
        shared | {f"{kind}.type": "retriever", f"{kind}.output":
                  json.dumps([{"id": "kb-1", "content": "Parcels can be late."}])},
        model | {f"{kind}.output": json.dumps(ANSWER)},
        scope="langfuse-sdk",
    )  # fmt: skip


def langsmith() -> list[OtelSpan]:
    """Return a turn as LangSmith exports it over OpenTelemetry."""
    shared = {"langsmith.metadata.session_id": "s-1", "langsmith.metadata.user_id": "u-1",
              "langsmith.metadata.prompt_version": "7"}  # fmt: skip
    model = shared | {
        "langsmith.span.kind": "llm",
        "gen_ai.prompt": json.dumps({"messages": SAID, "model": "m"}),
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m-1",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 2,
    }

    def completion(message: Mapping[str, Any], reason: str) -> str:
        return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})

    return _spans(
        shared | {"langsmith.span.kind": "chain"},
        model | {"gen_ai.completion": completion({"tool_calls": [CALL]}, "tool_calls")},
        shared | {"langsmith.span.kind": "tool", "gen_ai.prompt": '{"id": 7}',
                  "gen_ai.completion": '{"late": true}'},
        shared | {"langsmith.span.kind": "retriever", "gen_ai.completion": json.dumps(
            {"documents": [{"page_content": "Parcels can be late.", "metadata": {"id": "kb-1"}}]})},
        model | {"gen_ai.completion": completion(ANSWER, "stop")},
        scope="langsmith",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dialect", "spans"),
    [
        ("traceloop_old", traceloop(old=True)),
        ("traceloop", traceloop(old=False)),
        ("langfuse", langfuse()),
        ("langsmith", langsmith()),
    ],
)
def test_a_turn_of_a_dialect_without_a_capture(dialect: str, spans: list[OtelSpan]) -> None:
    """Made as the facts about the product describe it: the whole row is right."""
    trace = assemble(*spans)
    assert dialect in trace.dialects
    row = trace.row
    assert row is not None
    assert [message["content"] for message in row["messages"]] == ["Be kind.", "Where is it?"]
    assert row["response"] == "It is late."
    assert (row["session_id"], row["user_id"], row["prompt_version"]) == ("s-1", "u-1", "7")
    assert (row["input_tokens"], row["output_tokens"]) == (20, 4)
    assert row["model_version"] == "m-1"
    assert row["model_requested"] == (None if dialect == "langfuse" else "m")
    [call] = row["tool_calls"]
    assert (call["id"], call["name"], json.loads(call["arguments"])) == (
        "c-1",
        "look_up",
        {"id": 7},
    )
    assert json.loads(call["result"]) == {"late": True}
    assert [document["document_id"] for document in row["retrieved"]] == ["kb-1"]
    assert trace.incomplete == ()


def test_every_dialect_has_a_name_and_a_way_to_be_recognised() -> None:
    """Names are unique: they stand in explanations."""
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    assert all(dialect.scopes or dialect.marks for dialect in DIALECTS)


def test_messages_of_the_events_era_can_be_span_events() -> None:
    """Instead of log records: the attributes of the event hold the content."""
    events = (
        SpanEvent("gen_ai.user.message", START, {"content": "Where is it?"}),
        SpanEvent("gen_ai.choice", START + 1, {"index": 0, "finish_reason": "stop",
                                               "message": json.dumps(ANSWER)}),
    )  # fmt: skip
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
    row = row_of(span(1, attributes=attributes, events=events))
    assert row["messages"][0]["content"] == "Where is it?"
    assert row["response"] == "It is late."


def test_the_order_of_log_records_is_that_of_their_times() -> None:
    """Not that in which they came."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.system": "openai"}
    logs = tuple(
        log(1, f"gen_ai.{role}.message", {"content": role}, time)
        for time, role in ((3, "user"), (1, "system"), (2, "assistant"))
    )
    row = row_of(span(1, attributes=attributes), logs=logs)
    assert [m["content"] for m in row["messages"]] == ["system", "assistant", "user"]


def test_a_langfuse_level_makes_an_error() -> None:
    """Langfuse leaves the status of the span unset."""
    kind = "langfuse.observation"
    failed = {f"{kind}.type": "generation", f"{kind}.input": "x", f"{kind}.level": "ERROR",
              f"{kind}.status_message": "openai.APIError: gone"}  # fmt: skip
    row = row_of(span(1, attributes=failed))
    assert (row["status"], row["error_type"], row["error_message"]) == ("error", "APIError", "gone")


_PARTS = {
    "input": [{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}],
    "output": [{"role": "assistant", "parts": [{"type": "text", "content": "It is late."}]}],
}
EVENT_FORMS: Mapping[str, tuple[SpanEvent, ...]] = {
    "attributes of message events": (
        SpanEvent("gen_ai.user.message", START, {"content": "Where is it?", "role": "user"}),
        SpanEvent("gen_ai.choice", START, {"index": 0, "message": json.dumps(ANSWER)}),
    ),
    "Azure's SDKs": (
        SpanEvent(
            "gen_ai.user.message",
            START,
            {"gen_ai.event.content": '{"role": "user", "content": "Where is it?"}'},
        ),
        SpanEvent(
            "gen_ai.choice", START, {"gen_ai.event.content": json.dumps({"message": ANSWER})}
        ),
    ),
    "conventions up to 1.27": (
        SpanEvent("gen_ai.content.prompt", START, {"gen_ai.prompt": json.dumps(SAID[1:])}),
        SpanEvent("gen_ai.content.completion", START, {"gen_ai.completion": json.dumps([ANSWER])}),
    ),
    "conventions from 1.37 on": (
        SpanEvent(
            "gen_ai.client.inference.operation.details",
            START,
            {f"gen_ai.{name}.messages": json.dumps(parts) for name, parts in _PARTS.items()},
        ),
    ),
}
"""Where content lies in events of the span itself, by who writes it so."""


@pytest.mark.parametrize("form", EVENT_FORMS)
@pytest.mark.parametrize("operation", [{"gen_ai.operation.name": "chat"}, {}])
def test_content_in_events_of_the_span_is_read(form: str, operation: Mapping[str, Any]) -> None:
    """Also without the name of the operation: only a model call has output tokens."""
    said = {"gen_ai.system": "s", "gen_ai.request.model": "m", "gen_ai.usage.output_tokens": 2}
    row = row_of(span(1, attributes={**said, **operation}, events=EVENT_FORMS[form]))
    assert [message["content"] for message in row["messages"]] == ["Where is it?"]
    assert (row["response"], row["output_tokens"]) == ("It is late.", 2)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input": 172, "output": 45, "total": 345, "input_cache_read": 128}, (300, 45)),
        ({"input": 172, "output": 40, "input_audio": 8, "output_reasoning": 5}, (180, 45)),
        ({"input": 300, "output": 45, "total": 345, "input_cached_tokens": 128}, (300, 45)),
        ({"input": 3, "output": 2, "unit": "TOKENS", "inputCost": 1.5, "totalCost": 2}, (3, 2)),
        (
            {"prompt_tokens": 300, "completion_tokens": 45, "prompt_tokens_details": {"x": 1}},
            (300, 45),
        ),
        ({"input_tokens": 300, "output_tokens": 45, "input_tokens_details": {"x": 1}}, (300, 45)),
        ({"promptTokens": 300, "completionTokens": 45, "totalTokens": 345}, (300, 45)),
        ({"cache_read_input_tokens": 128, "input": 172, "output": 45}, (300, 45)),
    ],
)
def test_the_parts_of_langfuse_usage_are_summed(
    usage: Mapping[str, Any], tokens: tuple[int, int]
) -> None:
    """Its integrations split input and output into parts that do not overlap; some export both."""
    kind = "langfuse.observation"
    said = {f"{kind}.type": "generation", f"{kind}.usage_details": json.dumps(usage)}
    row = row_of(span(1, attributes=said))
    assert (row["input_tokens"], row["output_tokens"]) == tokens
