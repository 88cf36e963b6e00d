"""One call that two instrumentations write as two root traces counts once, if that is certain."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel.call_accounts import CallAccount, TraceAccount, is_same_process
from otel.duplicate_traces import MAX_CONCURRENT, find_duplicates
from tests.otel.captures import CAPTURES, assemble_capture
from tests.otel.make_accounts import RESOURCE, account, call
from tests.otel.make_spans import SECOND, START, TRACE, assemble, chat, span

OTHER = "1" * 32


def test_one_call_in_two_root_traces_counts_once() -> None:
    """The trace that says more is in force, in whatever order they are given."""
    inner, outer = account("a", call("A", 0.1, 0.8)), account("b", call("B"), filled=12)
    assert find_duplicates([inner, outer]) == {"a": "b"} == find_duplicates([outer, inner])


def test_spans_of_two_instrumentations_give_accounts_that_match() -> None:
    """From the spans on: messages of one dialect, numbered attributes of the other."""
    otel = chat(1, scope="opentelemetry.instrumentation.openai_v2", resource=RESOURCE)
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-x",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "hello",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "hi",
    }
    other = span(2, attributes=attributes, trace_id=OTHER, resource=RESOURCE,
                 scope="openinference.instrumentation.openai",
                 start_ns=otel.start_ns - 1000, end_ns=otel.end_ns + 1000)  # fmt: skip
    accounts = [assemble(otel).account, replace_id(assemble(other).account)]
    assert set(find_duplicates([a for a in accounts if a is not None])) <= {TRACE, OTHER}
    assert len(find_duplicates([a for a in accounts if a is not None])) == 1


def replace_id(found: TraceAccount | None) -> TraceAccount:
    """Return the account as that of the other trace: the makers of spans know one trace only."""
    assert found is not None
    return replace(found, trace_id=OTHER)


@pytest.mark.parametrize(
    "other",
    [
        call("A"),
        call("B", content="another question"),
        call("B", 1.5),
        call("B", 0.9),
        call("B", models=frozenset({"gpt-y"})),
        call("B", tokens=(11, 3)),
        call("B", resource={**RESOURCE, "service.instance.id": "instance-2"}),
        call("B", resource={}),
        call("B", content=None),
        call("B", start_ns=0),
        call("B", response_id="r-2"),
    ],
)
def test_what_may_be_two_calls_stays_two(other: CallAccount) -> None:
    """One instrumentation, other content, another time, model or process, or nothing to compare."""
    first = call("A", response_id="r-1")
    assert find_duplicates([account("a", first), account("b", other)]) == {}


def test_two_spans_of_one_scope_are_one_call_if_the_response_has_one_id() -> None:
    """MLflow writes the spans of all its instrumentations under one scope, by different names."""
    one = call("M", response_id="r-1", instrumentations=frozenset({("M", "ChatOpenAI")}))
    other = call("M", response_id="r-1", instrumentations=frozenset({("M", "Completions")}))
    assert find_duplicates([account("a", one), account("b", other)]) == {"b": "a"}
    without = [replace(one, response_id=None), replace(other, response_id=None)]
    assert find_duplicates([account(str(n), c) for n, c in enumerate(without)]) == {}


def test_the_id_of_the_response_decides_where_the_content_differs() -> None:
    """One of them may have lost an image, or have a name replaced that the other did not learn."""
    one, other = call("A", response_id="r-1"), call("B", response_id="r-1", content=None)
    assert find_duplicates([account("a", one), account("b", other)]) == {"b": "a"}


def test_equal_questions_at_the_same_time_stay() -> None:
    """Nothing says which two of the four belong together; ids of responses do."""
    four = [account("a1", call("A")), account("b1", call("B")),
            account("a2", call("A", 0.1)), account("b2", call("B", 0.1))]  # fmt: skip
    assert find_duplicates(four) == {}
    told = [
        replace(trace, calls=(replace(trace.calls[0], response_id=trace.trace_id[1]),))
        for trace in four
    ]
    assert find_duplicates(told) == {"b1": "a1", "b2": "a2"}


def test_a_call_that_stands_alone_and_in_a_turn_is_that_of_the_turn() -> None:
    """The trace with more calls is in force; one with a call of its own is no duplicate."""
    second = call("A", 2, content="second")
    turn = account("turn", call("A"), second)
    alone = account("alone", call("B"), filled=99)
    assert find_duplicates([alone, turn]) == {"alone": "turn"}
    more = account("alone", call("B"), call("B", 2, content="third"), call("B", 4))
    assert find_duplicates([more, turn]) == {}


def test_three_accounts_of_a_call_leave_one() -> None:
    """A duplicate refers to the trace in force, never to another duplicate."""
    three = [account(name, call(name.upper())) for name in "cab"]
    assert find_duplicates(three) == {"b": "a", "c": "a"}


def test_a_crowd_of_equal_calls_is_left_alone_in_bounded_time() -> None:
    """Two thousand at once are compared with few; the pair long after them is found."""
    crowd = [account(f"{n:04}", call("AB"[n % 2], n / 1e6, 5)) for n in range(2_000)]
    pair = [account("x", call("A", 60)), account("y", call("B", 60))]
    assert find_duplicates([*crowd, *pair]) == {"y": "x"}
    edge = [account(f"z{n}", call("AB"[n], 4)) for n in range(2)]
    assert find_duplicates([*crowd[:MAX_CONCURRENT], *edge]) == {}


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_no_trace_of_a_capture_is_a_duplicate(source: str, encoding: str) -> None:
    """Each call of the captures was written by one instrumentation, and each has its content."""
    accounts = [t.account for t in assemble_capture(source, encoding).values() if t.account]
    assert find_duplicates(accounts) == {}
    assert all(call.content is not None for trace in accounts for call in trace.calls)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"service.name": "a"}, {"service.name": "a"}, True),
        ({"service.name": "a"}, {"service.name": "a", "service.version": "2"}, True),
        ({"service.name": "a", "service.version": "1"},
         {"service.name": "a", "service.version": "2"}, False),
        ({"service.name": "a", "service.instance.id": "i"},
         {"service.name": "unknown_service", "service.instance.id": "i"}, True),
        ({"service.name": "a", "process.pid": 1, "host.name": "h"},
         {"service.name": "a", "process.pid": 1, "host.name": "h2"}, False),
        ({"service.name": "a", "service.instance.id": "i", "process.pid": 1, "host.name": "h"},
         {"service.name": "a", "service.instance.id": "i", "process.pid": 2, "host.name": "h"},
         False),
        ({"process.pid": 1}, {"process.pid": 1}, False),
        ({}, {}, False),
    ],
)  # fmt: skip
def test_a_process_is_named_by_its_resource(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    """A process id needs its host; a service needs a name; one attribute that differs decides."""
    assert is_same_process(one, other) is same is is_same_process(other, one)


CALLS = st.builds(
    call,
    st.sampled_from(["A", "B", "C"]),
    st.integers(0, 12).map(lambda n: n / 4),
    st.integers(0, 8).map(lambda n: n / 4),
    content=st.sampled_from([None, "x", "y"]),
    response_id=st.sampled_from([None, None, "r-1", "r-2"]),
    tokens=st.sampled_from([(None, None), (1, 1)]),
    resource=st.sampled_from([RESOURCE, {"service.name": "shop"}, {"service.name": "other"}]),
)
TRACES = st.lists(st.lists(CALLS, min_size=0, max_size=3), max_size=9).map(
    lambda traces: [account(f"t{n}", *calls) for n, calls in enumerate(traces)]
)


@settings(max_examples=300)
@given(TRACES, st.randoms(use_true_random=False))
def test_the_answer_depends_on_the_set_of_traces(
    traces: list[TraceAccount], random: Random
) -> None:
    """Order and copies change nothing; what is in force is no duplicate and holds as many calls."""
    expected = find_duplicates(traces)
    mixed = [*traces, *traces[:3]]
    random.shuffle(mixed)
    assert find_duplicates(mixed) == expected
    by_id = {trace.trace_id: trace for trace in traces}
    for duplicate, in_force in expected.items():
        assert in_force not in expected
        assert len(by_id[in_force].calls) >= len(by_id[duplicate].calls) > 0
        same = [by_id[t] for t in {in_force, *expected} if expected.get(t, t) == in_force]
        assert _accounts_for(by_id[duplicate], [t for t in same if t.trace_id != duplicate])


@settings(max_examples=200)
@given(TRACES)
def test_traces_of_another_time_or_process_change_nothing(traces: list[TraceAccount]) -> None:
    """A job that reads one more hour, or one more service, decides the same about these."""
    expected = find_duplicates(traces)
    later = [_change(trace, "later", shift=100) for trace in traces]
    elsewhere = [_change(trace, "elsewhere", resource={"service.name": "far"}) for trace in traces]
    found = find_duplicates([*traces, *later, *elsewhere])
    assert {k: v for k, v in found.items() if k in {t.trace_id for t in traces}} == expected


@settings(max_examples=100)
@given(TRACES)
def test_one_instrumentation_never_writes_duplicates(traces: list[TraceAccount]) -> None:
    """Equal calls of it are calls that were made."""
    alike = frozenset({("A", "chat")})
    assert find_duplicates([_change(trace, "", instrumentations=alike) for trace in traces]) == {}


def _change(trace: TraceAccount, name: str, *, shift: int = 0, **parts: Any) -> TraceAccount:
    """Return a trace whose calls begin later, in seconds, and have other parts."""
    calls = (
        replace(c, start_ns=c.start_ns + shift * SECOND, end_ns=c.end_ns + shift * SECOND, **parts)
        for c in trace.calls
    )
    return TraceAccount(trace.trace_id + name, tuple(calls), trace.filled)


def _accounts_for(one: TraceAccount, others: Sequence[TraceAccount]) -> bool:
    """Return whether each call overlaps in time with a call of other instrumentation."""
    return all(
        any(
            c.start_ns <= o.end_ns and o.start_ns <= c.end_ns and o.start_ns >= START
            for other in others
            for o in other.calls
        )
        for c in one.calls
    )


def test_times_are_epoch_nanoseconds() -> None:
    """The call of a trace is as long as its outermost span."""
    outer, inner = chat(1, scope="A"), chat(2, 1, scope="B")
    found = assemble(outer, inner).account
    assert found is not None
    [only] = found.calls
    assert (only.start_ns, only.end_ns) == (START + SECOND, START + 5 * SECOND // 2)
    assert {scope for scope, _ in only.instrumentations} == {"A", "B"}
