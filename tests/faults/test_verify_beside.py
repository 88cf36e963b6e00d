"""`lake verify` beside a worker that commits, compaction, vacuum and the batch job of labels."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from goldpan.audit_rules import load_audit_rules
from lake.verify import verify_lake
from lake.verify_files import DeepOptions
from tests.faults.labelled import LabelScene
from tests.lake.kit import patience
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import run_goldpan
from tests.tampering.scene import open_lake

RUNS = 100
MOST_RUNS = 20 * RUNS


@pytest.mark.chaos
def test_no_false_alarm(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> None:
    """A hundred proofs, every other one deep, while everything moves: none finds anything."""
    more = {"redact__policy": "strict", "stream__flush_seconds": 0.5}
    scene = LabelScene(kafka, tmp_path / "lake", start_worker, more=more)
    scene.produce(60)
    scene.catch_up()
    worker = scene.start()
    stop, failed = threading.Event(), list[str]()

    def produce() -> None:
        scene.produce(15)
        stop.wait(0.2)

    def upkeep() -> None:
        for command in (
            ("lake", "compact", "--settled-days", "0"),
            ("lake", "vacuum", "--keep-hours", "1"),
            ("labels", "reconcile"),
        ):
            done = run_goldpan(scene.env(), *command)
            if done.returncode:
                failed.append(f"{command}: {done.stderr}")

    def version() -> int:
        return open_lake(tmp_path / "lake").table("traces").handle.version()

    threads, begun = [_again(produce, stop), _again(upkeep, stop)], version()
    versions: list[int] = []
    try:
        worker.wait_until(lambda: version() > begun)
        for number in range(MOST_RUNS):  # enough of them, and over enough commits
            if number >= RUNS and len(set(versions)) > RUNS // 10:
                break
            lake = open_lake(tmp_path / "lake")
            how = DeepOptions(audit=load_audit_rules(lake, ()))
            report = verify_lake(lake, deep=number % 2 == 0, options=how, retry=patience())
            assert report.problems == [], f"run {number}"
            assert report.unfinished is None
            versions.append(report.versions["traces"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []
    assert versions == sorted(versions)
    assert len(set(versions)) > RUNS // 10
    worker.sigterm()
    worker.finish()


def _again(step: Callable[[], None], stop: threading.Event) -> threading.Thread:
    """Take a step over and over, on a thread of its own."""

    def work() -> None:
        while not stop.is_set():
            step()

    thread = threading.Thread(target=work)
    thread.start()
    return thread
