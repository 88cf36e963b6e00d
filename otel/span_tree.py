"""The spans of one trace as a tree, with duplicates and fragments merged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Final

from otel.json_documents import write_sorted_json
from otel.signals import OtelLog, OtelSpan, SpanStatus

EARLIEST_NS: Final = 946_684_800 * 10**9
LATEST_NS: Final = 4_102_444_800 * 10**9
"""The contract takes event times from 2000 to 2099."""

NATIVE_LANGFUSE: Final = "langfuse.native"
"""The scope of what Langfuse's ingestion API sent."""


def is_event_time(time_ns: int) -> bool:
    """Return whether the contract takes a time, in nanoseconds since 1970, as that of an event."""
    return EARLIEST_NS <= time_ns < LATEST_NS


@dataclass(frozen=True)
class SpanTree:
    """The spans of a trace by id, in order of their start.

    ``orphans`` have a parent that is not in the trace; ``cyclic`` lie on a cycle of parents.
    """

    spans: Mapping[str, OtelSpan]
    logs: Mapping[str, Sequence[OtelLog]]
    orphans: frozenset[str]
    cyclic: frozenset[str]

    @cached_property
    def root(self) -> OtelSpan | None:
        """The first span without a parent, or None if none arrived."""
        roots = (span for span in self.spans.values() if span.parent_span_id is None)
        return next(roots, None)


def build_tree(spans: Iterable[OtelSpan], logs: Iterable[OtelLog]) -> SpanTree:
    """Return the tree of the spans and logs of one trace. Their order does not matter."""
    parts: dict[str, list[OtelSpan]] = {}
    for span in spans:
        parts.setdefault(span.span_id, []).append(span)
    merged = _end_native_roots(sorted((_merge(group) for group in parts.values()), key=_order))
    by_id = {span.span_id: span for span in merged}
    orphans = {
        span.span_id
        for span in merged
        if span.parent_span_id is not None and span.parent_span_id not in by_id
    }
    return SpanTree(by_id, _group_logs(logs), frozenset(orphans), _find_cyclic(by_id))


def _end_native_roots(spans: Sequence[OtelSpan]) -> Sequence[OtelSpan]:
    """Return the spans, with the end of a trace of Langfuse's ingestion API: that of its last part.

    Its body has no end of its own. As long as an observation is open, the trace is too.
    """
    parts = [span for span in spans if span.scope == NATIVE_LANGFUSE and span.parent_span_id]
    if not parts or not all(span.end_ns for span in parts):
        return spans
    end_ns = max(span.end_ns for span in parts)
    return [
        replace(span, end_ns=end_ns)
        if span.scope == NATIVE_LANGFUSE and span.parent_span_id is None and not span.end_ns
        else span
        for span in spans
    ]


def _order(span: OtelSpan) -> tuple[int, int, str]:
    return span.start_ns, span.end_ns, span.span_id


def _merge(parts: Sequence[OtelSpan]) -> OtelSpan:
    """Return one span for all that have its id: later parts fill and overwrite earlier ones.

    Parts are put in an order that depends on their content only. A time outside the contract yields
    to one within it, and the part that has it to the others.
    """
    if len(parts) == 1 and not parts[0].fragment:
        return parts[0]
    distinct = {write_sorted_json(asdict(replace(part, index=0))): part for part in parts}
    ordered = [distinct[key] for key in sorted(distinct)]
    ordered.sort(key=lambda part: (_has_valid_times(part), part.end_ns))
    starts_well = any(is_event_time(part.start_ns) for part in ordered)
    ends_well = any(is_event_time(part.end_ns) for part in ordered)
    ordered = [_without_bad_times(part, start=starts_well, end=ends_well) for part in ordered]
    merged = ordered[0]
    for part in ordered[1:]:
        merged = _overlay(merged, part)
    return replace(merged, fragment=False)


def _has_valid_times(part: OtelSpan) -> bool:
    """Return whether no time of a part is outside the contract; 0 is a time that is not known."""
    return all(not time or is_event_time(time) for time in (part.start_ns, part.end_ns))


def _without_bad_times(part: OtelSpan, *, start: bool, end: bool) -> OtelSpan:
    """Return a part with its start and its end only if they are valid, where that is asked for."""
    if _has_valid_times(part):
        return part
    return replace(
        part,
        start_ns=0 if start and not is_event_time(part.start_ns) else part.start_ns,
        end_ns=0 if end and not is_event_time(part.end_ns) else part.end_ns,
    )


def _overlay(old: OtelSpan, new: OtelSpan) -> OtelSpan:
    filled = {k: v for k, v in new.attributes.items() if v not in (None, "", {}, [])}
    starts = [start for start in (old.start_ns, new.start_ns) if start]
    return replace(
        new,
        parent_span_id=new.parent_span_id or old.parent_span_id,
        name=new.name or old.name,
        start_ns=min(starts, default=0),
        end_ns=max(old.end_ns, new.end_ns),
        attributes={**old.attributes, **filled},
        resource={**old.resource, **new.resource},
        scope=new.scope or old.scope,
        status=new.status if new.status.code >= old.status.code else old.status,
        events=new.events or old.events,
        links=new.links or old.links,
        trace_state=new.trace_state or old.trace_state,
        dropped_attributes=max(old.dropped_attributes, new.dropped_attributes),
        fragment=old.fragment and new.fragment,
        kind=new.kind or old.kind,
        flags=new.flags or old.flags,
        session_id=new.session_id or old.session_id,
        user_id=new.user_id or old.user_id,
    )


def _group_logs(logs: Iterable[OtelLog]) -> dict[str, list[OtelLog]]:
    """Return the log records by span, each once, in order of time."""
    distinct: dict[str, OtelLog] = {}
    for log in logs:
        if log.span_id is not None:
            distinct[_content_key(log)] = log
    groups: dict[str, list[OtelLog]] = {}
    for _, log in sorted(distinct.items(), key=lambda item: (item[1].time_ns, item[0])):
        groups.setdefault(str(log.span_id), []).append(log)
    return groups


def _content_key(log: OtelLog) -> str:
    """Return a text that is the same for copies of a log record, wherever they came."""
    return write_sorted_json(
        [
            log.span_id,
            log.event_name,
            log.time_ns,
            log.body,
            log.attributes,
            log.resource,
            log.scope,
        ]
    )


def _find_cyclic(spans: Mapping[str, OtelSpan]) -> frozenset[str]:
    """Return the spans on or below a cycle of parents. Each span is visited once."""
    ends_well: dict[str, bool] = {}
    for start in spans:
        path: list[str] = []
        on_path: set[str] = set()
        current: str | None = start
        while (
            current is not None
            and current in spans
            and current not in ends_well
            and current not in on_path
        ):
            path.append(current)
            on_path.add(current)
            current = spans[current].parent_span_id
        well = current not in on_path and ends_well.get(str(current), True)
        ends_well.update(dict.fromkeys(path, well))
    return frozenset(span_id for span_id, well in ends_well.items() if not well)


def is_error(status: SpanStatus) -> bool:
    """Return whether a span says that it failed."""
    return status.code == 2
