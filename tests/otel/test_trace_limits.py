"""A trace of any size is assembled in bounded memory, and the same in whatever order it comes."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from otel.assembly import assemble_trace
from otel.assembly_rules import AssemblyRules
from otel.signals import OtelLog, OtelSpan
from otel.trace_limits import TraceLimits, limit_trace
from tests.otel.make_spans import TRACE, chat, log, span

SMALL = TraceLimits(items=6, characters=4000)
SPANS = st.lists(
    st.builds(
        lambda number, size, is_chat, same: (
            chat(number, 1, answer="x" * size, start_ns=same or 1, end_ns=2)
            if is_chat
            else span(number, number % 3 or None, attributes={"a": "x" * size}, start_ns=same)
        ),
        st.integers(1, 30),
        st.sampled_from([0, 10, 900]),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=24,
)
LOGS = st.lists(
    st.builds(lambda n, size: log(n, "e", "y" * size, n % 4), st.integers(1, 9),
              st.sampled_from([1, 900])), max_size=15,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SPANS, LOGS, st.randoms(use_true_random=False))
def test_what_is_kept_depends_on_the_set(
    spans: list[OtelSpan], logs: list[OtelLog], random: Random
) -> None:
    """Order and copies change nothing, and the last prune is a prune of all."""
    expected = limit_trace(spans, logs, SMALL)
    mixed = [replace(item, index=n) for n, item in enumerate([*spans, *spans[:7]])]
    random.shuffle(mixed)
    mixed_logs = random.sample(logs, len(logs))
    limited = limit_trace(mixed, [*mixed_logs, *mixed_logs[:3]], SMALL)
    assert _set(limited.spans) == _set(expected.spans)
    assert _set(limited.logs) == _set(expected.logs)
    assert limited.is_whole == expected.is_whole
    if expected.is_whole:
        assert _set(expected.spans) == _set(spans)
        assert _set(expected.logs) == _set(logs)


def _set(items: object) -> set[str]:
    assert isinstance(items, list)
    return {repr(replace(item, index=0)) for item in items}


def test_a_trace_within_its_limits_is_whole() -> None:
    """However often its spans were sent."""
    spans = [chat(number, answer="x" * 10) for number in range(1, 5)]
    assert limit_trace(spans * 10, [], SMALL).is_whole
    assert not limit_trace([*spans, *(chat(n) for n in range(5, 9))], [], SMALL).is_whole


def test_the_root_the_first_and_the_last_calls_are_kept() -> None:
    """So that the question, the answer and the status of the turn stand in the row."""
    spans = [span(0), *(chat(n, 0) for n in range(1, 40)), *(span(n, 0) for n in range(40, 90))]
    limited = limit_trace(spans, [], SMALL)
    kept = [int(kept.span_id, 16) for kept in limited.spans]
    assert kept == [1, 2, 3, 37, 38, 39, 0, 40, 41, 87, 88, 89]


def test_a_million_spans_cost_bounded_memory() -> None:
    """And the row says that it is not the whole trace. (Twenty thousand, with lower limits.)"""

    def many(number: int) -> Iterator[OtelSpan]:
        yield span(1, attributes={"session.id": "s-1"})
        yield chat(2, 1, said="first")
        for place in range(3, number):
            yield span(place, 1, attributes={"step": "x" * 1000})
        yield chat(number, 1, answer="last")

    rules = AssemblyRules(limits=TraceLimits(items=1000))
    tracemalloc.start()
    trace = assemble_trace(TRACE, many(20_000), rules=rules)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert trace.row is not None
    assert trace.incomplete == ("spans_left_out",)
    assert (trace.row["messages"][0]["content"], trace.row["response"]) == ("first", "last")
    assert trace.row["session_id"] == "s-1"
    assert peak < 10 * 2**20
    json.dumps(trace.row)
