"""The dialects: the mapping of each instrumentation, in the order in which they are tried."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from otel.dialect import Dialect, FieldName, RoleRule, SpanRole
from otel.signals import OtelSpan
from otel.sources import Source, attribute, bodies, group, log_attribute, sum_of

MAPPING_VERSION: Final = "3"
"""Changes with every change of a mapping or of the assembly that can change a row."""

Fields = Mapping[FieldName, tuple[Source, ...]]

_OPERATIONS: Final[Mapping[str, SpanRole]] = {
    "chat": "model",
    "text_completion": "model",
    "completion": "model",
    "generate_content": "model",
    "execute_tool": "tool",
    "retrieval": "retrieval",
    "embeddings": "embedding",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "chain",
}
_GEN_AI: Final[Fields] = {
    "model_provider": (attribute("gen_ai.provider.name"), attribute("gen_ai.system")),
    "model_requested": (attribute("gen_ai.request.model"),),
    "model_version": (attribute("gen_ai.response.model"),),
    "response_id": (attribute("gen_ai.response.id"),),
    "input_tokens": (
        attribute("gen_ai.usage.input_tokens"),
        attribute("gen_ai.usage.prompt_tokens"),
        attribute("llm.usage.prompt_tokens"),
    ),
    "output_tokens": (
        attribute("gen_ai.usage.output_tokens"),
        attribute("gen_ai.usage.completion_tokens"),
        attribute("llm.usage.completion_tokens"),
    ),
    "cached_tokens": (
        attribute("gen_ai.usage.cache_read.input_tokens"),
        attribute("gen_ai.usage.cache_read_input_tokens"),
        attribute("gen_ai.usage.input_tokens.cached"),
    ),
    "finish_reason": (
        attribute("gen_ai.response.finish_reasons", "0"),
        attribute("gen_ai.response.finish_reason"),
    ),
    "instructions": (
        attribute("gen_ai.system_instructions"),
        log_attribute("gen_ai.system_instructions"),
    ),
    "messages": (
        attribute("gen_ai.input.messages"),
        log_attribute("gen_ai.input.messages"),
        bodies("gen_ai.*.message"),
        log_attribute("gen_ai.prompt"),
    ),
    "response": (
        attribute("gen_ai.output.messages"),
        log_attribute("gen_ai.output.messages"),
        bodies("gen_ai.choice"),
        log_attribute("gen_ai.completion"),
    ),
    "tool_name": (attribute("gen_ai.tool.name"),),
    "tool_call_id": (attribute("gen_ai.tool.call.id"),),
    "tool_arguments": (attribute("gen_ai.tool.call.arguments"),),
    "tool_result": (attribute("gen_ai.tool.call.result"),),
    "documents": (attribute("gen_ai.retrieval.documents"),),
    "root_input": (attribute("gen_ai.input.messages"),),
    "root_output": (attribute("gen_ai.output.messages"),),
    "error_type": (attribute("error.type"),),
}
OTEL_MESSAGES: Final = Dialect(
    name="otel_messages",
    title="OpenTelemetry GenAI, attributes (semantic conventions 1.37 and later)",
    scopes=("opentelemetry.util.genai",),
    marks=("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.provider.name",
           "gen_ai.operation.name", "gen_ai.agent.", "gen_ai.tool."),
    roles=(
        RoleRule(attribute("gen_ai.operation.name"), _OPERATIONS),
        RoleRule(attribute("gen_ai.usage.output_tokens"), {}, otherwise="model"),
    ),
    fields=_GEN_AI,
)  # fmt: skip
OTEL_EVENTS: Final = replace(
    OTEL_MESSAGES,
    name="otel_events",
    title="OpenTelemetry GenAI, events (semantic conventions up to 1.36)",
    scopes=(),
    marks=("gen_ai.system", "gen_ai.user.message", "gen_ai.choice"),
    fields={
        **_GEN_AI,
        "instructions": (),
        "messages": (bodies("gen_ai.*.message"), *_GEN_AI["messages"]),
        "response": (bodies("gen_ai.choice"), *_GEN_AI["response"]),
        "root_input": (),
        "root_output": (),
    },
)

_OI_ROLES: Final[Mapping[str, SpanRole]] = {
    "llm": "model",
    "tool": "tool",
    "retriever": "retrieval",
    "embedding": "embedding",
    "agent": "agent",
    "chain": "chain",
}
OPENINFERENCE: Final = Dialect(
    name="openinference",
    title="OpenInference (Arize Phoenix)",
    scopes=("openinference.instrumentation",),
    marks=("openinference.span.kind", "llm.input_messages.", "llm.output_messages."),
    roles=(RoleRule(attribute("openinference.span.kind"), _OI_ROLES),),
    fields={
        "session_id": (attribute("session.id"), attribute("metadata", "session_id"),
                       attribute("metadata", "thread_id")),
        "user_id": (attribute("user.id"), attribute("metadata", "user_id")),
        "prompt_version": (attribute("llm.prompt_template.version"),
                           attribute("metadata", "prompt_version")),
        "model_provider": (attribute("llm.provider"), attribute("llm.system")),
        "model_requested": (attribute("llm.invocation_parameters", "model"),
                            attribute("llm.invocation_parameters", "model_name"),
                            attribute("input.value", "model"),
                            attribute("metadata", "ls_model_name")),
        "model_version": (
            attribute("output.value", "model"),
            attribute("output.value", "generations.0.0.generation_info.model_name"),
            attribute("output.value",
                      "generations.0.0.message.kwargs.response_metadata.model_name"),
            attribute("output.value", "llm_output.model_name"),
            attribute("llm.model_name"),
        ),
        "response_id": (
            attribute("output.value", "id"),
            attribute("output.value", "generations.0.0.message.kwargs.response_metadata.id"),
        ),
        "input_tokens": (attribute("llm.token_count.prompt"),),
        "output_tokens": (attribute("llm.token_count.completion"),),
        "cached_tokens": (attribute("llm.token_count.prompt_details.cache_read"),),
        "cost_usd": (attribute("llm.cost.total"),),
        "finish_reason": (attribute("llm.finish_reason"),),
        "messages": (group("llm.input_messages"), attribute("input.value", "messages")),
        "response": (group("llm.output_messages"), attribute("output.value")),
        "tool_name": (attribute("tool.name"),),
        "tool_call_id": (attribute("tool_call.id"), attribute("tool.id"),
                         attribute("output.value", "data.tool_call_id"),
                         attribute("output.value", "tool_call_id")),
        "tool_arguments": (attribute("input.value"), attribute("tool.parameters")),
        "tool_result": (attribute("output.value", "data.content"),
                        attribute("output.value", "kwargs.content"), attribute("output.value")),
        "documents": (attribute("output.value", "documents"), group("retrieval.documents")),
        "root_input": (attribute("input.value"),),
        "root_output": (attribute("output.value"),),
    },
)  # fmt: skip

_TRACELOOP_ROLES: Final[Mapping[str, SpanRole]] = {
    "workflow": "chain",
    "task": "chain",
    "agent": "agent",
    "tool": "tool",
}
_TRACELOOP_REQUESTS: Final[Mapping[str, SpanRole]] = {
    "chat": "model",
    "completion": "model",
    "embedding": "embedding",
}
_ASSOCIATION: Final = "traceloop.association.properties"
_TRACELOOP: Final[Fields] = {
    **_GEN_AI,
    "session_id": (
        attribute(f"{_ASSOCIATION}.session_id"),
        attribute(f"{_ASSOCIATION}.conversation_id"),
        attribute(f"{_ASSOCIATION}.thread_id"),
    ),
    "user_id": (attribute(f"{_ASSOCIATION}.user_id"),),
    "prompt_version": (
        attribute("traceloop.prompt.version"),
        attribute(f"{_ASSOCIATION}.prompt_version"),
    ),
    "tool_name": (attribute("gen_ai.tool.name"), attribute("traceloop.entity.name")),
    "tool_arguments": (
        attribute("traceloop.entity.input", "inputs"),
        attribute("traceloop.entity.input", "kwargs"),
        attribute("traceloop.entity.input"),
    ),
    "tool_result": (
        attribute("traceloop.entity.output", "output"),
        attribute("traceloop.entity.output"),
    ),
    "documents": (
        attribute("traceloop.entity.output", "documents"),
        attribute("traceloop.entity.output"),
    ),
    "root_input": (attribute("traceloop.entity.input"),),
    "root_output": (attribute("traceloop.entity.output"),),
}
TRACELOOP: Final = Dialect(
    name="traceloop",
    title="Traceloop OpenLLMetry, current",
    scopes=(),
    marks=("traceloop.", "llm.request.type"),
    roles=(
        RoleRule(attribute("traceloop.span.kind"), _TRACELOOP_ROLES),
        RoleRule(attribute("gen_ai.operation.name"), _OPERATIONS),
        RoleRule(attribute("llm.request.type"), _TRACELOOP_REQUESTS),
    ),
    fields={**_TRACELOOP, "messages": (*_GEN_AI["messages"], group("gen_ai.prompt")),
            "response": (*_GEN_AI["response"], group("gen_ai.completion"))},
    document_roles=frozenset({"retrieval", "chain", None}),
)  # fmt: skip
TRACELOOP_OLD: Final = replace(
    TRACELOOP,
    name="traceloop_old",
    title="Traceloop OpenLLMetry, old (numbered prompts)",
    marks=("gen_ai.prompt.0.", "gen_ai.completion.0."),
    fields={
        **_TRACELOOP,
        "instructions": (),
        "messages": (group("gen_ai.prompt"), attribute("gen_ai.input.messages")),
        "response": (group("gen_ai.completion"), attribute("gen_ai.output.messages")),
        "input_tokens": (
            attribute("gen_ai.usage.prompt_tokens"),
            attribute("gen_ai.usage.input_tokens"),
            attribute("llm.usage.prompt_tokens"),
        ),
        "output_tokens": (
            attribute("gen_ai.usage.completion_tokens"),
            attribute("gen_ai.usage.output_tokens"),
            attribute("llm.usage.completion_tokens"),
        ),
    },
)

MLFLOW: Final = Dialect(
    name="mlflow",
    title="MLflow, over OTLP and native",
    scopes=("mlflow.",),
    marks=("mlflow.",),
    roles=(
        RoleRule(
            attribute("mlflow.spanType"),
            {
                "chat_model": "model",
                "llm": "model",
                "tool": "tool",
                "retriever": "retrieval",
                "embedding": "embedding",
                "agent": "agent",
                "chain": "chain",
                "workflow": "chain",
            },
        ),
    ),
    fields={
        "session_id": (attribute("info.trace_metadata.mlflow.trace.session"),
                       attribute("mlflow.trace.session")),
        "user_id": (attribute("info.trace_metadata.mlflow.trace.user"),
                    attribute("mlflow.trace.user")),
        "prompt_version": (attribute("info.tags.prompt_version"),
                           attribute("mlflow.linkedPrompts", "0.version"),
                           attribute("info.tags.mlflow.linkedPrompts", "0.version")),
        "model_provider": (attribute("mlflow.llm.provider"), attribute("mlflow.message.format")),
        "model_requested": (attribute("model"), attribute("mlflow.spanInputs", "model")),
        "model_version": (attribute("mlflow.spanOutputs", "model"), attribute("mlflow.llm.model"),
                          attribute("gen_ai.request.model")),
        "response_id": (attribute("mlflow.spanOutputs", "id"),),
        "input_tokens": (attribute("mlflow.chat.tokenUsage", "input_tokens"),),
        "output_tokens": (attribute("mlflow.chat.tokenUsage", "output_tokens"),),
        "cached_tokens": (attribute("mlflow.chat.tokenUsage", "cache_read_input_tokens"),),
        "cost_usd": (attribute("info.trace_metadata.mlflow.trace.cost", "total_cost"),
                     attribute("mlflow.llm.cost", "total_cost")),
        "messages": (attribute("mlflow.spanInputs"),),
        "response": (attribute("mlflow.spanOutputs"),),
        "tool_call_id": (attribute("tool_call_id"),),
        "tool_arguments": (attribute("mlflow.spanInputs"),),
        "tool_result": (attribute("mlflow.spanOutputs"),),
        "documents": (attribute("mlflow.spanOutputs"),),
        "root_input": (attribute("mlflow.spanInputs"),),
        "root_output": (attribute("mlflow.spanOutputs"),),
        "environment": (attribute("info.tags.environment"),),
        "app_version": (attribute("info.trace_metadata.release"),),
    },
    json_values=True,
)  # fmt: skip

_LF: Final = "langfuse.observation"
LANGFUSE: Final = Dialect(
    name="langfuse",
    title="Langfuse 3 and later",
    scopes=("langfuse",),
    marks=("langfuse.",),
    roles=(
        RoleRule(
            attribute(f"{_LF}.type"),
            {
                "generation": "model",
                "tool": "tool",
                "retriever": "retrieval",
                "embedding": "embedding",
                "agent": "agent",
                "chain": "chain",
            },
        ),
        RoleRule(attribute("gen_ai.operation.name"), _OPERATIONS),
    ),
    fields={
        "session_id": (attribute("session.id"), attribute("langfuse.session.id"),
                       attribute("langfuse.trace.metadata.session_id")),
        "user_id": (attribute("user.id"), attribute("langfuse.user.id"),
                    attribute("langfuse.trace.metadata.user_id")),
        "prompt_version": (attribute(f"{_LF}.prompt.version"),
                           attribute("langfuse.trace.metadata.prompt_version"),
                           attribute(f"{_LF}.metadata.prompt_version")),
        "model_provider": (attribute("gen_ai.provider.name"), attribute("gen_ai.system")),
        "model_version": (attribute(f"{_LF}.model.name"), attribute("gen_ai.response.model")),
        "response_id": (attribute("gen_ai.response.id"),),
        "input_tokens": (sum_of(f"{_LF}.usage_details", "input"),
                         attribute(f"{_LF}.usage_details", "prompt_tokens"),
                         attribute(f"{_LF}.usage_details", "promptTokens")),
        "output_tokens": (sum_of(f"{_LF}.usage_details", "output"),
                          attribute(f"{_LF}.usage_details", "completion_tokens"),
                          attribute(f"{_LF}.usage_details", "completionTokens")),
        "cached_tokens": (attribute(f"{_LF}.usage_details", "input_cached_tokens"),
                          attribute(f"{_LF}.usage_details", "input_cache_read"),
                          attribute(f"{_LF}.usage_details", "cache_read_input_tokens"),
                          attribute(f"{_LF}.usage_details", "prompt_tokens_details.cached_tokens"),
                          attribute(f"{_LF}.usage_details", "input_tokens_details.cached_tokens")),
        "cost_usd": (attribute(f"{_LF}.cost_details", "total"),),
        "finish_reason": (attribute(f"{_LF}.metadata.finish_reason"),),
        "messages": (attribute(f"{_LF}.input"),),
        "response": (attribute(f"{_LF}.output"),),
        "tool_call_id": (attribute(f"{_LF}.metadata.tool_call_id"),
                         attribute(f"{_LF}.metadata", "tool_call_id")),
        "tool_arguments": (attribute(f"{_LF}.input"),),
        "tool_result": (attribute(f"{_LF}.output", "kwargs.content"),
                        attribute(f"{_LF}.output")),
        "documents": (attribute(f"{_LF}.output", "documents"), attribute(f"{_LF}.output")),
        "root_input": (attribute(f"{_LF}.input"), attribute("langfuse.trace.input")),
        "root_output": (attribute(f"{_LF}.output"), attribute("langfuse.trace.output")),
        "error_message": (attribute(f"{_LF}.status_message"),),
        "environment": (attribute("langfuse.environment"),),
        "app_version": (attribute("langfuse.release"), attribute("langfuse.version")),
    },
)  # fmt: skip

LANGSMITH: Final = Dialect(
    name="langsmith",
    title="LangSmith, native runs and over OpenTelemetry",
    scopes=("langsmith",),
    marks=("langsmith.",),
    roles=(
        RoleRule(
            attribute("langsmith.span.kind"),
            {
                "llm": "model",
                "tool": "tool",
                "retriever": "retrieval",
                "embedding": "embedding",
                "chain": "chain",
            },
        ),
        RoleRule(attribute("gen_ai.operation.name"), _OPERATIONS),
    ),
    fields={
        "session_id": (attribute("langsmith.metadata.session_id"),
                       attribute("langsmith.metadata.thread_id"),
                       attribute("langsmith.metadata.conversation_id")),
        "user_id": (attribute("langsmith.metadata.user_id"),),
        "prompt_version": (attribute("langsmith.metadata.prompt_version"),
                           attribute("langsmith.metadata.lc_hub_commit_hash")),
        "model_provider": (attribute("langsmith.metadata.ls_provider"),
                           attribute("gen_ai.system")),
        "model_requested": (attribute("langsmith.metadata.ls_model_name"),
                            attribute("gen_ai.request.model")),
        "model_version": (attribute("outputs", "model"),
                          attribute("outputs", "generations.0.0.generation_info.model_name"),
                          attribute("gen_ai.response.model"),
                          attribute("gen_ai.completion", "model")),
        "response_id": (attribute("outputs", "id"), attribute("gen_ai.response.id"),
                        attribute("gen_ai.completion", "id")),
        "input_tokens": (attribute("outputs", "usage_metadata.input_tokens"),
                         attribute("langsmith.metadata.usage_metadata", "input_tokens"),
                         attribute("gen_ai.usage.input_tokens"),
                         attribute("prompt_tokens")),
        "output_tokens": (attribute("outputs", "usage_metadata.output_tokens"),
                          attribute("langsmith.metadata.usage_metadata", "output_tokens"),
                          attribute("gen_ai.usage.output_tokens"),
                          attribute("completion_tokens")),
        "cached_tokens": (attribute("outputs", "usage_metadata.input_token_details.cache_read"),
                          attribute("gen_ai.usage.input_token_details.cache_read"),
                          attribute("gen_ai.usage.cache_read.input_tokens")),
        "cost_usd": (attribute("outputs", "usage_metadata.total_cost"),
                     attribute("total_cost")),
        "messages": (attribute("inputs"), attribute("gen_ai.prompt")),
        "response": (attribute("outputs"), attribute("gen_ai.completion")),
        "tool_call_id": (attribute("langsmith.metadata.tool_call_id"),),
        "tool_arguments": (attribute("inputs"), attribute("gen_ai.prompt")),
        "tool_result": (attribute("outputs"), attribute("gen_ai.completion")),
        "documents": (attribute("outputs", "documents"),
                      attribute("gen_ai.completion", "documents")),
        "root_input": (attribute("inputs"), attribute("gen_ai.prompt")),
        "root_output": (attribute("outputs"), attribute("gen_ai.completion")),
        "app": (attribute("langsmith.project"), attribute("langsmith.trace.session_name")),
    },
)  # fmt: skip

DIALECTS: Final = (
    LANGFUSE,
    MLFLOW,
    LANGSMITH,
    OPENINFERENCE,
    TRACELOOP_OLD,
    TRACELOOP,
    OTEL_MESSAGES,
    OTEL_EVENTS,
)
MAX_REMEMBERED_KEYS: Final = 64
UNKNOWN: Final = Dialect("unknown", "No dialect", (), (), (), {})


def recognise(span: OtelSpan, log_names: frozenset[str]) -> Dialect:
    """Return the dialect of a span; one that matches none keeps only what applications set.

    The events of a model call decide between the two OpenTelemetry dialects.
    """
    keys = frozenset(span.attributes)
    if len(keys) + len(log_names) <= MAX_REMEMBERED_KEYS:
        return _recognise_remembered(span.scope, keys, log_names)
    return _recognise(span.scope, keys, log_names)


def _recognise(scope: str, keys: frozenset[str], log_names: frozenset[str]) -> Dialect:
    for dialect in DIALECTS:
        if dialect.recognises(scope, keys, log_names):
            return _choose_otel(dialect, keys, log_names)
    return UNKNOWN


_recognise_remembered = lru_cache(maxsize=1024)(_recognise)
"""Spans of one place in a program have the same keys; a few megabytes of memory at most."""


_MESSAGES_ERA: Final = frozenset(
    {"gen_ai.provider.name", "gen_ai.input.messages", "gen_ai.output.messages"}
)


def _choose_otel(dialect: Dialect, keys: frozenset[str], log_names: frozenset[str]) -> Dialect:
    if dialect is not OTEL_MESSAGES or keys & _MESSAGES_ERA:
        return dialect
    has_events = any(name.startswith(OTEL_EVENTS.marks) for name in log_names)
    return OTEL_EVENTS if has_events or "gen_ai.system" in keys else dialect
