"""What a running worker answers to an orchestrator and to Prometheus, in good and bad times."""

import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from schemas.record_batches import RecordKind
from stream.metrics import WORKER_METRICS, MetricKind, MetricSpec
from tests.edges.bad_records import good
from tests.make.records import encode_json
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import unique
from tests.servers.lake_reader import LakeReader
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3
from tests.servers.topic_io import Record
from tests.servers.worker import Worker, settings

TOPICS = {RecordKind.TRACE: "llm.traces", RecordKind.FEEDBACK: "llm.feedback"}


@dataclass
class Port:
    """The port of a worker."""

    number: int

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body; status 0 while nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.number}{path}", timeout=30) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def series(self, name: str, **labels: str) -> dict[str, float]:
        """Return the series of a metric that have these labels, by the text of their labels."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = {}
        for line in self.get("/metrics")[1].splitlines():
            match = re.fullmatch(r"goldpan_(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name and all(label in (match[2] or "") for label in wanted):
                found[match[2] or ""] = float(match[3])
        return found

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of those series."""
        return sum(self.series(name, **labels).values())


def _watch(ask: Callable[[], bool], worker: Worker, what: str, seconds: float = 120) -> None:
    def slowly() -> bool:
        time.sleep(0.1)
        return ask()

    worker.wait_until(slowly, seconds, what)


def _produce(mock: MockKafka, first: int, count: int) -> None:
    for kind, topic in TOPICS.items():
        numbers = range(first, first + count)
        records = [Record(b"%d" % i, encode_json(good(kind, i))) for i in numbers]
        mock.produce(topic, [*records, Record(b"bad", b"no record")])


@pytest.fixture
def worker_port() -> Port:
    """A port for a worker."""
    return Port(free_port())


def _begins_at_0(spec: MetricSpec) -> bool:
    """Return whether all label values of a counter are known, so that it is there at once."""
    return spec.kind is MetricKind.COUNTER and {"topic", "table", *spec.known_labels} >= set(
        spec.labels
    )


def test_ready_when_positions_are_taken(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker, worker_port: Port
) -> None:
    """Alive at once, ready only with partitions; what has had a reason to exist is counted."""
    _produce(mock_kafka, 0, 20)
    env = settings(mock_kafka, tmp_path / "lake", metrics__port=worker_port.number)
    worker = start_worker(env)
    answers: list[tuple[int, str]] = []

    def answered() -> bool:
        answers.append(worker_port.get("/livez"))
        return answers[-1][0] != 0

    _watch(answered, worker, "answering")
    assert answers[-1] == (200, "ok\n")
    status, told = worker_port.get("/readyz")
    # The embedded broker keeps the first member of a group waiting for three seconds.
    assert (status, "no partitions" in told) == (503, True), told
    assert re.fullmatch(r"[^\n]{10,200}\n", told), told
    assert worker_port.get("/elsewhere")[0] == 404
    _watch(lambda: worker_port.get("/readyz") == (200, "ok\n"), worker, "ready")
    assert worker_port.get("/livez") == (200, "ok\n")

    _watch(lambda: worker_port.total("records_total") == 42, worker, "counting all records")
    for topic in TOPICS.values():
        assert worker_port.total("records_total", topic=topic, outcome="stored") == 20
        assert worker_port.total("records_total", topic=topic, outcome="quarantined") == 1
        assert worker_port.total("freshness_seconds_count", topic=topic) == 20
        assert worker_port.total("freshness_seconds_bucket", topic=topic, le="+Inf") == 20
    _watch(lambda: worker_port.total("partitions_owned") == 8, worker, "owning all partitions")
    _watch(lambda: worker_port.total("lag_records") == 0, worker, "without lag")
    assert worker_port.total("lag_seconds") == 0
    _watch(lambda: worker_port.total("position") == 42, worker, "showing its positions")

    # Tests run from a source tree, which is never compiled.
    assert len(worker_port.series("build_info", build="pure")) == 1
    assert worker.wait_for_log("worker_started")["build"] == "pure"

    shown = worker_port.get("/metrics")[1]
    without_reason = {"goldpan_lost_offsets_total", "goldpan_retries_total", "goldpan_paused"}
    without_reason |= {"goldpan_findings_total"}  # none is found in these
    without_reason |= {
        spec.name for spec in WORKER_METRICS if spec.name.startswith("goldpan_commits_")
    }
    without_reason -= {spec.name for spec in WORKER_METRICS if _begins_at_0(spec)}
    for spec in WORKER_METRICS:
        assert f"# TYPE {spec.name} {spec.kind}" in shown, spec.name
        first = f"{spec.name}_count" if spec.kind is MetricKind.HISTOGRAM else spec.name
        there = re.search(rf"^{first}(\{{| )", shown, re.MULTILINE) is not None
        assert there != (spec.name in without_reason), spec.name
    worker.sigterm()
    worker.finish()
    assert worker_port.get("/livez")[0] == 0


@pytest.mark.chaos
def test_brokers_that_do_not_answer_are_told(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker, worker_port: Port
) -> None:
    """An idle worker is not well because nothing comes: it asks, and hides what it cannot know."""
    _produce(mock_kafka, 0, 10)
    worker = start_worker(settings(mock_kafka, tmp_path / "lake", metrics__port=worker_port.number))
    _watch(lambda: worker_port.total("records_total") == 22, worker, "with the records in")
    _watch(lambda: worker_port.get("/readyz")[0] == 200, worker, "ready")
    _watch(lambda: len(worker_port.series("lag_records")) > 0, worker, "showing its lag")
    assert worker_port.total("kafka_silent_seconds") < 30

    mock_kafka.close()
    _watch(lambda: worker_port.get("/readyz")[0] == 503, worker, "not ready", 60)
    # Before it knows that, the client has given up its partitions: its session ends earlier.
    _watch(
        lambda: "no Kafka broker has answered" in worker_port.get("/readyz")[1],
        worker,
        "saying why",
        60,
    )
    _watch(
        lambda: worker_port.series("lag_records") == worker_port.series("lag_seconds") == {},
        worker,
        "no lag",
    )
    _watch(lambda: worker_port.total("kafka_silent_seconds") > 30, worker, "showing the silence")
    assert worker_port.total("ready") == 0
    assert worker_port.get("/livez")[0] == 200
    worker.sigterm()
    worker.finish()


def test_a_lake_that_does_not_answer_is_told(
    mock_kafka: MockKafka, faulty_s3: FaultyS3, s3: S3, start_worker: StartWorker, worker_port: Port
) -> None:
    """Not ready, with a sentence and a growing lag, while the lake is stuck; then all is well."""
    env = {
        **settings(
            mock_kafka,
            s3.new_lake(),
            metrics__port=worker_port.number,
            kafka__group_id=unique("stuck"),
            stream__flush_seconds=0.5,
        ),
        **s3.env(faulty_s3.endpoint),
    }
    _produce(mock_kafka, 0, 10)
    worker = start_worker(env)
    _watch(lambda: worker_port.total("records_total") == 22, worker, "with the first records in")
    _watch(lambda: worker_port.get("/readyz")[0] == 200, worker, "ready")

    faulty_s3.inject(Fault.ERROR_503, "PUT", r".", times=None)
    _produce(mock_kafka, 10, 10)
    _watch(lambda: worker_port.get("/readyz")[0] == 503, worker, "not ready")
    told = worker_port.get("/readyz")[1]
    assert "retried" in told, told
    assert worker_port.get("/livez")[0] == 200
    _watch(lambda: worker_port.total("lag_records") == 22, worker, "behind by all new records")
    before = max(worker_port.series("lag_seconds").values())
    _watch(
        lambda: max(worker_port.series("lag_seconds").values()) >= before + 3,
        worker,
        "falling behind",
    )
    _watch(lambda: worker_port.total("ready") == 0, worker, "saying that it is not ready")
    assert worker_port.total("retries_total") > 0
    assert worker_port.total("records_total") == 22

    faulty_s3.clear()
    _watch(lambda: worker_port.total("records_total") == 44, worker, "with all records in")
    _watch(lambda: worker_port.get("/readyz")[0] == 200, worker, "ready again")
    _watch(lambda: worker_port.total("lag_seconds") == 0, worker, "without lag")
    assert worker_port.total("lag_records") == 0
    for topic in TOPICS.values():
        stored = worker_port.total("records_total", topic=topic, outcome="stored")
        assert stored == worker_port.total("freshness_seconds_count", topic=topic) == 20
    worker.sigterm()
    worker.finish()
    assert LakeReader(env).verify().returncode == 0
