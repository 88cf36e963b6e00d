"""Whatever order rows arrive in, and wherever a restart falls, each trace ends up whole."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from otel.open_traces import AssemblyTerms, OpenTraces, TraceArrival, shard_of
from otel.span_selection import MAX_ITEMS

TERMS = AssemblyTerms(quiet_us=5, idle_us=30, term_us=100)
ROOT = 0


@dataclass(frozen=True)
class Row:
    """A row of the table of spans: span ``ROOT`` is an ended root."""

    trace_id: str
    span: int
    at_us: int


@dataclass
class FakeLake:
    """Versions of spans, the assembled rows by trace with their revisions, and the mark."""

    versions: list[list[Row]] = field(default_factory=list)
    stored: dict[str, list[frozenset[int]]] = field(default_factory=dict)
    mark: int = -1

    def spans(self, trace_id: str) -> frozenset[int]:
        """Return all spans of a trace."""
        rows = (row for version in self.versions for row in version)
        return frozenset(row.span for row in rows if row.trace_id == trace_id)


@dataclass
class Stage:
    """What the worker does with the state, on a fake lake, with everything known at once."""

    lake: FakeLake
    now_us: int
    state: OpenTraces = field(init=False)
    read: int = -1

    def __post_init__(self) -> None:
        self.state = OpenTraces(TERMS, complete_from_us=self.now_us - TERMS.term_us)
        for version, rows in enumerate(self.lake.versions):
            done = version <= self.lake.mark
            fresh = [r for r in rows if not done or r.at_us >= self.state.complete_from_us]
            self._add(version, fresh, assembled=done)

    def _add(self, version: int, rows: list[Row], *, assembled: bool = False) -> None:
        self.read = max(self.read, version)
        for trace_id in {row.trace_id for row in rows}:
            own = [row for row in rows if row.trace_id == trace_id]
            times = [row.at_us for row in own]
            ended = any(row.span == ROOT for row in own)
            arrival = TraceArrival(
                trace_id, version, version, len(own), min(times), max(times), 0, ended
            )
            self.state.add(arrival, assembled=assembled)

    def cycle(self, *, everything: bool = False) -> None:
        """Read new versions and assemble what is due."""
        for version in range(self.read + 1, len(self.lake.versions)):
            self._add(version, self.lake.versions[version])
        taken = self.state.take_due(self.now_us, max_rows=3, everything=everything)
        for trace_id in taken:
            stored = self.lake.stored.setdefault(trace_id, [])
            whole = self.lake.spans(trace_id)
            if not stored or stored[-1] != whole:
                stored.append(whole)
            self.state.close(trace_id, revision=len(stored))
        self.lake.mark = self.state.low_water(self.read)
        self.state.forget(self.now_us)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("rows"), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)))),
        st.tuples(st.just("wait"), st.integers(1, 60)),
        st.tuples(st.just("cycle"), st.none()),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=300)
def test_every_trace_is_assembled_from_all_its_rows(steps: list[tuple[str, object]]) -> None:
    """In any order, split over versions, twice, late, and with restarts anywhere."""
    lake = FakeLake()
    stage = Stage(lake, now_us=1_000)
    for kind, value in steps:
        if kind == "rows" and isinstance(value, list):
            lake.versions.append([Row(name, span, stage.now_us) for name, span in value])
        elif kind == "wait" and isinstance(value, int):
            stage.now_us += value
        elif kind == "restart":
            stage = Stage(lake, now_us=stage.now_us)
        else:
            stage.cycle()
    stage.now_us += 10 * TERMS.idle_us
    for _ in range(100):
        stage.cycle()
    assert stage.state.open_count == 0
    assert lake.mark == len(lake.versions) - 1
    traces = {row.trace_id for version in lake.versions for row in version}
    assert {t: rows[-1] for t, rows in lake.stored.items()} == {t: lake.spans(t) for t in traces}


def arrival(trace_id: str = "t", *, at_us: int, version: int = 0, **more: bool) -> TraceArrival:
    """Return one row that arrives at a time."""
    return TraceArrival(trace_id, version, version, 1, at_us, at_us, 0, **more)


def test_a_trace_is_due_after_the_quiet_period_once_its_root_has_ended() -> None:
    """Its last arrival counts, not that of the root."""
    state = OpenTraces(TERMS)
    state.add(arrival(at_us=100, ended=True))
    state.add(arrival(at_us=103, version=1))
    assert state.next_due_us() == 108
    assert state.take_due(107, max_rows=10) == []
    assert state.take_due(108, max_rows=10) == ["t"]


def test_a_trace_without_an_ended_root_waits_for_the_idle_period() -> None:
    """A root that comes then shortens the wait."""
    state = OpenTraces(TERMS)
    state.add(arrival(at_us=100))
    assert state.next_due_us() == 130
    state.add(arrival(at_us=101, version=1, ended=True))
    assert state.next_due_us() == 106


def test_a_very_large_trace_waits_for_the_idle_period() -> None:
    """Each assembly reads all its rows, so one that never stops growing is assembled rarely."""
    state = OpenTraces(TERMS)
    for version in (0, 1):
        rows = MAX_ITEMS // 2 + version
        state.add(TraceArrival("t", version, version, rows, 100, 100, 0, ended=True))
    assert state.next_due_us() == 130


def test_a_complete_record_waits_for_nothing() -> None:
    """A native MLflow record is final."""
    state = OpenTraces(TERMS)
    state.add(arrival(at_us=100, complete=True))
    assert state.take_due(100, max_rows=1) == ["t"]


def test_nothing_is_held_back_without_limit() -> None:
    """A trace that never falls quiet is assembled ten idle periods after it was opened."""
    state = OpenTraces(TERMS)
    for at_us in range(100, 1_000, 3):
        state.add(arrival(at_us=at_us, version=at_us, ended=True))
    assert state.next_due_us() == 100 + 10 * TERMS.idle_us


def test_the_mark_stays_below_the_oldest_open_trace() -> None:
    """A restart reads from the mark on what no assembly has seen."""
    state = OpenTraces(TERMS)
    state.add(arrival("a", at_us=100, version=3))
    state.add(arrival("b", at_us=100, version=5, ended=True))
    assert state.low_water(7) == 2
    state.close("a", revision=1)
    assert state.low_water(7) == 4
    state.close("b", revision=1)
    assert state.low_water(7) == 7
    state.add(arrival("a", at_us=101, version=8))
    assert state.low_water(8) == 7


def test_an_assembled_trace_is_forgotten_after_the_term() -> None:
    """Not while it is open, and the state then says from when on it knows everything."""
    state = OpenTraces(TERMS)
    state.add(arrival("a", at_us=100, ended=True))
    state.add(arrival("b", at_us=150))
    state.close("a", revision=1)
    assert state.forget(199) == 0
    assert state.forget(200) == 1
    assert state.complete_from_us == 101
    assert state.forget(10_000) == 0
    assert set(state.traces) == {"b"}


def test_the_oldest_assembled_traces_go_first_when_there_are_too_many() -> None:
    """Memory is bounded by the number of traces."""
    state = OpenTraces(TERMS)
    for number in range(10):
        state.add(arrival(f"t{number}", at_us=number, ended=True))
        state.close(f"t{number}", revision=1)
    assert state.forget(0, keep=4) == 6
    assert set(state.traces) == {"t6", "t7", "t8", "t9"}


def test_large_traces_are_taken_in_portions() -> None:
    """At most so many rows at a time, and at least one trace."""
    state = OpenTraces(TERMS)
    for name, at_us in (("a", 1), ("b", 2), ("c", 3)):
        state.add(TraceArrival(name, 0, 0, 10, at_us, at_us, 0, ended=True))
    assert state.take_due(100, max_rows=20) == ["a", "b"]
    assert state.take_due(100, max_rows=1) == ["c"]
    state.put_back(["b", "a"])
    assert state.take_due(100, max_rows=100) == ["a", "b"]


def test_shards_are_fixed() -> None:
    """They are part of names in tables' logs."""
    names = ("a", "b", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert [shard_of(name) for name in names] == [5, 1, 14]
