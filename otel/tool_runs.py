"""The tools that ran in a trace: the model's requests, the tool spans and the results, paired."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otel.chat_messages import ToolRequest
from otel.json_documents import parse_json, write_json, write_sorted_json
from otel.model_calls import ModelCall
from otel.span_errors import SpanError, find_error
from otel.span_view import FieldOrigin, SpanView


@dataclass
class _Run:
    """A tool that may have run; ``order`` is the start of the request or of the span."""

    order: tuple[int, int]
    origin: FieldOrigin
    request: ToolRequest | None = None
    view: SpanView | None = None
    result: str | None = None


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool that ran, as the contract has it, and where its parts came from."""

    call: dict[str, Any]
    origin: FieldOrigin


def find_tool_runs(calls: Sequence[ModelCall], tools: Sequence[SpanView]) -> list[ToolRun]:
    """Return the tools that ran, in order. A request without a span and without a result did not.

    A span belongs to the request with its call id, else to the first free request with its name
    and arguments, else to the first free one with its name.
    """
    runs = _collect_requests(calls)
    requests = _FreeRequests(runs)
    for view in tools:
        run = requests.take(view)
        if run is None:
            origin = FieldOrigin(view.span.span_id, view.dialect.name, "tool span")
            run = _Run((view.span.start_ns, 0), origin)
            runs.append(run)
        run.view = view
    _add_results(runs, calls)
    ran = [run for run in runs if run.view is not None or run.result is not None]
    return [_to_tool_run(run) for run in sorted(ran, key=lambda run: run.order)]


def _collect_requests(calls: Sequence[ModelCall]) -> list[_Run]:
    runs: list[_Run] = []
    seen: set[str] = set()
    for call in calls:
        if call.output is None:
            continue
        output, origin = call.output
        for number, request in enumerate(output.tool_calls):
            if request.id and request.id in seen:
                continue
            seen.add(request.id)
            runs.append(_Run((call.view.span.start_ns, number), origin, request))
    return runs


class _FreeRequests:
    """The requests that no tool span belongs to yet, by what a span can name."""

    def __init__(self, runs: Sequence[_Run]) -> None:
        self._by_key: dict[tuple[str, ...], deque[_Run]] = defaultdict(deque)
        for run in runs:
            if run.request is not None:
                request = run.request
                for key in (
                    ("id", request.id),
                    ("arguments", request.name, _canonical(request.arguments)),
                    ("name", request.name),
                ):
                    self._by_key[key].append(run)

    def take(self, view: SpanView) -> _Run | None:
        """Return the best free request for a span; it is free no longer once it has a view."""
        call_id = view.read_text("tool_call_id")
        if call_id is not None:
            run = self._first(("id", str(call_id.value)))
            if run is not None:
                return run
        names = dict.fromkeys((tool_name(view), view.span.name))
        arguments = view.read("tool_arguments")
        if arguments is not None:
            canonical = _canonical(arguments.value)
            for name in names:
                run = self._first(("arguments", name, canonical))
                if run is not None:
                    return run
        return next((run for name in names if (run := self._first(("name", name)))), None)

    def _first(self, key: tuple[str, ...]) -> _Run | None:
        queue = self._by_key.get(key)
        while queue and queue[0].view is not None:
            queue.popleft()
        return queue[0] if queue else None


def _canonical(arguments: Any) -> str:
    return write_sorted_json(parse_json(arguments))


def tool_name(view: SpanView) -> str:
    """Return the name of the tool of a span: as exported, else the name of the span."""
    named = view.read_text("tool_name")
    return str(named.value) if named is not None else view.span.name.removesuffix(".tool")


def _add_results(runs: Sequence[_Run], calls: Sequence[ModelCall]) -> None:
    """Take results from the tool messages that later model calls were given."""
    results: dict[str, str] = {}
    for call in calls:
        for message in call.messages[0] if call.messages else ():
            if message.role == "tool" and message.tool_call_id and message.content is not None:
                results.setdefault(message.tool_call_id, message.content)
    for run in runs:
        if run.request is not None and run.request.id:
            run.result = results.get(run.request.id)


def _to_tool_run(run: _Run) -> ToolRun:
    view = run.view
    error = find_error(view) if view is not None else None
    result = _read_result(view, error) if view is not None else None
    call_id = run.request.id if run.request is not None else ""
    if view is not None and not call_id:
        exported = view.read_text("tool_call_id")
        call_id = str(exported.value) if exported is not None else view.span.span_id
    latency = _latency(view) if view is not None else None
    return ToolRun(
        {
            "id": call_id or run.origin.span_id,
            "name": run.request.name if run.request is not None else tool_name(_present(view)),
            "arguments": _read_arguments(run),
            "result": None if error is not None else (result or run.result),
            "error": None if error is None else error.message or error.error_type or "error",
            "latency_ms": latency,
        },
        run.origin,
    )


def _present(view: SpanView | None) -> SpanView:
    if view is None:
        raise ValueError("a tool that ran has a request or a span")
    return view


def _read_arguments(run: _Run) -> str:
    if run.request is not None:
        return run.request.arguments
    reading = _present(run.view).read("tool_arguments")
    return "{}" if reading is None else write_json(reading.value)


def _read_result(view: SpanView, error: SpanError | None) -> str | None:
    if error is not None:
        return None
    reading = view.read("tool_result")
    return None if reading is None else write_json(reading.value)


def _latency(view: SpanView) -> float | None:
    if not view.span.start_ns or view.span.end_ns < view.span.start_ns:
        return None
    return (view.span.end_ns - view.span.start_ns) / 1e6
