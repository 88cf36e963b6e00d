"""Bounds what is assembled of one trace, however many spans and logs it has.

What is kept depends on the set of spans and logs only: of each pool the first and the last ones.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, Final, Generic, TypeVar

from otel.json_documents import content_digest
from otel.signals import OtelLog, OtelSpan
from otel.span_view import SpanView


@dataclass(frozen=True, slots=True)
class TraceLimits:
    """The most items of a pool, and their most characters. The pools of a trace are the spans
    with a role, the other spans, and the logs.
    """

    items: int = 40_000
    characters: int = 128 * 2**20


DEFAULT_LIMITS: Final = TraceLimits()


@dataclass(frozen=True, slots=True)
class LimitedTrace:
    """The spans and logs that are assembled. ``is_whole`` says that nothing was left out."""

    spans: list[OtelSpan]
    logs: list[OtelLog]
    is_whole: bool


def limit_trace(
    spans: Iterable[OtelSpan], logs: Iterable[OtelLog], limits: TraceLimits = DEFAULT_LIMITS
) -> LimitedTrace:
    """Return what fits into the limits. Memory is bounded by them: both inputs are read once.

    A span with a role is one that a dialect reads as a model call, a tool, an agent, and so on.
    Roots come before other spans.
    """
    span_stream, log_stream = iter(spans), iter(logs)
    few_spans = _take_few(span_stream, limits)
    few_logs = _take_few(log_stream, limits)
    if few_spans.is_all and few_logs.is_all:
        return LimitedTrace(few_spans.items, few_logs.items, is_whole=True)
    with_role = _Pool[OtelSpan](limits, _span_order)
    without = _Pool[OtelSpan](limits, _root_first)
    records = _Pool[OtelLog](limits, _log_order)
    for span in chain(few_spans.items, span_stream):
        (without if SpanView(span).role is None else with_role).add(span)
    for log in chain(few_logs.items, log_stream):
        records.add(log)
    kept = [*with_role.items(), *without.items()]
    kept_logs = records.items()
    is_cut = with_role.is_cut or without.is_cut or records.is_cut
    return LimitedTrace(kept, kept_logs, is_whole=not is_cut)


Item = TypeVar("Item", OtelSpan, OtelLog)
Key = tuple[int, int, int, str, str]


@dataclass(frozen=True, slots=True)
class _Few(Generic[Item]):
    items: list[Item]
    is_all: bool


def _take_few(stream: Iterator[Item], limits: TraceLimits) -> _Few[Item]:
    """Take items as long as they fit into half of the limits: so many are never cut."""
    taken: list[Item] = []
    characters = 0
    for item in stream:
        taken.append(item)
        characters += count_characters(item)
        if 2 * len(taken) > limits.items or 2 * characters > limits.characters:
            return _Few(taken, is_all=False)
    return _Few(taken, is_all=True)


class _Pool(Generic[Item]):
    """Keeps the first and the last items in an order, each within half of the limits."""

    def __init__(self, limits: TraceLimits, order: Callable[[Item], tuple[int, int, int]]) -> None:
        self._order = order
        self._first = _End[Item](limits)
        self._last = _End[Item](limits, from_end=True)

    def add(self, item: Item) -> None:
        key = (
            *self._order(item),
            str(item.span_id),
            content_digest(asdict(replace(item, index=0))),
        )
        size = count_characters(item)
        self._first.add(key, size, item)
        self._last.add(key, size, item)

    def items(self) -> list[Item]:
        kept = self._first.items() | self._last.items()
        return [kept[key] for key in sorted(kept)]

    @property
    def is_cut(self) -> bool:
        """Whether an item was left out at both ends; to be read after the items."""
        first, last = self._first.left_out, self._last.left_out
        return first is not None and last is not None and first <= last


class _End(Generic[Item]):
    """The first items of an order, or the last ones, as many as fit into half of the limits.

    ``left_out`` is the key at which they end. What lies beyond it is not taken later, even if it
    would fit: so the result does not depend on when items were left out. Copies count once.
    """

    def __init__(self, limits: TraceLimits, *, from_end: bool = False) -> None:
        self._limits = limits
        self._from_end = from_end
        self._entries: list[tuple[Key, int, Item]] = []
        self._characters = 0
        self.left_out: Key | None = None

    def add(self, key: Key, size: int, item: Item) -> None:
        if self.left_out is not None and (
            key <= self.left_out if self._from_end else key >= self.left_out
        ):
            return
        self._entries.append((key, size, item))
        self._characters += size
        if len(self._entries) > self._limits.items or self._characters > self._limits.characters:
            self._cut()

    def items(self) -> dict[Key, Item]:
        self._cut()
        return {key: item for key, _, item in self._entries}

    def _cut(self) -> None:
        distinct = {entry[0]: entry for entry in self._entries}
        self._entries = []
        self._characters = 0
        for key in sorted(distinct, reverse=self._from_end):
            is_full = 2 * len(self._entries) >= self._limits.items
            is_long = 2 * (self._characters + distinct[key][1]) > self._limits.characters
            if self._entries and (is_full or is_long):
                self.left_out = key
                return
            self._entries.append(distinct[key])
            self._characters += distinct[key][1]


def _span_order(span: OtelSpan) -> tuple[int, int, int]:
    return 0, span.start_ns, span.end_ns


def _root_first(span: OtelSpan) -> tuple[int, int, int]:
    return int(span.parent_span_id is not None), span.start_ns, span.end_ns


def _log_order(log: OtelLog) -> tuple[int, int, int]:
    return 0, log.time_ns, 0


def count_characters(item: OtelSpan | OtelLog) -> int:
    """Return the size of the texts of a span or a log record, roughly as they stand in memory."""
    size = _measure(item.attributes) + 100
    if isinstance(item, OtelLog):
        return size + _measure(item.body)
    return size + sum(_measure(event.attributes) + 100 for event in item.events)


def _measure(value: Any) -> int:
    size, stack = 0, [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += 50 * len(item) + sum(map(len, item))
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            size += 10 * len(item)
            stack.extend(item)
    return size
