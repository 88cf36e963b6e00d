"""Feedback of the products finds its trace, with the kind and the scale of the contract."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from decode.contract_check import check_lines
from otel.evaluation_logs import EVALUATION_EVENT, read_evaluations
from otel.explanation import SignalsExplanation, explain_signals
from otel.feedback_records import FeedbackTargets, collect_targets, resolve_feedback
from otel.feedback_scale import scale_feedback
from otel.signals import OtelLog, ProductFeedback, TargetKind
from schemas.record_batches import RecordKind
from tests.otel.captures import read_records, read_truth
from tests.otel.make_spans import START, TRACE, assemble, chat

FEEDBACK_SOURCES = (
    ("otel_openai_v2_2.0b0_events", ("otlp_proto",)),
    ("otel_openai_v2_2.4b0_span_only", ("otlp_json",)),
    ("openinference_openai_0.1.66", ("otlp_proto", "native_phoenix.json")),
    ("mlflow_3.17.2", ("native_mlflow.json",)),
    ("langsmith_0.14.17_batchjson", ("native_langsmith.json",)),
)


def explain(source: str, encodings: tuple[str, ...]) -> SignalsExplanation:
    """Return the explanation of a source."""
    return explain_signals(
        (line, record)
        for encoding in encodings
        for line, record in enumerate(read_records(source, encoding), start=1)
    )


def _expected(source: str) -> Iterator[tuple[str, str, float, str | None]]:
    for turn in read_truth():
        for item in turn["feedback"] if turn["source"] == source else ():
            thumb = item["name"] == "user_thumb"
            value = (1.0 if item["value"] else -1.0) if thumb else (item["value"] - 1) / 4
            kind = "thumbs" if thumb else "rating"
            yield turn["session_id"], kind, value, item["comment"]


@pytest.mark.parametrize(("source", "encodings"), FEEDBACK_SOURCES)
def test_feedback_of_a_capture_is_what_was_given(source: str, encodings: tuple[str, ...]) -> None:
    """All feedback on turns is there, with its value and comment; each record fits the contract."""
    resolved = explain(source, encodings).feedback
    records = [item.record for item in resolved if item.record is not None]
    given = sorted(((k, v, c or "") for _, k, v, c in _expected(source)))
    everything = [scale_feedback(i.feedback.name, i.feedback.value) for i in resolved]
    assert sorted((k, v, i.feedback.comment or "") for (k, v), i in
                  zip(everything, resolved, strict=True)) == given  # fmt: skip
    assert len(given) - len(records) <= 2  # on a bare turn it can name the trace of a tool
    lines = [json.dumps(record).encode() for record in records]
    results = list(check_lines(RecordKind.FEEDBACK, iter(lines), max_record_bytes=2**20))
    assert sum(fits for fits, _ in results) == len(records) > 0


@pytest.mark.parametrize(("source", "encodings"), FEEDBACK_SOURCES)
def test_feedback_finds_the_trace_of_its_turn(source: str, encodings: tuple[str, ...]) -> None:
    """The target is one of the traces of the turn that it was given on."""
    for item in explain(source, encodings).feedback:
        if item.record is None:
            assert item.reason == "its trace has no row"
            continue
        comment = item.feedback.comment
        turns = [
            turn
            for turn in read_truth()
            if turn["source"] == source and item.record["trace_id"] in turn["all_trace_ids"]
        ]
        assert [f["comment"] for turn in turns for f in turn["feedback"]] == [comment]


def feedback(kind: TargetKind, target: str, **parts: Any) -> ProductFeedback:
    """Return a thumb up."""
    values: dict[str, Any] = {
        "feedback_id": "f-1", "name": "user_thumb", "value": 1, "comment": None,
        "target_kind": kind, "target_id": target, "time_ns": START + 10**13,
    }  # fmt: skip
    return ProductFeedback(**values | parts)


def targets() -> FeedbackTargets:
    """Return a trace of a session with an entity."""
    attributes = {"session.id": "s-1", "traceloop.association.properties.chat_id": "chat-1"}
    span = chat(1, attributes=attributes)
    return collect_targets({TRACE: assemble(span)}, [span])


@pytest.mark.parametrize(
    ("kind", "target"),
    [("trace", TRACE), ("span", f"{1:016x}"), ("session", "s-1"), ("entity", "chat-1")],
)
def test_each_kind_of_target_is_resolved(kind: TargetKind, target: str) -> None:
    """And one that is not known stays open, with the reason."""
    resolved = resolve_feedback(feedback(kind, target), targets())
    assert resolved.record is not None
    assert resolved.record["trace_id"] == TRACE
    unknown = resolve_feedback(feedback(kind, "nowhere"), targets())
    assert (unknown.record, unknown.reason) == (None, f"its {kind} is not known")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.response.id": "x"}, "entity"),
        ({"gen_ai.response.id": "x", "session.id": "s"}, "entity"),
        ({"gen_ai.conversation.id": "x"}, "session"),
        ({"session.id": "x"}, "session"),
        ({"thread_id": "x", "gen_ai.response.id": ""}, "session"),
    ],
)
def test_an_evaluation_without_a_span_names_a_response_or_a_session(
    attributes: dict[str, str], kind: TargetKind
) -> None:
    """The conventions name the response where the context of the span is gone."""
    named = {"gen_ai.evaluation.name": "thumbs", **attributes}
    event = OtelLog(None, None, EVALUATION_EVENT, START, None, named)
    (found,) = read_evaluations([event])
    assert (found.target_kind, found.target_id) == (kind, "x")


def test_an_evaluation_that_names_nothing_is_no_feedback() -> None:
    """Nothing is guessed."""
    event = OtelLog(None, None, EVALUATION_EVENT, START, None, {"gen_ai.evaluation.name": "x"})
    assert read_evaluations([event]) == []


def test_a_session_means_its_last_trace_before_the_feedback() -> None:
    """Not one that began later."""
    assert resolve_feedback(feedback("session", "s-1", time_ns=START), targets()).record is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("user_thumb", 1, ("thumbs", 1.0)),
        ("user_thumb", 0, ("thumbs", -1.0)),
        ("Thumbs", "down", ("thumbs", -1.0)),
        ("rating", 5, ("rating", 1.0)),
        ("csat", 2, ("rating", 0.25)),
        ("stars", 9, ("rating", None)),
        ("anything", True, ("thumbs", 1.0)),
        ("anything", "bad", ("thumbs", -1.0)),
        ("toxicity", 0.3, ("custom", 0.3)),
        ("toxicity", None, ("custom", None)),
        ("comment", 3, ("comment", None)),
    ],
)
def test_scales(name: str, value: object, expected: tuple[str, float | None]) -> None:
    """Thumbs are -1 and +1, ratings 0 to 1; a value outside its scale is none."""
    assert scale_feedback(name, value) == expected
