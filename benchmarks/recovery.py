"""Measures how long the partitions of a killed worker wait for their next commit.

    python -m benchmarks.recovery [--rounds 5] [--protocol classic] [--names] [--session 45]

Two workers with the default redaction share the partitions of a real Kafka, under steady traffic.
One of them gets SIGKILL. The time runs from there until the lake holds a new commit of each of its
partitions: by the other worker, or by the same one, started again at once. With `--names`, workers
have GOLDPAN_KAFKA__GROUP_INSTANCE_ID. `--session` is the broker's session time-out in seconds,
which applies in the protocol `consumer`; `classic` has the worker's own. Flushes are due after 1 s.
"""

import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from confluent_kafka import Producer
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from benchmarks.options import COUNT
from benchmarks.traffic import traces
from benchmarks.worker import Job
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka

PARTITIONS = 4
RECORDS_A_SECOND = 40
POLL_SECONDS = 0.05
SETTLED_SECONDS = 5.0
LIMIT_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: how workers join the group, and whether the killed one starts again."""

    protocol: str
    names: bool
    restarted: bool

    def environment(self, number: int) -> dict[str, str]:
        """Return the settings of the worker of this number."""
        name = {"GOLDPAN_KAFKA__GROUP_INSTANCE_ID": f"worker-{number}"} if self.names else {}
        return {
            "GOLDPAN_KAFKA__GROUP_PROTOCOL": self.protocol,
            "GOLDPAN_STREAM__FLUSH_SECONDS": "1",
            "GOLDPAN_REDACT__POLICY": "strict",
            **name,
        }

    def __str__(self) -> str:
        end = "restarted at once" if self.restarted else "not restarted"
        return f"{self.protocol}, {'named' if self.names else 'nameless'}, {end}"


class Member:
    """A worker process with its log."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "goldpan", "stream", "run"],
                env=dict(environment),
                stderr=stream,
            )

    def partitions(self) -> Set[str]:
        """Return the partitions of traces that it owns, by its log."""
        owned: set[str] = set()
        for entry in self._entries():
            if entry["event"] == "partitions_assigned":
                owned |= set(entry["positions"])
            elif entry["event"] in {"partitions_revoked", "partitions_abandoned"}:
                owned -= set(entry["partitions"])
        return {source for source in owned if ".feedback/" not in source}

    def _entries(self) -> Iterator[dict[str, Any]]:
        for line in self._log.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # the last line may be incomplete
                yield json.loads(line)

    def end(self) -> None:
        """Kill it, and wait."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def steady_traffic(bootstrap: str, topic: str) -> Iterator[None]:
    """Send traces at a steady rate meanwhile, to all partitions in turn."""
    stop = threading.Event()
    values = list(traces(2_000, 1_800))

    def send() -> None:
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        number = 0
        while not stop.wait(1 / RECORDS_A_SECOND):
            value = values[number % len(values)]
            producer.produce(topic, value, partition=number % PARTITIONS)
            producer.poll(0)
            number += 1
        producer.flush()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def positions(lake: str, sources: Set[str]) -> dict[str, int]:
    """Return the next offset of each partition, by the table's log."""
    try:
        table = DeltaTable(f"{lake}/traces")
    except TableNotFoundError:
        return dict.fromkeys(sources, 0)
    return {source: table.transaction_version(source) or 0 for source in sources}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Poll until something holds; raise TimeoutError after a while."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(POLL_SECONDS)


def measure(kafka: Kafka, folder: Path, case: Case) -> float:
    """Return the seconds from the kill to the new commits."""
    topic = f"traces-{uuid.uuid4().hex[:8]}"
    kafka.create_topic(topic, PARTITIONS)
    kafka.create_topic(f"{topic}.feedback", PARTITIONS)
    shared = Job(kafka, topic, 0, folder).environment()
    lake, logs = shared["GOLDPAN_LAKE__URI"], Path(tempfile.mkdtemp(prefix="logs-", dir=folder))

    def start(number: int) -> Member:
        environment = {**shared, **case.environment(number)}
        return Member(environment, logs / f"{uuid.uuid4().hex}.log")

    workers = [start(0), start(1)]
    try:
        with steady_traffic(kafka.bootstrap, topic):
            half = PARTITIONS // 2
            wait_until(lambda: all(len(w.partitions()) == half for w in workers), "assignment")
            time.sleep(SETTLED_SECONDS)
            owned = workers[1].partitions()
            workers[1].end()
            killed, before = time.monotonic(), positions(lake, owned)
            if case.restarted:
                workers[1] = start(1)

            def committed() -> bool:
                after = positions(lake, owned)
                return all(after[source] > before[source] for source in owned)

            wait_until(committed, "a new commit")
            return time.monotonic() - killed
    finally:
        for worker in workers:
            worker.end()


@click.command()
@click.option("--rounds", type=COUNT, default=5, show_default=True)
@click.option("--protocol", type=click.Choice(["classic", "consumer"]), default="classic")
@click.option("--names", is_flag=True, help="Workers have names in the group.")
@click.option(
    "--session", type=float, default=45.0, show_default=True,
    help="Session time-out of the broker, for the protocol `consumer`.",
)  # fmt: skip
@click.option(
    "--only", type=click.Choice(["restarted", "gone"]), help="One of the two ways to go on."
)
def main(*, rounds: int, protocol: str, names: bool, session: float, only: str | None) -> None:
    """Kill one of two workers, and wait for the next commit of its partitions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    broker = {"group.consumer.session.timeout.ms": str(round(session * 1000))}
    kafka = make_kafka(prepare_kafka(), folder, broker).start()
    try:
        for way in (only,) if only else ("restarted", "gone"):
            case = Case(protocol, names, way == "restarted")
            times = [measure(kafka, folder, case) for _ in range(rounds)]
            click.echo(
                f"  {case!s:<40} median {statistics.median(times):5.1f} s, "
                f"{min(times):.1f} to {max(times):.1f} s in {rounds} rounds"
            )
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
