"""Spans of the worker's work, sent to a tracing collector if one is configured.

A span records what was done, for how long, and to which records: topic, partitions and offsets,
counts, the name of a table; never content. Values that cost something to compute are passed as
functions, so that nothing is computed without a collector.

    poll     one query to Kafka
    decode   a batch
    redact   a batch
    flush    all steps of a flush; within it, for each table with rows or positions in it:
    write    encoding and uploading its files
    commit   making them visible, with the positions
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, TypeAlias

from lake.ledger import SourceRange
from lake.tables import Table

SpanAttribute: TypeAlias = str | int | Callable[[], str]


class Tracer(Protocol):
    """The destination of spans; see `goldpan.otlp`."""

    def span(self, name: str, /, **attributes: SpanAttribute) -> AbstractContextManager[None]:
        """Return the context in which the work is done."""

    def close(self) -> None:
        """Send the remaining spans, within a few seconds."""


class _NoTracer:
    def span(self, _name: str, /, **_attributes: SpanAttribute) -> AbstractContextManager[None]:
        return _NO_SPAN

    def close(self) -> None:
        """Do nothing."""


_NO_SPAN: Final = nullcontext()
NO_TRACER: Final[Tracer] = _NoTracer()
"""Records no spans."""


def table_span(
    tracer: Tracer, name: str, table: Table, ranges: Sequence[SourceRange]
) -> AbstractContextManager[None]:
    """Return the span of work on one table."""
    return tracer.span(name, table=table.name, offsets=lambda: _format_ranges(ranges))


def format_offsets(coordinates: Iterable[tuple[int, int]]) -> str:
    """Return the first and the last offset of each partition, as in ``0:17-40 3:5-9``."""
    by_partition: dict[int, list[int]] = {}
    for partition, offset in coordinates:
        by_partition.setdefault(partition, []).append(offset)
    return " ".join(f"{p}:{min(o)}-{max(o)}" for p, o in sorted(by_partition.items()))


def _format_ranges(ranges: Sequence[SourceRange]) -> str:
    bounds = ((item, at) for item in ranges for at in (item.start, max(item.start, item.end - 1)))
    return format_offsets((item.partition, at) for item, at in bounds)
