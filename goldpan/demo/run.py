"""Runs the demo: starts the broker and the worker, and sends the traffic.

1. Start the embedded broker and, as a process of its own, the real worker.
2. Wait until the worker has its partitions; then send the month, as fast as it goes.
3. Wait until the tables' positions have passed the sent records; review and judge the month, and
   hold two candidates against a golden set of it.
4. Send the script, in real time; wait again, and stop the worker.
5. Read back what is in the lake (`goldpan.demo.outcome`).
"""

import base64
import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from batch.progress import ReportProgress
from goldpan.demo.broker import EmbeddedBroker, OnDelivered
from goldpan.demo.gated_release import GateFolder, GateOutcome, gate_candidates
from goldpan.demo.judged_month import MonthOutcome, judge_month
from goldpan.demo.month import DemoMonth
from goldpan.demo.process import WorkerProcess
from goldpan.demo.script import WIRE_FORMATS, ScriptedRecord
from goldpan.demo.sent_offsets import SentOffsets
from goldpan.demo.traffic import TrafficRecord
from goldpan.demo.wire_formats import schema_files
from goldpan.settings import Settings
from lake.config import LakeSettings
from lake.ledger import SourcePartition
from lake.tables import Lake
from redact.policies.settings import RedactSettings
from schemas.errors import FatalError, UsageError
from schemas.record_batches import RecordKind

TOPICS: Final = {RecordKind.TRACE: "llm.traces", RecordKind.FEEDBACK: "llm.feedback"}
POLICY: Final = "strict"
JUDGE_FILE: Final = "task_success.yaml"
LABELS_FILE: Final = "labels.yaml"
SPEC_FILE: Final = "airline.yaml"
GATE_FILE: Final = "gate.yaml"
FLUSH_SECONDS: Final = 2
START_SECONDS: Final = 60.0
ARRIVE_SECONDS: Final = 180.0
STOP_SECONDS: Final = 40.0
POLL_SECONDS: Final = 0.25


@dataclass(slots=True)
class SentRecord:
    """A sent record, its time (microseconds since 1970, UTC), and its coordinates once accepted."""

    line: ScriptedRecord
    record: TrafficRecord | None
    moment: int
    source: SourcePartition | None = None
    offset: int = -1


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """The folder of the demo: the lake, the schemas and the worker's log."""

    folder: Path
    key: str = field(default_factory=lambda: base64.b64encode(os.urandom(32)).decode(), repr=False)

    @property
    def lake_uri(self) -> str:
        """Return the URI of the lake."""
        return str(self.folder / "lake")

    @property
    def judge(self) -> Path:
        """Return the file of the judge."""
        return self.folder / JUDGE_FILE

    @property
    def gate_files(self) -> GateFolder:
        """Return the files of the gate."""
        folder = self.folder
        return GateFolder(folder, folder / SPEC_FILE, folder / GATE_FILE, self.judge)

    def settings(self) -> dict[str, str]:
        """Return the environment for commands on this lake."""
        return {
            "GOLDPAN_LAKE__URI": self.lake_uri,
            "GOLDPAN_REDACT__KEY": self.key,
            "GOLDPAN_LABELS__POLICY": str(self.folder / LABELS_FILE),
        }

    @property
    def own_settings(self) -> Settings:
        """Return the same for this process, whatever its environment says."""
        return Settings.model_construct(
            lake=LakeSettings(uri=self.lake_uri), redact=RedactSettings(key=SecretStr(self.key))
        )

    def worker_settings(self, broker: str) -> dict[str, str]:
        """Return the environment of the worker."""
        return {
            **self.settings(),
            "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS": broker,
            "GOLDPAN_KAFKA__SCHEMAS_DIR": str(self.folder / "schemas"),
            "GOLDPAN_REDACT__POLICY": POLICY,
            "GOLDPAN_STREAM__FLUSH_SECONDS": str(FLUSH_SECONDS),
            "GOLDPAN_METRICS__PORT": "0",
            "GOLDPAN_LOG__FORMAT": "json",
        }

    def prepare(self) -> None:
        """Create the folder; UsageError if it is not empty."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UsageError(f"{self.folder} is not an empty folder: name another.")
        (self.folder / "schemas").mkdir(parents=True)
        for name, text in schema_files().items():
            (self.folder / "schemas" / name).write_text(text)
        for name in (JUDGE_FILE, LABELS_FILE, SPEC_FILE, GATE_FILE):
            text = (files("goldpan.demo") / "data" / name).read_text(encoding="utf-8")
            (self.folder / name).write_text(text, encoding="utf-8")
        lines = [f"export {name}={shlex.quote(v)}\n" for name, v in self.settings().items()]
        environment = self.folder / "env"
        environment.touch(mode=0o600)
        environment.write_text("".join(lines))


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What was sent in real time, how much in all, what was found about the month, and its gate."""

    sent: Sequence[SentRecord]
    topics: Mapping[str, int]
    formats: Mapping[str, int]
    month: MonthOutcome
    gate: GateOutcome


def run_demo(
    demo_folder: DemoFolder,
    month: DemoMonth,
    lines: Sequence[ScriptedRecord],
    report: ReportProgress,
) -> DemoRun:
    """Run the demo. Raises FatalError if a step fails."""
    demo_folder.prepare()
    report("starting an embedded broker and the worker", 0, 0)
    broker = EmbeddedBroker()
    for topic in TOPICS.values():
        broker.make_topic(topic)
    log = demo_folder.folder / "worker.log"
    with WorkerProcess(demo_folder.worker_settings(broker.address), log) as worker:
        for _ in _poll(START_SECONDS, "the worker had no partitions"):
            worker.check()
            if worker.has_logged("partitions_assigned"):
                break
        lake = Lake(LakeSettings(uri=demo_folder.lake_uri))
        ends = SentOffsets()
        formats = _send_month(broker, month, ends)
        _wait(worker, lake, ends, "the worker redacts and stores a month", report)
        outcome = judge_month(
            demo_folder.settings(), demo_folder.judge, month, demo_folder.folder, report
        )
        gate = gate_candidates(
            demo_folder.settings(), demo_folder.own_settings, month, demo_folder.gate_files, report
        )
        sent = _send(broker, lines, ends, report)
        _wait(worker, lake, ends, "waiting for the lake", report)
        report("stopping the worker", 0, 0)
        worker.stop(STOP_SECONDS)
    formats.update(record.line.format for record in sent if record.line.format)
    return DemoRun(sent, ends.by_topic(), formats, outcome, gate)


def _wait(
    worker: WorkerProcess, lake: Lake, ends: SentOffsets, step: str, report: ReportProgress
) -> None:
    """Wait until all that was sent is in the lake."""
    for _ in _poll(ARRIVE_SECONDS, "the records were not in the lake"):
        worker.check()
        missing = ends.count_missing(lake)
        report(step, ends.total - missing, ends.total)
        if not missing:
            break


def _send_month(broker: EmbeddedBroker, month: DemoMonth, ends: SentOffsets) -> Counter[str]:
    """Send the month, in all wire formats in turn; return how many records in each."""
    topic, formats = TOPICS[RecordKind.TRACE], list(WIRE_FORMATS)
    count = ends.on_delivery(topic)
    names = [formats[index % len(formats)] for index in range(len(month.records))]
    for record, name in zip(month.records, names, strict=True):
        value = WIRE_FORMATS[name](RecordKind.TRACE, record)
        broker.send(topic, record["trace_id"], value, count)
    broker.flush()
    return Counter(names)


def _send(
    broker: EmbeddedBroker,
    lines: Sequence[ScriptedRecord],
    ends: SentOffsets,
    report: ReportProgress,
) -> list[SentRecord]:
    sent: list[SentRecord] = []
    start = time.monotonic()
    for index, line in enumerate(lines):
        report("sending conversations and feedback", index, len(lines))
        time.sleep(max(0.0, start + line.second - time.monotonic()))
        moment = time.time_ns() // 1000
        record, value = line.sent_at(moment)
        sent_record = SentRecord(line, record, moment)
        sent.append(sent_record)
        broker.send(TOPICS[line.kind], line.key, value, _record_delivery(sent_record, ends))
    broker.flush()
    return sent


def _record_delivery(record: SentRecord, ends: SentOffsets) -> OnDelivered:
    topic = TOPICS[record.line.kind]
    count = ends.on_delivery(topic)

    def delivered(partition: int, offset: int) -> None:
        record.source, record.offset = SourcePartition(topic, partition), offset
        count(partition, offset)

    return delivered


def _poll(seconds: float, problem: str) -> Iterator[None]:
    """Yield at intervals; raise FatalError when the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_SECONDS)
    raise FatalError(f"{problem} after {seconds:g} s")
