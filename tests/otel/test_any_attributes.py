"""Native bodies can put a value of any type under any key; a trace is assembled all the same."""

import json
import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel.assembly import assemble_trace
from otel.dialects import DIALECTS
from otel.feedback_scale import scale_feedback
from tests.otel.make_spans import TRACE, span

KEYS = sorted(
    {source.key + (".0.content" if source.form == "group" else "")
     for dialect in DIALECTS for places in dialect.fields.values() for source in places}
    | {rule.source.key for dialect in DIALECTS for rule in dialect.roles}
    | {"error", "langfuse.observation.level", "langfuse.observation.status_message"}
)  # fmt: skip
ROLES = sorted({role for d in DIALECTS for rule in d.roles for role in rule.roles})
INNER = ["role", "content", "id", "metadata", "score", "model", "document", "name", "documents",
         "input", "answer", "kwargs", "messages", "tool_calls", "type", "text"]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*ROLES, "[1]", "{"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=4)
    ),
    max_leaves=12,
)
ROLE = st.sampled_from(
    [{rule.source.key: role} for d in DIALECTS for rule in d.roles for role in rule.roles]
)
ATTRIBUTES = st.tuples(
    ROLE, st.dictionaries(st.sampled_from(KEYS), VALUES | VALUES.map(json.dumps), max_size=12)
).map(lambda parts: {**parts[0], **parts[1]})


@settings(max_examples=80)
@given(st.lists(st.tuples(ATTRIBUTES, st.none() | st.integers(1, 5)), min_size=1, max_size=5))
def test_any_attributes_give_a_row_or_a_reason(
    spans: list[tuple[dict[str, Any], int | None]],
) -> None:
    """And the row can be written as JSON."""
    trace = assemble_trace(
        TRACE, [span(n, parent, attributes=a) for n, (a, parent) in enumerate(spans, start=1)]
    )
    assert (trace.row is None) == (trace.reason is not None)
    json.dumps(trace.row).encode()


@given(st.text(max_size=12), VALUES)
def test_any_value_of_feedback_has_a_kind(name: str, value: object) -> None:
    """Its value is a number, or none."""
    kind, number = scale_feedback(name, value)
    assert kind in {"thumbs", "rating", "comment", "custom"}
    assert number is None or math.isfinite(number)
