"""A rolling deploy: workers of the version before and of this one share a lake and a group."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.make.records import encode_json, feedback, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.topic_io import Record, produce
from tests.servers.worker import run_goldpan, settings

BEFORE = "8b53208"
"""The last commit of 0.1.0's names, rooms and commits."""


@pytest.fixture(scope="module")
def version_before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment that runs goldpan of before."""
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"running the version before needs the commit {BEFORE} in the repository")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def _produce(kafka: Kafka, topics: tuple[str, str], first: int, count: int) -> None:
    numbers = range(first, first + count)
    traces = [Record(b"%d" % i, encode_json(trace(i))) for i in numbers]
    thumbs = [Record(b"%d" % i, encode_json(feedback(i))) for i in numbers]
    for topic, records in zip(topics, (traces, thumbs), strict=True):
        produce(kafka.bootstrap, topic, [*records, Record(b"bad", b"no record")])


@pytest.mark.chaos
@pytest.mark.kafka
def test_old_and_new_workers_side_by_side_lose_and_double_nothing(
    kafka: Kafka, start_worker: StartWorker, tmp_path: Path, version_before: dict[str, str]
) -> None:
    """Both versions in one group, each killed once, then the old one ends for good.

    What the old version wrote verifies under the new one, and the other way round.
    """
    topics = unique("traces"), unique("feedback")
    for topic in topics:
        kafka.create_topic(topic, partitions=4)
    new = settings(
        kafka, tmp_path / "lake",
        kafka__group_id=unique("rolling"), kafka__traces_topic=topics[0],
        kafka__feedback_topic=topics[1], redact__policy="strict",
        kafka__properties={"session.timeout.ms": 6000},
    )  # fmt: skip
    old = new | version_before
    _produce(kafka, topics, 0, 200)
    first = start_worker(old, name="old")
    first.wait_for_log("flush_committed")
    second = start_worker(new, name="new")
    second.wait_for_log("worker_started")
    _produce(kafka, topics, 200, 200)
    second.wait_for_log("flush_committed")
    first.sigkill()
    first.wait()
    _produce(kafka, topics, 400, 200)
    third = start_worker(old, name="old-again")
    third.wait_for_log("worker_started")
    second.sigkill()
    second.wait()
    _produce(kafka, topics, 600, 200)
    fourth = start_worker(new, name="new-again")
    fourth.wait_for_log("worker_started")
    _produce(kafka, topics, 800, 200)
    third.sigterm()
    third.finish()
    fourth.sigterm()
    fourth.finish()
    start_worker(new, "--until-caught-up", name="last").finish()
    for environment in (new, old):
        proof = run_goldpan(environment, "lake", "verify", "--deep", "--kafka", "--json")
        assert proof.returncode == 0, proof.stdout + proof.stderr
    tables = json.loads(run_goldpan(new, "lake", "tables", "--json").stdout)["tables"]
    rows = {table["name"]: table["rows"] for table in tables}
    assert (rows["traces"], rows["feedback"], rows["quarantine"]) == (1_000, 1_000, 10)
