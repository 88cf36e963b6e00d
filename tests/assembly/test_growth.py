"""Work and memory grow with the spans, and no faster; measured by counting, not by the clock."""

import tracemalloc
from pathlib import Path

import pytest

from assembly.span_arrivals import find_arrivals, read_arrival_columns
from otel.open_traces import AssemblyTerms, OpenTraces, TraceArrival
from tests.assembly.world import World
from tests.otel.make_spans import TRACE, chat, span


def fill(count: int) -> OpenTraces:
    """Return a state with so many open traces."""
    state = OpenTraces(AssemblyTerms())
    for number in range(count):
        at_us = number * 7919 % count
        state.add(TraceArrival(f"{number:032x}", number, number, 3, at_us, at_us, 0, ended=True))
    return state


def test_an_open_trace_takes_less_than_a_kilobyte() -> None:
    """However many there are: a million take less than a gigabyte."""
    sizes = []
    for count in (2_000, 20_000):
        tracemalloc.start()
        state = fill(count)
        sizes.append(tracemalloc.get_traced_memory()[0] / count)
        tracemalloc.stop()
        assert state.open_count == count
    assert max(sizes) < 1_000
    assert sizes[1] < 1.5 * sizes[0]


@pytest.mark.parametrize("count", [1, 10, 100, 1_000])
def test_all_spans_of_a_trace_are_read_and_assembled(tmp_path: Path, count: int) -> None:
    """A trace of any usual size becomes one row from all of its spans."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(chat(1), *(span(number, 1) for number in range(2, count + 1)))
    stage.wait(5)
    (outcome,) = stage.reports.outcomes
    assert (outcome.trace.span_count, outcome.trace.incomplete) == (count, ())


def test_a_trace_with_very_many_spans_is_cut_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning and its end are kept, whatever order they arrived in."""
    monkeypatch.setattr("assembly.trace_rows.MOST_ITEMS", 100)
    world = World(tmp_path)
    stage = world.stage()
    numbers = [number * 7 % 501 for number in range(1, 501)]
    for at in range(0, 500, 250):
        world.arrive(*(chat(n, None if n == 1 else 1) for n in numbers[at : at + 250]))
    stage.finish()
    (row,) = world.rows()
    assert (row["trace_id"], row["incomplete"]) == (TRACE, ["spans_left_out"])
    assert stage.reports.outcomes[0].trace.span_count == 100
    files = stage.stage.spans.active_files()["path"].to_pylist()
    columns = read_arrival_columns(stage.stage.spans, files[0])
    assert sum(a.rows for a in find_arrivals(columns, version=0, file=0)) == 250
