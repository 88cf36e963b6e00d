"""The bodies of the products' own APIs, whole and damaged."""

import json
from typing import Any

from otel.assembly import assemble_trace
from otel.feedback_scale import scale_feedback
from otel.formats import decode_signals
from otel.native.langsmith import read_run
from otel.trace_sets import group_by_trace

RUN = {"id": "r-1", "trace_id": "r-1", "name": "ChatOpenAI", "run_type": "llm",
       "start_time": "2026-11-21T00:43:57+00:00"}  # fmt: skip
DONE = {"id": "r-1", "trace_id": "r-1", "end_time": "2026-11-21T00:43:58+00:00",
        "outputs": {"choices": [{"message": {"role": "assistant", "content": "hi"},
                                 "finish_reason": "stop"}]}}  # fmt: skip
MULTIPART = [("content-type", b"multipart/form-data; boundary=B"),
             ("http.path", b"/runs/multipart")]  # fmt: skip


def multipart(**parts: Any) -> bytes:
    """Return a multipart body with a JSON part of each name; dots stand for underscores twice."""
    lines = []
    for name, value in parts.items():
        text = value if isinstance(value, str) else json.dumps(value)
        lines.append(
            f'--B\r\nContent-Disposition: form-data; name="{name.replace("__", ".")}"\r\n'
            f"Content-Type: application/json\r\n\r\n{text}\r\n"
        )
    return ("".join(lines) + "--B--\r\n").encode()


def test_a_run_is_merged_from_post_and_patch_in_any_order() -> None:
    """The patch has what the post could not know yet, and the post keeps its inputs."""
    post = RUN | {"inputs": {"messages": [{"role": "user", "content": "hello"}]}, "outputs": {}}
    fragments = [read_run(post, 0), read_run(DONE, 1)]
    for order in (fragments, fragments[::-1], [*fragments, *fragments]):
        row = assemble_trace("r-1", order).row
        assert row is not None
        assert row["messages"][0]["content"] == "hello"
        assert (row["response"], row["latency_ms"]) == ("hi", 1000.0)


def test_a_multipart_body_gives_the_same_run() -> None:
    """Inputs and outputs come as parts of their own; feedback can lie in it too."""
    inputs = {"messages": [{"role": "user", "content": "hello"}]}
    feedback = {"id": "f-1", "run_id": "r-1", "key": "user_thumb", "score": 1}
    body = multipart(**{"post__r-1": RUN, "post__r-1__inputs": inputs, "patch__r-1": DONE,
                        "feedback__f-1": feedback})  # fmt: skip
    decoded = decode_signals("langsmith", body, MULTIPART)
    assert decoded.rejected == ()
    row = assemble_trace("r-1", decoded.spans).row
    assert row is not None
    assert (row["messages"][0]["content"], row["response"]) == ("hello", "hi")
    assert [item.target_id for item in decoded.feedback] == ["r-1"]


def test_a_damaged_part_of_a_multipart_body_is_set_aside_alone() -> None:
    """The run beside it is read."""
    body = multipart(**{"post__r-1": RUN, "post__r-2": "{not json"})
    decoded = decode_signals("langsmith", body, MULTIPART)
    assert [span.span_id for span in decoded.spans] == ["r-1"]
    assert [item.reason for item in decoded.rejected] == [
        "a part of the multipart body is not JSON"
    ]


def test_a_run_without_an_id_is_set_aside_alone() -> None:
    """Its index within the record is named."""
    body = json.dumps({"post": [{"name": "x"}, RUN, 7]}).encode()
    decoded = decode_signals("langsmith", body, [("http.path", b"/runs/batch")])
    assert [span.span_id for span in decoded.spans] == ["r-1"]
    assert [(item.index, item.reason) for item in decoded.rejected] == [
        (0, "id is missing"),
        (2, "the item is not an object"),
    ]


def test_langfuse_ingestion_gives_a_trace_with_its_observations() -> None:
    """Trace, generation (create and update) and score of one batch."""

    def event(kind: str, **body: Any) -> dict[str, Any]:
        return {"id": kind, "type": kind, "timestamp": "2026-11-21T00:43:57Z", "body": body}

    batch = [
        event("trace-create", id="t-1", name="turn", sessionId="s-1", userId="u-1"),
        event("generation-create", id="g-1", traceId="t-1", startTime="2026-11-21T00:43:57Z",
              input=[{"role": "user", "content": "hello"}], model="m-1"),
        event("generation-update", id="g-1", traceId="t-1", endTime="2026-11-21T00:43:58Z",
              output={"role": "assistant", "content": "hi"}, usageDetails={"input": 3}),
        event("score-create", id="sc-1", traceId="t-1", name="user_thumb", value=1),
        event("span-create", traceId="t-1"),
    ]  # fmt: skip
    headers = [("http.path", b"/api/public/ingestion")]
    decoded = decode_signals("langfuse", json.dumps({"batch": batch}).encode(), headers)
    signals = group_by_trace([decoded])["t-1"]
    row = assemble_trace("t-1", signals.spans).row
    assert row is not None
    assert (row["session_id"], row["user_id"], row["response"]) == ("s-1", "u-1", "hi")
    assert (row["input_tokens"], row["model_version"]) == (3, "m-1")
    assert [(item.name, item.target_kind) for item in decoded.feedback] == [("user_thumb", "trace")]
    assert [item.index for item in decoded.rejected] == [4]


def test_langfuse_scores_name_a_trace_an_observation_or_a_session() -> None:
    """As an array, the form of version 5."""
    scores = [{"id": str(n), "name": "csat", "value": 5, key: "x"}
              for n, key in enumerate(("traceId", "observationId", "sessionId"))]  # fmt: skip
    decoded = decode_signals(
        "langfuse", json.dumps(scores).encode(), [("http.path", b"/api/public/scores")]
    )
    assert [item.target_kind for item in decoded.feedback] == ["trace", "span", "session"]


def test_a_deleted_langfuse_score_is_set_aside_with_its_reason() -> None:
    """It names no trace; a score without a value takes the vote back."""
    batch = [
        {"type": "score-delete", "body": {"id": "s-1"}},
        {"type": "score-create", "body": {"id": "s-2", "traceId": "t", "name": "user_thumb"}},
    ]
    decoded = decode_signals("langfuse", json.dumps({"batch": batch}).encode(), [])
    assert ["deletion" in item.reason for item in decoded.rejected] == [True]
    (taken_back,) = decoded.feedback
    assert scale_feedback(taken_back.name, taken_back.value) == ("thumbs", None)


def test_traceloop_feedback_names_an_entity() -> None:
    """One feedback per tag."""
    body = {"entity_instance_id": "chat-1", "tags": {"sentiment": "positive", "csat": 4}}
    decoded = decode_signals("traceloop", json.dumps(body).encode(), [])
    assert [(f.name, f.value, f.target_kind, f.target_id) for f in decoded.feedback] == [
        ("sentiment", "positive", "entity", "chat-1"),
        ("csat", 4, "entity", "chat-1"),
    ]
    assert decode_signals("traceloop", b'{"tags": {}}', []).rejected


def test_the_reason_of_a_refusal_holds_no_content() -> None:
    """For any format."""
    for signal_format in ("mlflow", "langsmith", "langfuse", "phoenix", "traceloop"):
        for value in (b"secret-4711", b'{"secret-4711": 1}', b'["secret-4711"]', b""):
            decoded = decode_signals(signal_format, value, [])
            assert decoded.rejected
            assert "4711" not in str(decoded.rejected)
