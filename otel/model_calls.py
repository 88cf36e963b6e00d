"""The model calls of a trace, each once, with what went in and what came out."""

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
    model = {span_id for span_id, view in views.items() if view.role == "model"}
    outer: dict[str, list[str]] = {span_id: [] for span_id in model}
    inner_count: dict[str, int] = dict.fromkeys(model, 0)
    for span_id in model:
        for ancestor in tree.ancestors(views[span_id].span):
            role = views[ancestor.span_id].role
            if role in _BOUNDARIES:
                break
            if role == "model":
                outer[span_id].append(ancestor.span_id)
                inner_count[ancestor.span_id] += 1
    return [
        ModelCall([views[i] for i in (span_id, *(o for o in outer[span_id]
                                                  if inner_count[o] == 1))])
        for span_id in tree.spans
        if span_id in model and (not inner_count[span_id] or span_id in tree.cyclic)
    ]  # fmt: skip


def _read_instructions(reading: Reading) -> list[ChatMessage]:
    """Return the system message of instructions: text, messages, or a list of parts."""
    value = reading.value
    messages = read_messages(value, "system")
    if messages and all(message.content for message in messages):
        text = "\n".join(str(message.content) for message in messages)
        return [ChatMessage("system", text)]
    return []
