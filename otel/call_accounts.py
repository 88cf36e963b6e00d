"""What identifies a model call across instrumentations: process, time, models, and its content.

Two instrumentations can account for one call in two traces. Their accounts are compared by
`otel.duplicate_traces`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel.chat_messages import ChatMessage
from otel.json_documents import content_digest, parse_json
from otel.model_calls import ModelCall

PROCESS_KEYS: Final = (
    "service.instance.id",
    "container.id",
    "k8s.pod.uid",
    "k8s.pod.name",
)
"""Attributes of a resource that each name one process, or the place of one, on their own."""

_HOST_KEYS: Final = ("host.id", "host.name")
_SERVICE_KEYS: Final = (
    "service.name",
    "service.namespace",
    "service.version",
    "deployment.environment.name",
    "deployment.environment",
    "host.name",
)

Instrumentation = tuple[str, str]
"""Scope and name of a span: what distinguishes the spans of one instrumentation."""


@dataclass(frozen=True, slots=True)
class CallAccount:
    """A model call as one trace accounts for it. Times are epoch nanoseconds.

    ``content`` is a digest of the user's messages and of the output, or None if either was not
    exported. ``models`` are the names of the model, in lower case and without a provider.
    """

    instrumentations: frozenset[Instrumentation]
    resource: Mapping[str, Any]
    start_ns: int
    end_ns: int
    content: str | None
    response_id: str | None
    models: frozenset[str]
    tokens: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class TraceAccount:
    """The model calls of a trace that has a row. ``filled`` counts the fields that its row says."""

    trace_id: str
    calls: tuple[CallAccount, ...]
    filled: int


def account_for_trace(
    trace_id: str, calls: Sequence[ModelCall], row: Mapping[str, Any]
) -> TraceAccount:
    """Return the account of a trace with a row. Holds digests, names and times, but no texts."""
    filled = sum(value not in (None, [], {}) for value in row.values())
    return TraceAccount(trace_id, tuple(_account_for_call(call) for call in calls), filled)


def _account_for_call(call: ModelCall) -> CallAccount:
    spans = [view.span for view in call.views]
    models = (call.read_text("model_requested"), call.read_text("model_version"))
    names = {str(reading.value).lower().rsplit("/", 1)[-1] for reading in models if reading}
    tokens = (call.read_number("input_tokens"), call.read_number("output_tokens"))
    response_id = call.read_text("response_id")
    return CallAccount(
        instrumentations=frozenset((span.scope, span.name) for span in spans),
        resource=call.view.span.resource,
        start_ns=min(span.start_ns for span in spans),
        end_ns=max(span.end_ns for span in spans),
        content=_digest_content(call),
        response_id=str(response_id.value) if response_id else None,
        models=frozenset(names),
        tokens=(
            tokens[0].value if tokens[0] is not None else None,
            tokens[1].value if tokens[1] is not None else None,
        ),
    )


def _digest_content(call: ModelCall) -> str | None:
    """Return a digest of what all instrumentations export alike, or None.

    System messages and the results of tools are left out: some instrumentations keep them in
    other attributes, or lose them.
    """
    asked = _user_texts(call.messages[0]) if call.messages is not None else []
    answered: list[Any]
    if call.output is not None:
        output = call.output[0]
        requests = [[r.name, parse_json(r.arguments)] for r in output.tool_calls]
        answered = [(output.text or "").strip(), requests]
    elif call.error is not None and call.error.error_type:
        answered = ["error", call.error.error_type]
    else:
        return None
    if not asked:
        return None
    return content_digest([asked, answered])


def _user_texts(messages: Sequence[ChatMessage]) -> list[str]:
    return [(m.content or "").strip() for m in messages if m.role == "user"]


def is_same_process(resource: Mapping[str, Any], compared: Mapping[str, Any]) -> bool:
    """Return whether two resources are certainly those of one process.

    An attribute that names a process decides, and so does a process id with its host. Where the
    two share no such attribute, the service has to be named by both, and nothing may differ.
    """
    decisions = [_equal(resource, compared, (key,)) for key in PROCESS_KEYS]
    decisions += [_equal(resource, compared, ("process.pid", host)) for host in _HOST_KEYS]
    decided = [decision for decision in decisions if decision is not None]
    if decided:
        return all(decided)
    services = [_equal(resource, compared, (key,)) for key in _SERVICE_KEYS]
    return services[0] is True and False not in services


def _equal(one: Mapping[str, Any], other: Mapping[str, Any], keys: tuple[str, ...]) -> bool | None:
    """Return whether the values are equal, or None if one of them is missing."""
    if any(key not in one or key not in other for key in keys):
        return None
    return all(one[key] == other[key] for key in keys)
