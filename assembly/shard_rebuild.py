"""Builds the states of shards from the lake: what is open, and what was assembled within the term.

The mark of a shard says up to which version of ``otel_spans`` everything is assembled. Rows of
later versions are open; rows of earlier ones are remembered if they arrived within the term.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from assembly.span_arrivals import find_arrivals, read_arrival_columns
from assembly.span_versions import AddedFile, SpanVersions
from lake.delta_log import read_actions, read_file_changes
from lake.tables import Table
from otel.open_traces import AssemblyTerms, OpenTraces, shard_of

NOTHING_READ: Final = -1
"""The mark of a shard that was never assembled: before version 0."""
_INTAKE_US: Final = 3_600_000_000
"""Rows are committed at most this long after they arrived, or their worker has ended."""


TakeRows: TypeAlias = Callable[[str, pa.Table, int], None]
"""Takes the path of a file, its columns, and since when its rows arrived that count."""


class _Versions(NamedTuple):
    """The versions that brought the rows of a file that was rewritten."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _OpenFiles:
    """The files with rows above the lowest mark, by path.

    ``mixed`` are files of rewrites that hold such rows among others. Which version brought a row
    of them is not known: it is open for a shard unless all of them are at or below its mark.
    """

    added: Mapping[str, AddedFile]
    mixed: Mapping[str, _Versions]


def rebuild_shards(
    spans: Table,
    marks: Mapping[int, int | None],
    terms: AssemblyTerms,
    now_us: int,
    take: TakeRows,
) -> tuple[dict[int, OpenTraces], SpanVersions]:
    """Return the states of shards as of the newest version, and what follows that version.

    ``marks`` by shard, None if it has none. ``take`` gets each file that was read. Rows above a
    mark are left to the caller, which takes them from the versions. Raises RetryableError or
    FatalError if the lake cannot be read.
    """
    spans.refresh()
    newest = spans.handle.version()
    known = {shard: NOTHING_READ if mark is None else mark for shard, mark in marks.items()}
    lowest = min(known.values(), default=newest)
    window_us = now_us - terms.term_us
    versions = SpanVersions(spans, seen=newest, read=lowest)
    states = {shard: OpenTraces(terms, complete_from_us=window_us) for shard in known}
    active = _active_files(spans)
    open_files = _read_open_files(spans, lowest, newest)
    if open_files is None:  # the log no longer says which rows are new: all of them may be
        open_files = _OpenFiles({}, dict.fromkeys(active, _Versions(lowest + 1, newest)))
    since_us = window_us
    if open_files.mixed:
        since_us = min(window_us, _oldest_open_us(spans, lowest) or 0)
    for path, newest_us in sorted(active.items()):
        if path in open_files.added:
            continue
        mixed = open_files.mixed.get(path)
        bound = window_us if mixed is None else since_us
        version = 0 if mixed is None else mixed.first
        if newest_us >= bound:
            rows, number = read_arrival_columns(spans, path), versions.register(path)
            take(path, rows, bound)
            for arrival in find_arrivals(rows, version=version, file=number, since_us=bound):
                shard = shard_of(arrival.trace_id)
                if shard in states:
                    assembled = mixed is None or mixed.last <= known[shard]
                    states[shard].add(arrival, assembled=assembled)
    for file in sorted(open_files.added.values(), key=lambda each: (each.version, each.path)):
        number = versions.register(file.path)
        versions.pending.append(AddedFile(file.version, number, file.path, file.rows))
    if not versions.pending:
        versions.read = newest
    return states, versions


def _read_open_files(spans: Table, lowest: int, newest: int) -> _OpenFiles | None:
    """Return the files with rows above a version; None if the log does not say."""
    added: dict[str, AddedFile] = {}
    mixed: dict[str, _Versions] = {}
    for version in range(lowest + 1, newest + 1):
        changes = read_file_changes(spans.files, version)
        if changes is None:
            return None
        if not changes.removed:
            added |= {path: AddedFile(version, 0, path, rows) for path, rows in changes.added}
            continue
        moved = [
            _Versions(file.version, file.version)
            for file in (added.pop(path) for path in changes.removed & added.keys())
        ]
        moved += [mixed.pop(path) for path in changes.removed & mixed.keys()]
        if moved:
            versions = _Versions(min(each.first for each in moved), max(e.last for e in moved))
            mixed |= dict.fromkeys((path for path, _ in changes.added), versions)
    return _OpenFiles(added, mixed)


def _active_files(spans: Table) -> dict[str, int]:
    """Return the newest arrival in each file of the table, by path."""
    active = spans.active_files()
    if not len(active):
        return {}
    newest = active["max._ingested_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    # A file without statistics may hold anything.
    bounds = pc.fill_null(newest, 2**62).to_pylist()
    return dict(zip(active["path"].to_pylist(), bounds, strict=True))


def _oldest_open_us(spans: Table, lowest: int) -> int | None:
    """Return a time before which no row above a version arrived; None if the log does not say."""
    infos = read_actions(spans.files, lowest + 1, "commitInfo") or []
    stamps = [info["timestamp"] for info in infos if "timestamp" in info]
    return int(stamps[0]) * 1000 - _INTAKE_US if stamps else None
