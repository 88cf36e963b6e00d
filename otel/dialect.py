"""A dialect: where one instrumentation keeps each field, and how its spans are recognised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from otel.sources import Source

SpanRole = Literal["model", "tool", "retrieval", "embedding", "agent", "chain"]
"""What a span did. Spans that did none of these have no role."""

FieldName = Literal[
    "session_id",
    "user_id",
    "prompt_version",
    "model_provider",
    "model_requested",
    "model_version",
    "response_id",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
    "finish_reason",
    "instructions",
    "messages",
    "response",
    "tool_name",
    "tool_call_id",
    "tool_arguments",
    "tool_result",
    "documents",
    "root_input",
    "root_output",
    "error_type",
    "error_message",
    "app",
    "environment",
    "app_version",
]
FIELD_NAMES: tuple[FieldName, ...] = get_args(FieldName)


@dataclass(frozen=True, slots=True)
class RoleRule:
    """Reads the role of a span: the value at ``source``, in lower case, is looked up.

    A value that is not in ``roles`` gives the role ``otherwise``, if there is one.
    """

    source: Source
    roles: Mapping[str, SpanRole]
    otherwise: SpanRole | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """The mapping of one instrumentation to the contract.

    A span belongs to the dialect if its scope starts with one of ``scopes`` or an attribute key
    starts with one of ``marks``. ``fields`` lists the places of each field, the best first; a
    field without an entry is not exported. ``document_roles`` are the roles of spans that can hold
    retrieved documents. ``json_values`` says that attributes hold JSON, even
    plain strings.
    """

    name: str
    title: str
    scopes: tuple[str, ...]
    marks: tuple[str, ...]
    roles: tuple[RoleRule, ...]
    fields: Mapping[FieldName, tuple[Source, ...]]
    json_values: bool = False
    document_roles: frozenset[SpanRole | None] = frozenset({"retrieval", None})

    def recognises(self, scope: str, keys: frozenset[str], log_names: frozenset[str]) -> bool:
        """Return whether a span with these attributes was written by this instrumentation."""
        return (
            (bool(self.scopes) and scope.startswith(self.scopes))
            or any(key.startswith(self.marks) for key in keys)
            or any(name.startswith(self.marks) for name in log_names)
        )
