"""Bodies of Langfuse and Traceloop on topics become rows of traces and feedback."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from tests.e2e.item_scene import ItemScene, plain_span, request_of
from tests.servers.fixtures import StartWorker
from tests.servers.mock_kafka import QUICK, MockKafka
from tests.servers.topic_io import Record

TRACE, CHAT = f"{7:032x}", "chat-7"
BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
"""The worker looks some days back for what feedback is about."""


def moment(seconds: int) -> str:
    """Return a time after the beginning, as the bodies write it."""
    return (BEGAN + timedelta(seconds=seconds)).isoformat()


TIMES = {"startTime": moment(0), "endTime": moment(1)}


def body_of(document: Any, path: str) -> Record:
    """Return a body as it is put on Kafka, with the path of its call."""
    return Record(None, json.dumps(document).encode(), 0, headers=[("http.path", path.encode())])


def langfuse_batch() -> dict[str, Any]:
    """A trace with a generation, and the score of a user on it, in one batch."""
    answer = {"role": "assistant", "content": "hi"}
    said = [{"role": "user", "content": "hello"}]
    usage = {"input": 3, "output": 2}
    events = [
        ("trace-create", {"id": "t-1", "sessionId": "s-1", "timestamp": TIMES["startTime"]}),
        ("generation-create", {"id": "g-1", "traceId": "t-1", "name": "chat", "input": said,
                               "model": "m-1", "startTime": TIMES["startTime"]}),
        ("generation-update", {"id": "g-1", "traceId": "t-1", "output": answer,
                               "usageDetails": usage, "endTime": TIMES["endTime"]}),
        ("score-create", {"id": "f-1", "traceId": "t-1", "name": "user_thumb", "value": 1}),
        ("score-delete", {"id": "f-0"}),
    ]  # fmt: skip
    return {"batch": [{"id": str(n), "type": kind, "timestamp": TIMES["endTime"], "body": body}
                      for n, (kind, body) in enumerate(events)]}  # fmt: skip


def test_langfuse_and_traceloop_on_topics(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """The batch API, scores on a trace and on a session, and feedback on an entity of a span."""
    scene = ItemScene(mock_kafka.bootstrap, tmp_path, more={"kafka__properties": dict(QUICK)})
    scores = [{"id": "f-2", "sessionId": "s-1", "name": "csat", "value": 5,
               "timestamp": moment(300)}]  # fmt: skip
    scene.produce(
        "langfuse",
        "langfuse",
        [
            body_of(langfuse_batch(), "/api/public/ingestion"),
            body_of(scores, "/api/public/scores"),
        ],
    )
    marks = {"gen_ai.operation.name": "chat", "traceloop.association.properties.chat_id": CHAT}
    attributes = [KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in marks.items()]
    start = int(BEGAN.timestamp()) * 10**9
    times = {"start_time_unix_nano": start, "end_time_unix_nano": start + 10**9}
    spans = [plain_span(1, 7, attributes=attributes, **times)]
    scene.produce("spans", "otlp", [Record(None, request_of(spans), 0)])
    annotation = {"entity_instance_id": CHAT, "flow": "user_feedback", "tags": {"thumbs": "down"}}
    scene.produce("traceloop", "traceloop", [body_of(annotation, "/v2/annotation-tasks/1")])
    start_worker(scene.env, "--until-caught-up").finish()
    scene.assert_exactly_once()
    rows = {row["trace_id"]: row for row in scene.reader.rows("traces").to_pylist()}
    assert rows.keys() == {"t-1", TRACE}
    row = rows["t-1"]
    assert (row["session_id"], row["response"], row["model_version"]) == ("s-1", "hi", "m-1")
    assert (row["input_tokens"], row["output_tokens"], row["latency_ms"]) == (3, 2, 1000.0)
    assert [message["content"] for message in row["messages"]] == ["hello"]
    feedback = scene.reader.rows("feedback").to_pylist()
    assert sorted((each["trace_id"], each["kind"], each["value"]) for each in feedback) == [
        (TRACE, "thumbs", -1.0),
        ("t-1", "rating", 1.0),
        ("t-1", "thumbs", 1.0),
    ]
