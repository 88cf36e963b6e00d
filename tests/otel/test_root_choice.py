"""A trace with several roots gives the row of one turn."""

from itertools import permutations

from otel.signals import OtelSpan
from tests.otel.make_spans import SECOND, START, assemble, chat, row_of, span

TURNS = (
    span(1, end_ns=START + 4 * SECOND),
    chat(2, 1, said="q1", answer="r1", attributes={"gen_ai.usage.input_tokens": 3}),
    span(5, end_ns=START + 9 * SECOND),
    chat(6, 5, said="q2", answer="r2", attributes={"gen_ai.usage.input_tokens": 4}),
)


def said_and_answered(*spans: OtelSpan) -> tuple[object, object]:
    """Return the question and the answer of the row."""
    row = row_of(*spans)
    return row["messages"][-1]["content"], row["response"]


def test_two_turns_in_one_trace_are_not_mixed() -> None:
    """The first one counts, with its own tokens and latency, in any order of the spans."""
    for spans in permutations(TURNS):
        trace = assemble(*spans)
        assert trace.row is not None
        assert said_and_answered(*spans) == ("q1", "r1")
        assert (trace.row["input_tokens"], trace.row["latency_ms"]) == (3, 3000.0)
        assert trace.incomplete == ("other_roots",)
        assert trace.span_count == 4


def test_a_root_without_a_model_call_below_it_is_not_chosen() -> None:
    """A health check in front of the turn."""
    trace = assemble(span(0, name="GET /healthz"), *TURNS[2:])
    assert trace.row is not None
    assert (trace.row["response"], trace.incomplete) == ("r2", ("other_roots",))


def test_roots_that_start_together_are_told_apart_by_their_ids() -> None:
    """The smaller span id."""
    first, second = (chat(n, start_ns=START, end_ns=START + n, answer=f"r{n}") for n in (8, 7))
    assert row_of(first, second)["response"] == row_of(second, first)["response"] == "r7"


def test_a_span_without_its_parent_stays_unless_another_root_runs() -> None:
    """A lost parent of the first turn, and one of the second."""
    lost = {"said": "q", "answer": "lost", "end_ns": START + 4 * SECOND}
    assert said_and_answered(*TURNS, chat(3, 77, **lost)) == ("q1", "lost")
    assert said_and_answered(*TURNS, chat(7, 77, **lost)) == ("q1", "r1")


def test_without_a_turn_below_any_root_the_lost_spans_count() -> None:
    """Both roots lost what is between them and the model call."""
    trace = assemble(span(1), span(2), chat(3, 77, answer="lost"))
    assert trace.row is not None
    assert trace.row["response"] == "lost"
    assert trace.incomplete == ("other_roots", "parents_missing")


def test_spans_on_a_cycle_beside_two_roots_end() -> None:
    """They are kept as spans without a parent are."""
    assert "cyclic_parents" in assemble(*TURNS, chat(3, 4), chat(4, 3)).incomplete
