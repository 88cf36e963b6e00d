"""The demo with captured OpenTelemetry traffic: from an embedded broker to labels.

1. Send the captured records to the embedded broker, each to the topic of its format.
2. Let the real worker take them in and assemble their traces, until it has caught up.
3. Decide labels with the job `goldpan labels reconcile`.
4. Read back what is in the lake.
"""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import pyarrow as pa

from batch.progress import ReportProgress
from goldpan.demo.broker import EmbeddedBroker
from goldpan.demo.process import WorkerProcess, run_job
from goldpan.demo.run import DemoFolder
from lake.config import LakeSettings
from lake.tables import Lake
from lake.verify import VerifyReport, verify_lake
from schemas.trace_in_force import IN_FORCE_COLUMNS, mask_in_force

RECORDS_FILE: Final = "otel_records.jsonl.gz"
SOURCES: Final = {
    "otlp_spans": "otlp",
    "otlp_logs": "otlp",
    "phoenix": "phoenix",
    "mlflow": "mlflow",
    "langsmith": "langsmith",
}
QUIET_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 2
WORKER_SECONDS: Final = 150.0


@dataclass(frozen=True, slots=True)
class CapturedItem:
    """A captured Kafka record and its topic."""

    topic: str
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class OtelOutcome:
    """What is in the lake: rows by table, items by format, and rows of traces by what they say."""

    records: Mapping[str, int]
    items: Mapping[str, int]
    traces: int
    ok: int
    with_tools: int
    incomplete: Mapping[str, int]
    feedback: int
    labels: Mapping[str, int]
    quarantined: int
    example: Mapping[str, Any]
    report: VerifyReport


def load_captured_records() -> list[CapturedItem]:
    """Return the captured records that goldpan brings with it, in order."""
    packed = files("goldpan.demo").joinpath("data", RECORDS_FILE).read_bytes()
    return [_read_item(line) for line in gzip.decompress(packed).splitlines()]


def _read_item(line: bytes) -> CapturedItem:
    document = json.loads(line)
    headers = [(name, base64.b64decode(value)) for name, value in document["headers"]]
    return CapturedItem(document["topic"], base64.b64decode(document["value_b64"]), headers)


def run_otel_demo(demo_folder: DemoFolder, report: ReportProgress) -> OtelOutcome:
    """Run the demo. Raises FatalError if a step fails."""
    demo_folder.prepare()
    report("starting an embedded broker", 0, 0)
    broker = EmbeddedBroker()
    items = load_captured_records()
    for topic in SOURCES:
        broker.make_topic(topic)
    for number, item in enumerate(items):
        report("sending captured spans, logs, runs and feedback", number, len(items))
        broker.send(item.topic, None, item.value, _accept, item.headers)
    broker.flush()
    report("the worker redacts, stores and assembles them", 0, 0)
    environment = {
        **demo_folder.worker_settings(broker.address),
        "GOLDPAN_KAFKA__SOURCES": json.dumps(SOURCES),
        "GOLDPAN_ASSEMBLY__QUIET_SECONDS": str(QUIET_SECONDS),
        "GOLDPAN_ASSEMBLY__IDLE_SECONDS": str(IDLE_SECONDS),
    }
    log = demo_folder.folder / "worker.log"
    with WorkerProcess(environment, log, "--until-caught-up") as worker:
        worker.finish(WORKER_SECONDS)
    report("deciding labels", 0, 0)
    run_job(demo_folder.settings(), "labels", "reconcile")
    report("reading the lake", 0, 0)
    return read_otel_outcome(demo_folder.lake_uri, Counter(item.topic for item in items))


def _accept(partition: int, offset: int) -> None:
    """Do nothing: `--until-caught-up` waits for all records."""


def read_otel_outcome(lake_uri: str, records: Mapping[str, int]) -> OtelOutcome:
    """Return what the lake holds. Raises RetryableError if it cannot be read."""
    lake = Lake(LakeSettings(uri=lake_uri))
    spans = _read(lake, "otel_spans", ["format", "record"])
    traces = _read_traces(lake)
    labels = _read(lake, "labels", ["label"])
    return OtelOutcome(
        records=dict(records),
        items=Counter(f"{row['format']} {row['record']}" for row in spans),
        traces=len(traces),
        ok=sum(row["status"] == "ok" for row in traces),
        with_tools=sum(bool(row["tool_calls"]) for row in traces),
        incomplete=Counter(reason for row in traces for reason in row["incomplete"] or ()),
        feedback=len(_read(lake, "feedback", ["kind"])),
        labels=Counter(str(row["label"]) for row in labels),
        quarantined=len(_read(lake, "quarantine", ["_offset"])),
        example=_choose_example(traces),
        report=verify_lake(lake),
    )


def _read(lake: Lake, name: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    table = lake.table(name)
    table.refresh()
    rows: list[dict[str, Any]] = table.read(list(columns)).to_pylist()
    return rows


def _read_traces(lake: Lake) -> list[dict[str, Any]]:
    """Return the traces in force: one that was assembled again has a row for each revision."""
    table = lake.table("traces")
    table.refresh()
    columns = ("status", "tool_calls", "incomplete", "response", "messages")
    rows = table.read([*columns, *IN_FORCE_COLUMNS])
    found: list[dict[str, Any]] = rows.filter(pa.array(mask_in_force(rows))).to_pylist()
    return sorted(found, key=lambda row: str(row["trace_id"]))


def _choose_example(traces: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a turn whose user's message holds a stand-in, with its answer and its tools."""
    for row in traces:
        said = [m["content"] for m in row["messages"] if m["role"] == "user" and m["content"]]
        if said and "<" in said[-1] and row["tool_calls"]:
            tools = [tool["name"] for tool in row["tool_calls"]]
            return {"user": said[-1], "tools": tools, "response": row["response"]}
    return {}
