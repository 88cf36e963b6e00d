"""The assembly stage: one cycle reads new spans, assembles the traces that are due, commits rows.

It rests on ``otel_spans`` alone. After anything unforeseen (another owner, an erasure, rewritten
files) its state is not repaired: it is dropped and read back from the lake.

1. Read which rows the new versions of ``otel_spans`` bring, without the rows themselves.
2. Read all rows of the traces that are due, and assemble each from all of them.
3. Redact each row as a whole, and compare it with the stored one.
4. Commit the rows that differ, with the positions of their shards and the marks.

| dies after | what the next owner finds | what it does |
|---|---|---|
| 1 to 3 | nothing | the same again, from the marks on |
| the files of 4 are written | files in no table | the same; vacuum removes the files |
| 4 | rows, positions and marks | assembles what is above the marks, and finds equal rows |
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Protocol

from assembly.feedback_stage import FeedbackStage
from assembly.row_writer import BuiltRows, RowOutcome, RowWriter
from assembly.shard_rebuild import NOTHING_READ, rebuild_shards
from assembly.span_arrivals import find_arrivals, read_arrival_columns
from assembly.span_versions import RewrittenBeforeReadError, SpanVersions
from assembly.stored_traces import StoredTrace, read_stored_traces
from assembly.time_share import TimeShare
from assembly.trace_assembler import TraceAssembler
from assembly.trace_rows import SpanRows, find_trace_rows, read_trace_rows
from lake.table_log import assembly_mark_app
from lake.tables import Table
from otel.assembly import AssembledTrace
from otel.open_traces import ASSEMBLY_SHARDS, MAX_TRACES, AssemblyTerms, OpenTraces, shard_of
from schemas.errors import FencedError
from schemas.times import day_of_micros

CYCLE_ROWS: Final = 20_000
"""Rows that are assembled together; one trace may have more."""
READ_ROWS: Final = 200_000
"""New rows that are taken in before traces are assembled again."""
MARK_SECONDS: Final = 10.0
"""Marks move with the rows; without any, this often."""
LOOK_BACK: Final = timedelta(days=1)
"""How far from the days of a trace's known spans its stored row and its other spans are sought."""
FILES_TO_SWEEP: Final = 2_000
CLOCK_SKEW_US: Final = 300_000_000
"""How much the clock of an application may be ahead of a worker's."""


class StageObserver(Protocol):
    """What the stage reports, for metrics and logs."""

    def assembled(self, outcomes: Sequence[RowOutcome]) -> None:
        """Record traces that were assembled and committed."""

    def open_traces(self, count: int, oldest_us: int | None) -> None:
        """Record how many traces are open, and the arrival that waits longest."""

    def rebuilt(self, shards: Collection[int], reason: str) -> None:
        """Record that the state of shards was read back from the lake."""


@dataclass
class AssemblyStage:
    """Assembles the traces of the shards that this worker owns; for one thread.

    Clocks: ``now_us`` wall, ``monotonic`` seconds.
    """

    spans: Table
    traces: Table
    assembler: TraceAssembler
    writer: RowWriter
    terms: AssemblyTerms
    observer: StageObserver
    feedback: FeedbackStage
    now_us: Callable[[], int]
    monotonic: Callable[[], float]
    stop_requested: Callable[[], bool] = lambda: False
    reached: Callable[[str], None] = lambda _step: None
    cycle_rows: int = CYCLE_ROWS
    max_traces: int = MAX_TRACES
    _shards: frozenset[int] = frozenset()
    _states: dict[int, OpenTraces] = field(default_factory=dict)
    _versions: SpanVersions | None = None
    _late: dict[str, int] = field(default_factory=dict)
    _marked_at: float = 0.0
    _why: str = "start"
    _built_at: int = -1
    _sweep_beyond: int = FILES_TO_SWEEP
    _searches: TimeShare = field(init=False)

    def __post_init__(self) -> None:
        """Begin with no search behind it."""
        self._searches = TimeShare(self.monotonic)

    def own(self, shards: Collection[int]) -> None:
        """Own these shards and no others from the next cycle on."""
        if self._shards != frozenset(shards):
            first, self._shards = not self._shards, frozenset(shards)
            self._drop("start" if first else "ownership")

    @property
    def open_count(self) -> int:
        """The number of open traces."""
        return sum(state.open_count for state in self._states.values())

    @property
    def remembered(self) -> int:
        """The number of traces that are open or were assembled within the term."""
        return sum(len(state.traces) for state in self._states.values())

    def idle(self) -> bool:
        """Return whether everything that is in ``otel_spans`` now is assembled.

        Raises RetryableError if the lake cannot be read.
        """
        if not self._shards:
            return True
        if self._versions is None or self.open_count or self._late or self.feedback.untried:
            return False
        return self._versions.read == self.newest_version()

    def tried_feedback(self) -> bool:
        """Return whether no feedback waits for its first try."""
        return not self.feedback.untried

    def newest_version(self) -> int:
        """Return the newest version of ``otel_spans``; RetryableError if it cannot be read."""
        self.spans.refresh()
        return int(self.spans.handle.version())

    def assembled_version(self) -> int:
        """Return the version of ``otel_spans`` below which all owners of shards have left nothing.

        Raises RetryableError if the lake cannot be read.
        """
        self.traces.refresh()
        marks = (self.traces.txn_version(assembly_mark_app(s)) for s in range(ASSEMBLY_SHARDS))
        return min(_mark(mark) for mark in marks)

    def cycle(self, *, everything: bool = False, marking: bool = False) -> None:
        """Read, assemble and commit once; ``everything``: without waiting for traces to be due.

        With ``marking`` the marks move at once, even without rows.

        Raises RetryableError if stopped or if the lake cannot be read, FatalError if only an
        operator can help.
        """
        if not self._shards:
            return
        try:
            self._follow()
            self._assemble_due(everything=everything)
            self._search_late(everything=everything)
            self.feedback.resolve(self._is_open, everything=marking)
            self._move_marks(at_once=marking)
            self._tidy()
        except FencedError:
            self._drop("fenced")
            self.writer.tombstones.reload()
        except RewrittenBeforeReadError:
            self._drop("rewritten")
        except BaseException:
            self._drop("error")  # what was taken and not committed must be read again
            raise
        self.observer.open_traces(self.open_count, self._oldest_us())

    def _drop(self, why: str) -> None:
        self._versions, self._why = None, why
        self._states, self._late = {}, {}

    def _oldest_us(self) -> int | None:
        oldest = (state.oldest_us() for state in self._states.values())
        return min((each for each in oldest if each is not None), default=None)

    # -- reading --------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Take in what new versions bring, as far as memory allows."""
        if self._versions is None:
            self._rebuild()
        versions = self._versions
        if versions is None:
            return
        versions.follow()
        rows = 0
        while (file := versions.next_file()) is not None:
            if rows >= READ_ROWS or self.open_count >= self.max_traces or self.stop_requested():
                break
            columns = read_arrival_columns(self.spans, file.path)
            self.feedback.take(file.path, columns)
            for arrival in find_arrivals(columns, version=file.version, file=file.number):
                state = self._states.get(shard_of(arrival.trace_id))
                if state is not None:
                    mark = self.writer.sequences.marks[shard_of(arrival.trace_id)]
                    state.add(arrival, assembled=file.version <= _mark(mark))
            versions.took_file()
            rows += len(columns)
        for state in self._states.values():
            # What was pending when the state was built may have been assembled before.
            state.following = state.following or versions.read >= self._built_at

    def _rebuild(self) -> None:
        self.writer.tombstones.reload()
        self.traces.refresh()
        self.writer.sequences.load(self._shards)
        marks = self.writer.sequences.marks
        self.feedback.begin(self._shards)
        self._states, self._versions = rebuild_shards(
            self.spans, marks, self.terms, self.now_us(), self.feedback.take
        )
        self._built_at = self._versions.seen
        self._late = {}
        self.observer.rebuilt(self._shards, self._why)

    # -- assembling -----------------------------------------------------------------------------

    def _assemble_due(self, *, everything: bool) -> None:
        while not self.stop_requested():
            crowded = self.open_count >= self.max_traces
            due = self._take_due(everything=everything or crowded)
            if not due:
                return
            self._assemble(due)

    def _take_due(self, *, everything: bool) -> list[str]:
        now_us, left, due = self.now_us(), self.cycle_rows, []
        for state in self._states.values():
            taken = state.take_due(now_us, max_rows=left, everything=everything)
            due += taken
            left -= sum(state.traces[trace_id].rows for trace_id in taken)
            if left <= 0:
                break
        return due

    def _is_open(self, trace_id: str) -> bool:
        """Return whether a trace may still get a row, as far as this owner knows."""
        states = self._states.get(shard_of(trace_id))
        state = None if states is None else states.traces.get(trace_id)
        return state is not None and state.open

    def _state_of(self, trace_id: str) -> OpenTraces:
        return self._states[shard_of(trace_id)]

    def _assemble(self, due: Sequence[str]) -> None:
        """Assemble traces from the files that hold their rows, and commit."""
        versions = self._versions
        if versions is None:
            return
        numbers = {n for t in due for n in self._state_of(t).traces[t].files}
        rows = read_trace_rows(self.spans, versions.paths(numbers), due)
        self.reached("read")
        self._commit(due, rows, searched=False)

    def _commit(
        self, trace_ids: Sequence[str], rows: Mapping[str, SpanRows], *, searched: bool
    ) -> None:
        traces = [self.assembler.assemble(t, rows[t]) for t in trace_ids if t in rows]
        known, late = self._known(traces, searched=searched)
        traces = [trace for trace in traces if trace.trace_id not in late]
        built = self.writer.build(traces, {t: each.duplicate_of for t, each in known.items()})
        for trace_id in trace_ids:
            if trace_id in late:
                self._late[trace_id] = late[trace_id]
            else:
                self._close(trace_id, known.get(trace_id))
        outcomes = self.writer.write(traces, built, known, self._marks())
        for outcome in outcomes:
            if outcome.stored is not None:
                self._close(outcome.trace.trace_id, outcome.stored)
        self._marked_at = self.monotonic()
        self.observer.assembled(outcomes)

    def _close(self, trace_id: str, stored: StoredTrace | None) -> None:
        """Close a trace with its stored row. It happens before the commit: the marks go with it."""
        state = self._state_of(trace_id)
        if stored is None:
            state.close(trace_id, revision=None)
        else:
            state.close(
                trace_id,
                revision=stored.revision,
                digest=stored.digest,
                duplicate_of=stored.duplicate_of,
            )

    def _known(
        self, traces: Sequence[AssembledTrace], *, searched: bool
    ) -> tuple[dict[str, StoredTrace], dict[str, int]]:
        """Return the stored rows of traces, and which traces must be searched for first.

        The latter have a row in the lake, but may have spans that this state does not know: they
        go with the earliest start that is known of them.
        """
        known: dict[str, StoredTrace] = {}
        ask: list[AssembledTrace] = []
        for trace in traces:
            state = self._state_of(trace.trace_id).traces[trace.trace_id]
            if state.revision:
                known[trace.trace_id] = StoredTrace(
                    trace.trace_id, state.revision, state.digest, 0, state.duplicate_of
                )
            elif trace.row is not None and (searched or not self._surely_new(trace)):
                ask.append(trace)
        late: dict[str, int] = {}
        for trace_id, stored in self._ask(ask).items():
            state_of = self._state_of(trace_id)
            start_us = min(state_of.traces[trace_id].start_us, stored.started_us)
            if searched or _began_since(start_us, state_of):
                known[trace_id] = stored
            else:
                late[trace_id] = start_us
        return known, late

    def _surely_new(self, trace: AssembledTrace) -> bool:
        """Return whether nothing of a trace can have been assembled before.

        Its rows arrived while this state followed the table, nothing is missing above them, and
        the first of them began since this state knows everything.
        """
        states = self._state_of(trace.trace_id)
        state = states.traces[trace.trace_id]
        whole = not {"root_missing", "parents_missing"} & set(trace.incomplete)
        return state.fresh and whole and _began_since(state.start_us, states)

    def _ask(self, traces: Sequence[AssembledTrace]) -> dict[str, StoredTrace]:
        """Look up the stored rows of traces around the days of their spans."""
        if not traces:
            return {}
        self.traces.refresh()
        by_day: dict[date, list[str]] = {}
        for trace in traces:
            start_us = self._state_of(trace.trace_id).traces[trace.trace_id].start_us
            by_day.setdefault(day_of_micros(start_us), []).append(trace.trace_id)
        found: dict[str, StoredTrace] = {}
        for day, trace_ids in by_day.items():
            found |= read_stored_traces(self.traces, trace_ids, (day - LOOK_BACK, day + LOOK_BACK))
        return found

    def _search_late(self, *, everything: bool) -> None:
        """Assemble late traces from all their rows, wherever these are.

        A search reads the trace ids of whole days, so it may take only a share of the time.
        """
        if not self._late or (self._searches.spent and not everything):
            return
        with self._searches.use():
            self.spans.refresh()
            today = day_of_micros(self.now_us())
            first = day_of_micros(min(self._late.values())) - LOOK_BACK
            trace_ids, self._late = list(self._late), {}
            for at in range(0, len(trace_ids), self.cycle_rows):
                portion = trace_ids[at : at + self.cycle_rows]
                rows = find_trace_rows(self.spans, portion, (first, max(today, first)))
                self._commit(portion, rows, searched=True)

    # -- marks ----------------------------------------------------------------------------------

    def _marks(self) -> dict[int, int]:
        """Return the new marks of all shards; they never fall."""
        if self._versions is None:
            return {}
        read = self._versions.read
        marks = {shard: state.low_water(read) for shard, state in self._states.items()}
        before = self.writer.sequences.marks
        return {shard: mark for shard, mark in marks.items() if mark > _mark(before[shard])}

    def _move_marks(self, *, at_once: bool) -> None:
        now = self.monotonic()
        if at_once or now - self._marked_at >= MARK_SECONDS:
            self._marked_at = now
            self.writer.commit(BuiltRows(), [], self._marks())

    def _tidy(self) -> None:
        """Forget what is older than the term, or too much."""
        now_us = self.now_us()
        keep = self.max_traces // max(1, len(self._states))
        for state in self._states.values():
            state.forget(now_us, keep=keep)
        versions = self._versions
        if versions is not None and versions.file_count > self._sweep_beyond:
            used = {n for s in self._states.values() for t in s.traces.values() for n in t.files}
            versions.forget(used)
            # A sweep looks at all traces: the next one waits for as many files again.
            self._sweep_beyond = max(FILES_TO_SWEEP, 2 * versions.file_count)


def _began_since(start_us: int, state: OpenTraces) -> bool:
    """Return whether a trace began since a state knows all rows, whatever the clocks say."""
    return start_us >= state.complete_from_us + CLOCK_SKEW_US


def _mark(mark: int | None) -> int:
    return NOTHING_READ if mark is None else mark
