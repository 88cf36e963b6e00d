"""Which traces wait for assembly, and until when: the state of one shard, without any span.

A trace is open from the first arrival that no assembly has seen. It is due a quiet period after its
last arrival if its root has ended, else an idle period after it (also if it is very large), and at
the latest `LONGEST_WAIT` idle periods after it was opened. Arrivals may come in any order, twice,
and again after an assembly. Times are microseconds since 1970 by the clocks of the workers that
read the records.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec

from otel.span_selection import MAX_ITEMS
from otel.time_queue import TimeQueue

ASSEMBLY_SHARDS: Final = 16
"""How many sequences the assembled rows are numbered in. Part of names in tables' logs: fixed."""
LONGEST_WAIT: Final = 10
"""A trace is assembled at the latest this many idle periods after it was opened."""
QUEUE_WIDTH_US: Final = 10_000
"""Traces that are due within this time of each other are put in order together."""
MAX_TRACES: Final = 1_000_000
"""Traces that the states of one worker hold together; beyond it waits and the term get shorter."""


def shard_of(identifier: str) -> int:
    """Return the shard of a trace id, or of the target of a feedback."""
    digest = blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") % ASSEMBLY_SHARDS


@dataclass(frozen=True, slots=True)
class AssemblyTerms:
    """The waits before an assembly, and how long an assembled trace is remembered.

    Microseconds, all of them from the last arrival on.
    """

    quiet_us: int = 5_000_000
    idle_us: int = 300_000_000
    term_us: int = 3_600_000_000


class TraceArrival(msgspec.Struct, frozen=True, gc=False):
    """What one file of one version of ``otel_spans`` holds of one trace.

    ``file`` is the caller's number of the file. ``ended``: a root with an end is among the rows.
    ``complete``: they are a record that is final, such as a native MLflow trace. ``start_us`` is
    the earliest start of a span.
    """

    trace_id: str
    version: int
    file: int
    rows: int
    first_us: int
    last_us: int
    start_us: int
    ended: bool = False
    complete: bool = False


class TraceState(msgspec.Struct, gc=False):
    """What is known of one trace. ``files`` hold its rows, each file once.

    ``since_version`` is the first version that no assembly has seen and ``since_us`` the first
    arrival after the last assembly; None and 0 if the trace is not open. ``revision`` is that of
    the stored row and ``digest`` the hash of its content; ``revision`` is None if there is none, or
    if it is not known. ``fresh``: its first known row arrived after the state was built.
    ``queued_us`` and ``ageing`` say which entries of the queues count. The garbage collector does
    not visit it: there may be a million, and none refers to another one.
    """

    files: tuple[int, ...]
    rows: int
    first_us: int
    last_us: int
    start_us: int
    ended: bool
    complete: bool
    fresh: bool = False
    since_version: int | None = None
    since_us: int = 0
    revision: int | None = None
    digest: bytes = b""
    duplicate_of: str | None = None
    queued_us: int | None = None
    ageing: bool = False

    @property
    def open(self) -> bool:
        """Whether rows arrived that no assembly has seen."""
        return self.since_version is not None

    def due_us(self, terms: AssemblyTerms) -> int:
        """Return when the trace is due."""
        if self.complete:
            return self.last_us
        # All rows are read at each assembly: a trace that never stops growing must not be often.
        soon = self.ended and self.rows <= MAX_ITEMS
        wait = terms.quiet_us if soon else terms.idle_us
        return min(self.last_us + wait, self.since_us + LONGEST_WAIT * terms.idle_us)


@dataclass
class OpenTraces:
    """The traces of one shard: those that are open, and those assembled within the term.

    ``complete_from_us``: all rows that arrived from then on are known here. A trace whose spans all
    began later is therefore known as a whole. ``following``: the state was built, and what is added
    arrives just now.
    """

    terms: AssemblyTerms
    complete_from_us: int = 0
    following: bool = False
    traces: dict[str, TraceState] = field(default_factory=dict)
    _due: TimeQueue = field(default_factory=lambda: TimeQueue(QUEUE_WIDTH_US))
    _waiting: TimeQueue = field(default_factory=lambda: TimeQueue(1))
    _ageing: TimeQueue = field(default_factory=lambda: TimeQueue(QUEUE_WIDTH_US))
    _open: int = 0

    @property
    def open_count(self) -> int:
        """The number of open traces."""
        return self._open

    def add(self, arrival: TraceArrival, *, assembled: bool = False) -> None:
        """Take an arrival in. ``assembled``: an assembly has seen it, before a restart."""
        state = self.traces.get(arrival.trace_id)
        if state is None:
            state = TraceState(
                files=(arrival.file,),
                rows=arrival.rows,
                first_us=arrival.first_us,
                last_us=arrival.last_us,
                start_us=arrival.start_us,
                ended=arrival.ended,
                complete=arrival.complete,
                fresh=self.following,
            )
            self.traces[arrival.trace_id] = state
        else:
            _extend(state, arrival)
        if assembled:
            self._age(arrival.trace_id, state)
            return
        if state.since_version is None:
            self._open += 1
            state.since_us = arrival.first_us
        state.since_us = min(state.since_us, arrival.first_us)
        if state.since_version is None or arrival.version < state.since_version:
            state.since_version = arrival.version
            self._waiting.push(arrival.version, arrival.trace_id)
        self._queue(arrival.trace_id, state)

    def _queue(self, trace_id: str, state: TraceState) -> None:
        due_us = state.due_us(self.terms)
        if state.queued_us is None or due_us < state.queued_us:
            state.queued_us = due_us
            self._due.push(due_us, trace_id)

    def _age(self, trace_id: str, state: TraceState) -> None:
        if not state.ageing:
            state.ageing = True
            self._ageing.push(state.last_us + self.terms.term_us, trace_id)

    def next_due_us(self) -> int | None:
        """Return when the next open trace is due, None if none is open."""
        first = self._first_due()
        return None if first is None else first[0]

    def _first_due(self) -> tuple[int, str, TraceState] | None:
        """Return when the next open trace is due, and which it is."""
        while (entry := self._due.first()) is not None:
            queued_us, trace_id = entry
            state = self.traces.get(trace_id)
            if state is None or state.queued_us != queued_us:
                self._due.pop()
                continue
            due_us = state.due_us(self.terms)
            if due_us <= queued_us:
                return due_us, trace_id, state
            self._due.pop()
            state.queued_us = None
            self._queue(trace_id, state)
        return None

    def take_due(self, now_us: int, *, max_rows: int, everything: bool = False) -> list[str]:
        """Return open traces that are due, the longest waiting first, with at most ``max_rows``.

        At least one, if any is due. With ``everything`` all open traces are due. They stay open
        until `close`; `put_back` lets them be taken again.
        """
        taken: list[str] = []
        rows = 0
        while (first := self._first_due()) is not None and (everything or first[0] <= now_us):
            _, trace_id, state = first
            rows += state.rows
            if taken and rows > max_rows:
                break
            self._due.pop()
            state.queued_us = None
            taken.append(trace_id)
        return taken

    def put_back(self, trace_ids: Iterable[str]) -> None:
        """Let open traces that were taken be taken again."""
        for trace_id in trace_ids:
            state = self.traces.get(trace_id)
            if state is not None and state.open:
                self._queue(trace_id, state)

    def close(
        self,
        trace_id: str,
        *,
        revision: int | None,
        digest: bytes = b"",
        duplicate_of: str | None = None,
    ) -> None:
        """Record that a trace was assembled from all its rows that are known here."""
        state = self.traces[trace_id]
        if state.open:
            self._open -= 1
        state.since_version, state.queued_us = None, None
        state.revision, state.digest, state.duplicate_of = revision, digest, duplicate_of
        self._age(trace_id, state)

    def forget(self, now_us: int, *, keep: int | None = None) -> int:
        """Forget assembled traces that are older than the term; return how many.

        ``keep`` is the most traces that may stay: beyond it the oldest assembled ones go early.
        """
        forgotten = 0
        while (entry := self._ageing.first()) is not None:
            until_us, trace_id = entry
            crowded = keep is not None and len(self.traces) > keep
            if until_us > now_us and not crowded:
                break
            self._ageing.pop()
            state = self.traces[trace_id]
            state.ageing = False
            if state.open:
                continue
            if state.last_us + self.terms.term_us > until_us:
                self._age(trace_id, state)
                continue
            del self.traces[trace_id]
            self.complete_from_us = max(self.complete_from_us, state.last_us + 1)
            forgotten += 1
        return forgotten

    def low_water(self, read_version: int) -> int:
        """Return the version at or below which no trace is open.

        ``read_version`` is the newest version whose arrivals were added.
        """
        oldest = self._oldest()
        return read_version if oldest is None else oldest[0] - 1

    def oldest_us(self) -> int | None:
        """Return since when an open trace of the oldest version waits; None if none is open."""
        oldest = self._oldest()
        return None if oldest is None else self.traces[oldest[1]].since_us

    def _oldest(self) -> tuple[int, str] | None:
        while (entry := self._waiting.first()) is not None:
            version, trace_id = entry
            state = self.traces.get(trace_id)
            if state is not None and state.since_version == version:
                return entry
            self._waiting.pop()
        return None


def _extend(state: TraceState, arrival: TraceArrival) -> None:
    if arrival.file not in state.files:
        state.files = (*state.files, arrival.file)
        state.rows += arrival.rows
    state.first_us = min(state.first_us, arrival.first_us)
    state.last_us = max(state.last_us, arrival.last_us)
    state.start_us = min(state.start_us, arrival.start_us)
    state.ended = state.ended or arrival.ended
    state.complete = state.complete or arrival.complete
