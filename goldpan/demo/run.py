"""Runs the demo: starts the broker and the worker, and sends the traffic.

1. Start the embedded broker and, as a process of its own, the real worker.
2. Wait until the worker has its partitions; then send the script, in real time.
3. Wait until the tables' positions have passed the sent records; then stop the worker.
4. Read back what is in the lake (`goldpan.demo.outcome`).
"""

import base64
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from batch.progress import ReportProgress
from goldpan.demo.broker import EmbeddedBroker
from goldpan.demo.process import WorkerProcess
from goldpan.demo.script import ScriptedRecord
from goldpan.demo.traffic import TrafficRecord
from goldpan.demo.wire_formats import schema_files
from lake.config import LakeSettings
from lake.ledger import SourcePartition
from lake.tables import Lake
from schemas.errors import FatalError, UsageError
from schemas.record_batches import RecordKind

TOPICS: Final = {RecordKind.TRACE: "llm.traces", RecordKind.FEEDBACK: "llm.feedback"}
TABLES: Final = {"llm.traces": "traces", "llm.feedback": "feedback"}
POLICY: Final = "strict"
FLUSH_SECONDS: Final = 2
START_SECONDS: Final = 60.0
ARRIVE_SECONDS: Final = 90.0
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

    def settings(self) -> dict[str, str]:
        """Return the environment for commands on this lake."""
        return {"GOLDPAN_LAKE__URI": self.lake_uri, "GOLDPAN_REDACT__KEY": self.key}

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
        lines = [f"export {name}={shlex.quote(v)}\n" for name, v in self.settings().items()]
        environment = self.folder / "env"
        environment.touch(mode=0o600)
        environment.write_text("".join(lines))


def run_demo(
    demo_folder: DemoFolder, lines: Sequence[ScriptedRecord], report: ReportProgress
) -> list[SentRecord]:
    """Run the demo; return the sent records. Raises FatalError if a step fails."""
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
        sent = _send(broker, lines, report)
        lake = Lake(LakeSettings(uri=demo_folder.lake_uri))
        for _ in _poll(ARRIVE_SECONDS, "the records were not in the lake"):
            worker.check()
            missing = _count_missing(lake, sent)
            report("waiting for the lake", len(sent) - missing, len(sent))
            if not missing:
                break
        report("stopping the worker", 0, 0)
        worker.stop(STOP_SECONDS)
    return sent


def _send(
    broker: EmbeddedBroker, lines: Sequence[ScriptedRecord], report: ReportProgress
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
        broker.send(TOPICS[line.kind], line.key, value, _record_delivery(sent_record))
    broker.flush()
    return sent


def _record_delivery(record: SentRecord) -> Callable[[int, int], None]:
    def delivered(partition: int, offset: int) -> None:
        record.source = SourcePartition(TOPICS[record.line.kind], partition)
        record.offset = offset

    return delivered


def _count_missing(lake: Lake, sent: Sequence[SentRecord]) -> int:
    """Return how many records are at or after their table's position."""
    positions: dict[SourcePartition, int] = {}
    for topic, name in TABLES.items():
        table = lake.table(name)
        table.refresh()
        sources = {
            record.source for record in sent if record.source and record.source.topic == topic
        }
        committed: Mapping[SourcePartition, int | None] = table.positions(list(sources))
        positions |= {source: position or 0 for source, position in committed.items()}
    return sum(
        record.source is None or record.offset >= positions[record.source] for record in sent
    )


def _poll(seconds: float, problem: str) -> Iterator[None]:
    """Yield at intervals; raise FatalError when the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_SECONDS)
    raise FatalError(f"{problem} after {seconds:g} s")
