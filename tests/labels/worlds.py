"""Hypothesis strategies for worlds of records, and for what may happen to a worker over them."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from schemas.records import Feedback, Trace
from tests.labels.kit import FEEDBACK, TRACE, feedback, trace

IDS = [f"trace-{i}" for i in range(6)]
SEGMENTS: list[dict[str, str]] = [{}, {"plan": "gold"}, {"plan": "free", "channel": "web"}]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """A trace of one of a few ids and sessions; the same id may come twice with other content."""
    return trace(
        draw(st.sampled_from(IDS)),
        draw(st.integers(0, 200)),
        status=draw(st.sampled_from(["ok", "ok", "error"])),
        finish_reason=draw(st.sampled_from([None, "stop", "length"])),
        session_id=draw(st.sampled_from([None, "s1", "s2"])),
        input_tokens=draw(st.sampled_from([None, 10, 10, 20])),
        app=draw(st.sampled_from(["shop", "help"])),
        segments=draw(st.sampled_from(SEGMENTS)),
    )


@st.composite
def events(draw: st.DrawFn) -> Feedback:
    """Feedback of any kind, on any trace, also one that never comes; ids repeat now and then."""
    kind = draw(st.sampled_from(["thumbs", "thumbs", "rating", "edit", "regenerate", "comment"]))
    values: dict[str, Any] = {"thumbs": [-1.0, 1.0, None], "rating": [0.1, 0.6, 0.9, None]}
    return feedback(
        draw(st.sampled_from([f"f{i}" for i in range(12)])),
        draw(st.sampled_from([*IDS, "never"])),
        draw(st.integers(0, 400)),
        kind=kind,
        value=draw(st.sampled_from(values.get(kind, [None]))),
        actor=draw(st.sampled_from(["end_user", "end_user", "agent"])),
        user_id=draw(st.sampled_from([None, "u1", "u2"])),
        corrected_response=draw(st.sampled_from(["better", "best"])) if kind == "edit" else None,
    )


def records() -> st.SearchStrategy[list[Trace | Feedback]]:
    """A world: records in the order they were produced, some of them twice."""
    return st.lists(st.one_of(traces(), events(), events()), max_size=24).flatmap(_some_twice)


def _some_twice(made: list[Trace | Feedback]) -> st.SearchStrategy[list[Trace | Feedback]]:
    if not made:
        return st.just(made)
    return st.lists(st.sampled_from(made), max_size=4).map(lambda again: made + again)


_LOGS = st.tuples(st.sampled_from([TRACE, FEEDBACK]), st.integers(0, 1))


def happenings() -> st.SearchStrategy[Sequence[tuple[Any, ...]]]:
    """What a worker does and what befalls it, step by step."""
    return st.lists(
        st.one_of(
            st.tuples(st.just("poll"), _LOGS, st.integers(1, 6)),
            st.tuples(st.just("poll_everything")),
            st.tuples(st.just("read_again"), _LOGS, st.integers(0, 5), st.integers(1, 6)),
            st.tuples(st.just("flush")),
            st.tuples(st.just("fail_to_flush")),
            st.tuples(st.just("die"), st.sampled_from(["nothing", "records", "labels"])),
        ),
        max_size=24,
    )
