"""A real Prometheus scrapes a real worker: alerts fire and clear, and every panel has data."""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from deploy.observability.panels import DASHBOARDS
from tests.architecture.source import ROOT
from tests.deploy.kustomize import containers, named
from tests.deploy.prometheus import Prometheus
from tests.deploy.promql import metrics
from tests.deploy.test_commands import calls
from tests.deploy.test_dashboards import queries
from tests.make.records import encode_json, feedback, trace
from tests.servers.fixtures import StartWorker, missing
from tests.servers.kafka import unique
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3
from tests.servers.topic_io import Record
from tests.servers.unavailable import ServerUnavailableError
from tests.servers.worker import Worker, call_goldpan, settings

TRACES, FEEDBACK = "llm.traces", "llm.feedback"
RULES = ROOT / "deploy" / "observability" / "rules.yaml"

DAY_US = 86_400_000_000
SPEC = """
name: all
window: {from: 2000-01-01, to: 2099-01-01}
size: 10
redaction_policies: any
labels: {accept: [pass, fail, unknown, none]}
"""

RARE = {"goldpan_lost_offsets_total", "goldpan_paused", "goldpan_review_agreement"}
"""Metrics without a series before the rare event that they count."""


def hurried(rules: str) -> str:
    """The same rules on a clock sixty times as fast: minutes are seconds, hours are minutes."""
    slower = {"m": "s", "h": "m"}
    pattern = r"(?<=\[)(\d+)([mh])(?=\])|(?<=for: )(\d+)([mh])|(?<=offset )(\d+)([mh])"

    def shorter(match: re.Match[str]) -> str:
        number, unit = (part for part in match.groups() if part)
        return f"{number}{slower[unit]}"

    return re.sub(pattern, shorter, rules.replace("[3d]", "[72h]"))


@dataclass
class Watched:
    """A worker between an embedded broker and a breakable S3, and what scrapes it."""

    worker: Worker
    kafka: MockKafka
    s3: FaultyS3
    prometheus: Prometheus
    queue: Path
    env: dict[str, str]
    produced: int = 0

    def build_a_release(self, folder: Path) -> None:
        """Build one from what is in the lake."""
        (folder / "spec.yaml").write_text(SPEC)
        self.run("release", "build", str(folder / "spec.yaml"))

    def run_the_job_of_drift(self) -> None:
        """Run the command of its manifest."""
        (container,) = (c for name, c in containers("local") if "goldpan-drift" in name)
        self.run(*container["args"])

    def tell_of_queue_and_lake(self) -> None:
        """Write the state of the queue and of the lake where the manifests' commands write it."""
        (container,) = (
            c for _, c in containers("local") if c.get("command", [""])[0] == "sh" and calls(c)
        )
        for *command, file in calls(container):
            self.run(*command, str(self.queue / Path(file).name))

    def run(self, *command: str) -> None:
        """Run a command of goldpan on the lake of the worker."""
        done = call_goldpan(self.env, *command)
        assert done.returncode == 0, done.stderr

    def produce_weeks(self) -> None:
        """Put some traces of each of the last 36 days on their topic."""
        now = int(time.time() * 1_000_000)
        times = [now - day * DAY_US for day in range(1, 37) for _ in range(3)]
        records = [trace(20_000 + i) | {"started_at": at} for i, at in enumerate(times)]
        self.kafka.produce(
            TRACES, [Record(b"%d" % i, encode_json(r)) for i, r in enumerate(records)]
        )

    def produce(self, count: int) -> None:
        """Put that many more records on each topic, and a record that is none."""
        numbers = range(self.produced, self.produced + count)
        self.produced += count
        for topic, make in ((TRACES, trace), (FEEDBACK, feedback)):
            records = [Record(b"%d" % i, encode_json(make(i))) for i in numbers]
            self.kafka.produce(topic, [*records, Record(b"bad", b"no record")])

    def until(self, holds: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds; produce a little in the meantime."""

        def looked() -> bool:
            time.sleep(0.5)
            self.produce(1)
            return bool(holds())

        self.worker.wait_until(looked, 120, what)

    def value(self, expression: str) -> float:
        """Return the sum of an expression's series, 0 if there is none."""
        return sum(value for _, value in self.prometheus.query(expression))


@pytest.fixture
def watched(
    mock_kafka: MockKafka,
    s3: S3,
    faulty_s3: FaultyS3,
    start_worker: StartWorker,
    tmp_path: Path,
) -> Iterator[Watched]:
    """All of them, started."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(hurried(RULES.read_text(encoding="utf-8")))
    port, queue_port, queue = free_port(), free_port(), tmp_path / "queue"
    queue.mkdir()
    server = ChildProcess(_queue_server(queue_port, queue), out=tmp_path / "server.log")
    server.start()
    at_queue = f"127.0.0.1:{queue_port}"
    targets = {"/metrics": f"127.0.0.1:{port}", "/metrics.txt": at_queue, "/lake.txt": at_queue}
    try:
        prometheus = Prometheus(tmp_path, targets, rules)
    except ServerUnavailableError as why:
        missing("prometheus", why)
    env = settings(
        mock_kafka,
        s3.new_lake(),
        kafka__group_id=unique("watched"),
        metrics__port=port,
        redact__policy="strict",
        labels__topic="llm.labels",
        stream__flush_seconds=0.5,
    )
    try:
        worker = start_worker({**env, **s3.env(faulty_s3.endpoint)})
        direct = {**env, **s3.env()}
        yield Watched(worker, mock_kafka, faulty_s3, prometheus.start(), queue, direct)
    finally:
        prometheus.close()
        server.kill()


def _queue_server(port: int, folder: Path) -> list[str]:
    """The command of the manifests that serves the state of the queue, for another folder."""
    pod = named("local", "Deployment", "goldpan-queue")["spec"]["template"]["spec"]
    (command,) = (c["command"] for c in pod["containers"] if c["name"] == "server")
    assert command[:3] == ["python", "-m", "http.server"]
    changed = {"9109": str(port), "/srv/metrics": str(folder)}
    here = [changed.get(word, word) for word in command[1:]]
    return [sys.executable, *here, "--bind", "127.0.0.1"]


def _stalled(watched: Watched) -> set[tuple[str, str]]:
    firing = watched.prometheus.firing("GoldpanPartitionStalled")
    return {(labels["topic"], labels["namespace"]) for labels in firing}


def test_an_alert_fires_for_a_stalled_partition_and_clears(
    watched: Watched, tmp_path: Path
) -> None:
    """The traces cannot be committed: their partitions fire; they can again: nothing does.

    Meanwhile everything has happened that the dashboards show, so each of their queries has data.
    """
    watched.until(lambda: watched.value("sum(goldpan_records_total)") > 0, "committing")
    watched.until(lambda: watched.value("goldpan_ready") == 1, "ready")
    assert watched.prometheus.firing("GoldpanPartitionStalled") == []
    assert watched.prometheus.firing("GoldpanRedactionOff") == []

    watched.s3.inject(Fault.ERROR_503, "PUT", r"/traces/", times=None)
    watched.until(lambda: (TRACES, "goldpan") in _stalled(watched), "seen as stalled")
    lag = f'max(goldpan:lag_seconds:max{{topic="{TRACES}"}})'
    watched.until(lambda: watched.value(lag) > 5, "seen as behind")

    watched.s3.clear()
    watched.s3.inject(Fault.DROP_REPLY, "PUT", r"/traces/_delta_log/.*\.json")
    watched.until(lambda: not _stalled(watched), "going on")
    watched.until(
        lambda: watched.value("sum(goldpan_commits_settled_total)") > 0, "settling a commit"
    )

    personal = trace(10_000) | {"trace_id": "mail of bob.miller@example.com"}
    watched.kafka.produce(TRACES, [Record(b"k", encode_json(personal))])
    reason = 'goldpan_quarantined_total{reason="personal_id"}'
    watched.until(lambda: watched.value(reason) > 0, "setting aside what is still personal")

    watched.produce_weeks()
    stored = f'goldpan_records_total{{topic="{TRACES}", outcome="stored"}}'
    enough = watched.value(stored) + 108
    watched.until(lambda: watched.value(stored) >= enough, "done with five weeks")
    watched.build_a_release(tmp_path)
    watched.run_the_job_of_drift()
    watched.tell_of_queue_and_lake()
    assert watched.prometheus.broken_rules() == []
    watched.until(lambda: not _without_data(watched), "with data for all panels")
    assert _broken_queries(watched) == []
    assert watched.prometheus.query(_scaling_query()) != []
    watched.worker.sigterm()
    watched.worker.finish()


def _scaling_query() -> str:
    """What KEDA asks for."""
    triggers = named("aws", "ScaledObject", "goldpan-worker")["spec"]["triggers"]
    (query,) = (t["metadata"]["query"] for t in triggers if t["type"] == "prometheus")
    return str(query)


def _asked(expression: str) -> str:
    """An expression as Grafana sends it, with its variables filled in."""
    for variable in ("$namespace", "$topic"):
        expression = expression.replace(variable, ".*")
    return expression.replace("$__rate_interval", "1m")


def _without_data(watched: Watched) -> list[str]:
    """The panels whose query gives no series, or none that is a number."""
    return [
        f"{dashboard.title}: {title}"
        for dashboard in DASHBOARDS
        for title, expression in queries(dashboard)
        if not metrics(expression) & RARE
        and not [v for _, v in watched.prometheus.query(_asked(expression)) if not isnan(v)]
    ]


def _broken_queries(watched: Watched) -> list[str]:
    """The queries on runbook pages that Prometheus refuses."""
    broken = []
    for page in sorted((ROOT / "docs" / "runbooks").glob("Goldpan*.md")):
        blocks = re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for line in (line for block in blocks for line in block.splitlines()):
            try:
                watched.prometheus.query(line)
            except OSError:
                broken.append(f"{page.name}: {line}")
    return broken
