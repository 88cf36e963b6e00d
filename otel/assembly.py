"""Assembles the spans and logs of one trace to at most one row of the table of traces.

A pure function of the set of spans and logs: their order, duplicates and the records they came in
change nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from otel.assembly_rules import DEFAULT_RULES, AssemblyRules
from otel.call_accounts import TraceAccount, account_for_trace
from otel.chat_messages import ChatMessage, read_messages, read_output
from otel.dialect import FieldName
from otel.json_documents import parse_object
from otel.missing_content import ContentObservation, has_content
from otel.model_calls import ModelCall, find_model_calls
from otel.retrieved_documents import read_documents
from otel.root_choice import narrow_to_turn
from otel.sampling import read_sampling_probability
from otel.signals import OtelLog, OtelSpan
from otel.span_errors import SpanError, find_error
from otel.span_tree import SpanTree, build_tree, is_event_time
from otel.span_view import FieldOrigin, Reading, SpanView
from otel.tool_runs import find_tool_runs
from otel.trace_costs import find_cost

INCOMPLETE_REASONS: Final[Mapping[str, str]] = {
    "root_missing": "the root span is not there",
    "root_not_ended": "the root span has no end time",
    "other_roots": "the trace has several roots: the row is that of one of them",
    "parents_missing": "a span has a parent that is not there, below an existing root",
    "cyclic_parents": "spans are their own ancestors",
    "model_calls_missing": "an agent, chain or workflow without its model call",
    "messages_missing": "no input of a model call was exported",
    "message_content_missing": "a user message was exported without its content",
    "response_missing": "a call ended regularly and its answer was not exported",
    "tokens_missing": "some model calls that answered say no tokens",
    "cost_missing": "the cost of some model calls that answered is not known",
    "attributes_dropped": "the SDK dropped attributes of a span, or an id was too long",
    "attributes_cut": "the JSON of an attribute ends in the middle",
    "spans_left_out": "there are too many spans: those in the middle are left out",
    "spans_unreadable": "a stored span of the trace cannot be read",
}
"""Why a row may lack something, by the name in the column ``incomplete``."""

_UNNAMED: Final = "unknown_service"
_ROOT_ROLES: Final = frozenset({"agent", "chain"})
_INPUT_KEYS: Final = ("message", "input", "question", "query", "prompt", "user_message", "text")
_OUTPUT_KEYS: Final = ("answer", "output", "response", "result", "text", "content")
_ENTITY_KEYS: Final = ("inputs", "kwargs")


@dataclass(frozen=True, slots=True)
class AssembledTrace:
    """The outcome for one trace: a row of the contract, or the reason why there is none.

    ``origins`` says for each field of the row where its value came from. ``user_message`` and the
    other contents stand in the row only.
    """

    trace_id: str
    row: Mapping[str, Any] | None
    reason: str | None
    incomplete: tuple[str, ...]
    origins: Mapping[str, FieldOrigin]
    dialects: tuple[str, ...]
    span_count: int
    mapping: str = DEFAULT_RULES.mapping
    sampling_probability: float | None = None
    cost_computed: bool | None = None
    """Whether a price table gave the cost or a part of it; None if the row has no cost."""
    has_content: bool = True
    """False if there are model calls and none of them has a text."""
    taught: tuple[str, ...] = ()
    """The marks that stored spans carry, for the redaction of the row."""
    account: TraceAccount | None = None
    """What its model calls have in common with those of a duplicate; None without a row."""

    @property
    def content_observation(self) -> ContentObservation | None:
        """What `otel.missing_content.ContentWatch` observes; None without a model call."""
        if self.row is None or self.account is None or not self.account.calls:
            return None
        return ContentObservation(str(self.row["app"]), self.dialects, self.has_content)


def assemble_trace(
    trace_id: str,
    spans: Iterable[OtelSpan],
    logs: Iterable[OtelLog] = (),
    rules: AssemblyRules = DEFAULT_RULES,
) -> AssembledTrace:
    """Return the row of a trace. ``spans`` and ``logs`` are all of this trace."""
    return _Assembly(trace_id, build_tree(spans, logs), rules).run()


@dataclass
class _Assembly:
    trace_id: str
    whole: SpanTree
    rules: AssemblyRules
    origins: dict[str, FieldOrigin] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    cost_computed: bool | None = None

    @cached_property
    def all_views(self) -> dict[str, SpanView]:
        return {
            span_id: SpanView(span, self.whole.logs.get(span_id, ()), self.rules.extra)
            for span_id, span in self.whole.spans.items()
        }

    @cached_property
    def tree(self) -> SpanTree:
        """The spans of the turn that the row is of."""
        return narrow_to_turn(self.whole, self.all_views)

    @cached_property
    def views(self) -> dict[str, SpanView]:
        return {span_id: self.all_views[span_id] for span_id in self.tree.spans}

    @cached_property
    def calls(self) -> list[ModelCall]:
        return find_model_calls(self.tree, self.views)

    @cached_property
    def root(self) -> SpanView | None:
        return self.views[self.tree.root.span_id] if self.tree.root is not None else None

    @cached_property
    def by_importance(self) -> list[SpanView]:
        """The root first, then all spans in order of their start."""
        lead = [] if self.root is None else [self.root]
        return lead + [view for view in self.views.values() if view is not self.root]

    def run(self) -> AssembledTrace:
        reason = self._find_reason()
        row = None if reason else self._build_row()
        names = {view.dialect.name for view in self.views.values()} - {"unknown"}
        return AssembledTrace(
            trace_id=self.trace_id,
            row=row,
            reason=reason,
            incomplete=tuple(sorted(self.incomplete)) if row else (),
            origins=dict(self.origins) if row else {},
            dialects=tuple(sorted(names)),
            span_count=len(self.whole.spans),
            mapping=self.rules.mapping,
            cost_computed=self.cost_computed,
            sampling_probability=read_sampling_probability(
                view.span.trace_state for view in self.by_importance
            ),
            has_content=not self.calls or has_content(self.calls),
            account=account_for_trace(self.trace_id, self.calls, row) if row else None,
        )

    def _find_reason(self) -> str | None:
        if not self.views:
            return "no span of this trace is there"
        if not is_event_time(self._start_ns()):
            return "no span has a start time between 2000 and 2099"
        if self.calls:
            return None
        if any(view.role in _ROOT_ROLES for view in self._top_views()):
            self.incomplete.add("model_calls_missing")
            return None
        roles = {view.role for view in self.views.values() if view.role}
        if roles:
            return f"no model call, agent, chain or workflow: only {', '.join(sorted(roles))}"
        return "no span of a language model application"

    def _start_ns(self) -> int:
        root = self.tree.root
        if root is not None and root.start_ns:
            return root.start_ns
        return min((s.start_ns for s in self.tree.spans.values() if s.start_ns), default=0)

    def _top_views(self) -> list[SpanView]:
        if self.root is not None:
            return [self.root]
        return [self.views[span_id] for span_id in self.tree.spans if span_id in self.tree.orphans]

    def _build_row(self) -> dict[str, Any]:
        self._check_tree()
        messages = self._read_messages()
        error = self._find_trace_error()
        last = self.calls[-1] if self.calls else None
        row: dict[str, Any] = {
            "trace_id": self.trace_id,
            "request_id": None,
            "session_id": self._from_any("session_id"),
            "user_id": self._from_any("user_id"),
            **self._read_application(),
            **self._read_times(),
            "status": "error" if error else "ok",
            "error_type": self._take("error_type", error and error.error_type, error),
            "error_message": self._take("error_message", error and error.message, error),
            "model_provider": self._from_calls("model_provider"),
            "model_requested": self._from_call(last, "model_requested"),
            "model_version": self._read_model_version(last),
            "prompt_version": self._from_any("prompt_version"),
            "messages": [_to_contract(message) for message in messages],
            "response": self._read_response(error),
            "finish_reason": self._read_finish_reason(last),
            "retrieved": self._read_documents(),
            "tool_calls": self._read_tools(),
            **self._read_usage(),
            "segments": {},
            "attributes": {},
        }
        return row

    def _check_tree(self) -> None:
        if self.tree is not self.whole:
            self.incomplete.add("other_roots")
        if self.tree.root is None:
            self.incomplete.add("root_missing")
        else:
            if not self.tree.root.end_ns:
                self.incomplete.add("root_not_ended")
            if self.tree.orphans:
                self.incomplete.add("parents_missing")
        if self.tree.cyclic:
            self.incomplete.add("cyclic_parents")
        for view in self.views.values():
            if view.role is None and view is not self.root:
                continue
            if view.span.dropped_attributes:
                self.incomplete.add("attributes_dropped")
            if _has_cut_json(view):
                self.incomplete.add("attributes_cut")

    def _take(self, name: str, value: Any, source: SpanError | Reading | None) -> Any:
        if value is not None and source is not None:
            self.origins[name] = source.origin
        return value

    def _from_any(self, name: FieldName) -> str | None:
        for view in self.by_importance:
            reading = view.read_text(name)
            if reading is not None:
                return str(self._take(name, reading.value, reading))
        return None

    def _from_call(self, call: ModelCall | None, name: FieldName) -> str | None:
        reading = call.read_text(name) if call is not None else None
        if reading is None and call is None:
            return self._from_any(name)
        return None if reading is None else str(self._take(name, reading.value, reading))

    def _read_model_version(self, call: ModelCall | None) -> str | None:
        """Return the model that answered; a call that failed without output has none.

        MLflow writes the requested model there.
        """
        if call is not None and call.error is not None and call.output is None:
            return None
        return self._from_call(call, "model_version")

    def _from_calls(self, name: FieldName) -> str | None:
        for call in reversed(self.calls):
            value = self._from_call(call, name)
            if value is not None:
                return value
        return None

    def _read_application(self) -> dict[str, Any]:
        carriers = [] if self.root is None else [self.root]
        carriers += [call.view for call in self.calls[:1]]
        carriers += self.by_importance
        row: dict[str, Any] = {"app": None, "environment": None, "app_version": None}
        names: tuple[FieldName, ...] = ("app", "environment", "app_version")
        for name in names:
            for view in carriers:
                reading = _read_setting(view, name)
                if reading is not None:
                    row[name] = self._take(name, reading.value, reading)
                    break
        row["app"] = row["app"] or "unknown"
        row["environment"] = row["environment"] or "production"
        return row

    def _read_times(self) -> dict[str, Any]:
        span = self.tree.root
        if span is not None and span.start_ns:
            start, end = span.start_ns, span.end_ns
            place = FieldOrigin(span.span_id, self.views[span.span_id].dialect.name, "span times")
        else:
            spans = list(self.tree.spans.values())
            start = self._start_ns()
            end = max((s.end_ns for s in spans), default=0)
            place = FieldOrigin(spans[0].span_id, "unknown", "times of all spans")
        self.origins["started_at"] = place
        latency = (end - start) / 1e6 if start and end >= start else None
        if latency is not None:
            self.origins["latency_ms"] = place
        return {"started_at": start // 1000, "latency_ms": latency}

    def _find_trace_error(self) -> SpanError | None:
        """Return the error of the last model call, else that of a root that failed after it."""
        if self.calls and self.calls[-1].error is not None:
            error = self.calls[-1].error
            root_error = find_error(self.root) if self.root is not None else None
            if error.error_type is None and root_error is not None:
                return root_error
            return error
        return find_error(self.root) if self.root is not None else None

    def _read_messages(self) -> list[ChatMessage]:
        for call in self.calls:
            if call.messages is not None:
                messages, origin = call.messages
                self.origins["messages"] = origin
                user = [message for message in messages if message.role == "user"]
                if user and user[-1].content is None:
                    self.incomplete.add("message_content_missing")
                return messages
        self.incomplete.add("messages_missing")
        return self._read_root_input()

    def _read_root_input(self) -> list[ChatMessage]:
        for view in self._top_views():
            for reading in view.read_all("root_input"):
                messages = read_messages(reading.value)
                if not messages:
                    text = _read_text_of(reading.value, _INPUT_KEYS)
                    messages = [ChatMessage("user", text)] if text else []
                if messages:
                    self.origins["messages"] = reading.origin
                    return messages
        return []

    def _read_response(self, error: SpanError | None) -> str | None:
        call = self.calls[-1] if self.calls else None
        if call is not None and call.output is not None:
            output, origin = call.output
            if output.text is not None or not output.tool_calls:
                self.origins["response"] = origin
                return output.text or ""
            if call.error is None:
                return self._read_root_output() if self._root_goes_on(call) else None
        text = self._read_root_output() if error is None else None
        if call is not None and text is None and error is None:
            self.incomplete.add("response_missing")
        return text

    def _root_goes_on(self, call: ModelCall) -> bool:
        """Return whether a root holds the call, so that its output is the answer of the turn."""
        return self.root is not None and self.root is not call.view

    def _read_root_output(self) -> str | None:
        for view in self._top_views():
            if view.role not in _ROOT_ROLES:
                continue
            for reading in view.read_all("root_output"):
                text = _read_text_of(reading.value, _OUTPUT_KEYS)
                if text is None:
                    output = read_output(reading.value)
                    text = output.text if output is not None else None
                if text is not None:
                    self.origins["response"] = reading.origin
                    return text
        return None

    def _read_finish_reason(self, call: ModelCall | None) -> str | None:
        if call is None:
            return None
        reading = call.read_text("finish_reason")
        if reading is not None:
            return str(self._take("finish_reason", reading.value, reading))
        if call.output is not None and call.output[0].finish_reason:
            self.origins["finish_reason"] = call.output[1]
            return call.output[0].finish_reason
        return None

    def _read_documents(self) -> list[dict[str, Any]]:
        documents: dict[tuple[str, str | None], dict[str, Any]] = {}
        for view in self.views.values():
            if view.role not in view.dialect.document_roles or view is self.root:
                continue
            found = read_documents(view)
            for document in found[0] if found else ():
                documents.setdefault((document["document_id"], document["text"]), document)
            if found:
                self.origins.setdefault("retrieved", found[1])
        return list(documents.values())

    def _read_tools(self) -> list[dict[str, Any]]:
        tools = [view for view in self.views.values() if view.role == "tool"]
        runs = find_tool_runs(self.calls, tools)
        if runs:
            self.origins["tool_calls"] = runs[0].origin
        return [run.call for run in runs]

    def _read_usage(self) -> dict[str, Any]:
        row: dict[str, Any] = {}
        answered = [call for call in self.calls if call.error is None]
        for name in ("input_tokens", "output_tokens"):
            readings = [call.read_number(name) for call in answered]
            present = [reading for reading in readings if reading is not None]
            row[name] = sum(int(reading.value) for reading in present) if present else None
            if present:
                self.origins[name] = present[0].origin
                if len(present) < len(readings):
                    self.incomplete.add("tokens_missing")
        cost = find_cost(answered, self.root, self.rules.prices)
        row["cost_usd"] = cost.total if cost is not None else None
        if cost is not None:
            self.cost_computed = cost.is_computed
            self.origins["cost_usd"] = cost.origin
            if cost.is_partial:
                self.incomplete.add("cost_missing")
        return row


def _read_setting(view: SpanView, name: FieldName) -> Reading | None:
    """Return a field of the application; the SDK's name for one without a name does not count."""
    for reading in view.read_all(name):
        if isinstance(reading.value, str) and not reading.value.startswith(_UNNAMED):
            return reading
    return None


def _to_contract(message: ChatMessage) -> dict[str, Any]:
    return {
        "role": message.role,
        "content": message.content,
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "tool_calls": [
            {"id": call.id or f"{call.name}-{number}", "name": call.name,
             "arguments": call.arguments}
            for number, call in enumerate(message.tool_calls)
        ],
    }  # fmt: skip


def _read_text_of(value: Any, keys: tuple[str, ...]) -> str | None:
    """Return plain text, or the text under one of the usual names of an object."""
    value = parse_object(value)
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in _ENTITY_KEYS:
            if isinstance(value.get(key), dict):
                value = value[key]
        for key in keys:
            if isinstance(value.get(key), str):
                return str(value[key])
    return None


def _has_cut_json(view: SpanView) -> bool:
    """Return whether an attribute that the dialect reads begins as JSON and cannot be parsed."""
    keys = {s.key for sources in view.dialect.fields.values() for s in sources}
    for key in keys & view.span.attributes.keys():
        value = view.span.attributes[key]
        if (
            isinstance(value, str)
            and value[:2] in _JSON_OPENINGS
            and isinstance(parse_object(value), str)
        ):
            return True
    return False


_JSON_OPENINGS: Final = frozenset({'{"', "[{", '["'})
