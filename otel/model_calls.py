"""The model calls of a trace, each once, with what went in and what came out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from otel.chat_messages import ChatMessage, ModelOutput, read_messages, read_output
from otel.dialect import FieldName
from otel.span_errors import SpanError, find_error
from otel.span_tree import SpanTree
from otel.span_view import FieldOrigin, Reading, SpanView

_BOUNDARIES = frozenset({"tool", "agent", "retrieval"})


@dataclass(frozen=True)
class ModelCall:
    """A model call, as one or more instrumentations recorded it; the innermost comes first."""

    views: Sequence[SpanView]

    @property
    def view(self) -> SpanView:
        """The innermost span of the call."""
        return self.views[0]

    @cached_property
    def error(self) -> SpanError | None:
        """Why the call failed, or None."""
        return find_error(self.view)

    @cached_property
    def messages(self) -> tuple[list[ChatMessage], FieldOrigin] | None:
        """The input of the call, or None if it was not exported."""
        for view in self.views:
            for reading in view.read_all("messages"):
                messages = read_messages(reading.value)
                if messages:
                    system = view.read("instructions")
                    lead = [] if system is None else _read_instructions(system)
                    return [*lead, *messages], reading.origin
        return None

    @cached_property
    def output(self) -> tuple[ModelOutput, FieldOrigin] | None:
        """The output of the call, or None if there was none or it was not exported."""
        for view in self.views:
            for reading in view.read_all("response"):
                output = read_output(reading.value)
                if output is not None:
                    return output, reading.origin
        return None

    def read_text(self, name: FieldName) -> Reading | None:
        """Return a field from the innermost span that has it."""
        return next((r for view in self.views if (r := view.read_text(name))), None)

    def read_number(self, name: FieldName) -> Reading | None:
        """Return a number from the innermost span that has it."""
        return next((r for view in self.views if (r := view.read_number(name))), None)


def find_model_calls(tree: SpanTree, views: Mapping[str, SpanView]) -> list[ModelCall]:
    """Return the model calls in order of their start.

    A model span within another one, with no tool or agent between, is the same call seen by two
    instrumentations. If an outer span holds several calls, each of them counts.
    """
    outer = _find_outer_models(tree, views)
    inner_count = Counter(outer.values())
    calls = []
    for span_id in tree.spans:
        if views[span_id].role != "model" or (inner_count[span_id] and span_id not in tree.cyclic):
            continue
        same = [span_id]
        while same[-1] in outer and inner_count[outer[same[-1]]] == 1:
            same.append(outer[same[-1]])
        calls.append(ModelCall([views[i] for i in same]))
    return calls


def _find_outer_models(tree: SpanTree, views: Mapping[str, SpanView]) -> dict[str, str]:
    """Return for each model span the nearest one around it. Each span is visited once.

    Spans on or below a cycle of parents have none.
    """
    nearest: dict[str, str | None] = {}
    outer = {}
    for span_id, view in views.items():
        if view.role == "model" and span_id not in tree.cyclic:
            found = _find_nearest(view.span.parent_span_id, views, nearest)
            if found is not None:
                outer[span_id] = found
    return outer


def _find_nearest(
    start: str | None, views: Mapping[str, SpanView], nearest: dict[str, str | None]
) -> str | None:
    """Return the nearest model span from a span upwards, the span itself included."""
    path = []
    current, found = start, None
    while current is not None and current in views:
        if current in nearest:
            found = nearest[current]
            break
        role = views[current].role
        if role == "model":
            found = current
            break
        if role in _BOUNDARIES:
            break
        path.append(current)
        current = views[current].span.parent_span_id
    nearest.update(dict.fromkeys(path, found))
    return found


def _read_instructions(reading: Reading) -> list[ChatMessage]:
    """Return the system message of instructions: text, messages, or a list of parts."""
    value = reading.value
    messages = read_messages(value, "system")
    if messages and all(message.content for message in messages):
        text = "\n".join(str(message.content) for message in messages)
        return [ChatMessage("system", text)]
    return []
