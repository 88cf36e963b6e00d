"""Records that Kafka deletes before they are read: a clear end, or a gap that is on record."""

import json
import time

import pytest

from tests.faults.scene import Scene
from tests.servers.topic_io import Coordinate
from tests.servers.worker import Worker, call_goldpan

SETTING = "GOLDPAN_STREAM__ON_LOST_OFFSETS=skip"
SETTLE_SECONDS = 1.0
"""After this a fetch that was under way when the worker was stopped has been answered."""


def delete(scene: Scene, keep: int) -> set[Coordinate]:
    """Delete all but the last ``keep`` records of each partition of traces, as retention does."""
    gone: set[Coordinate] = set()
    for partition, (_, high) in scene.kafka.watermarks(scene.traces_topic).items():
        first = scene.kafka.delete_records(scene.traces_topic, partition, max(0, high - keep))
        gone |= {c for c in scene.traces if c.partition == partition and c.offset < first}
    return gone


def assert_only_lost(scene: Scene, gone: set[Coordinate]) -> None:
    """What was deleted and is not in the lake is what the ledger says was skipped; all else is."""
    witness, topic = scene.witness, scene.traces_topic
    there = set(witness.places("traces", topic)) | set(witness.places("quarantine", topic))
    lost = gone - there
    assert lost, "everything had been read before it was deleted"
    assert witness.skipped(topic) == len(lost)
    scene.traces = [place for place in scene.traces if place not in lost]
    scene.assert_exactly_once()


def assert_refused(scene: Scene, worker: Worker) -> None:
    """The worker ended with the sentence that names the setting."""
    assert worker.wait() == 3, worker.tail()
    sentence = worker.log_text().splitlines()[-1]
    assert sentence.startswith("goldpan: "), worker.tail()
    assert SETTING in sentence
    assert scene.traces_topic in sentence
    assert "Traceback" not in worker.log_text()


@pytest.mark.parametrize("keep", [30, 0], ids=["some are left", "none is left"])
def test_deleted_while_no_worker_ran(scene: Scene, keep: int) -> None:
    """It stops and names the setting; with it, it goes on and the gap is in log and ledger."""
    scene.produce(50)
    scene.catch_up()
    scene.produce(200)
    gone = delete(scene, keep)
    assert_refused(scene, scene.start("--until-caught-up"))
    proof = call_goldpan(scene.env(), "lake", "verify", "--kafka", "--json")
    lost = {one["topic"]: one["lost"] for one in json.loads(proof.stdout)["kafka"] if one["lost"]}
    assert (proof.returncode, set(lost)) == (1, {scene.traces_topic})
    worker = scene.catch_up(stream__on_lost_offsets="skip")
    assert len(worker.logs("offsets_lost")) == scene.partitions
    scene.produce(20)
    scene.catch_up()
    assert_only_lost(scene, gone)


@pytest.mark.parametrize("rule", ["fail", "skip"])
def test_deleted_while_a_worker_runs(scene: Scene, rule: str) -> None:
    """A worker that falls behind what is deleted does the same, without being started again."""
    scene.produce(50)
    worker = scene.start(stream__on_lost_offsets=rule)
    worker.wait_until(scene.all_in, what="done")
    worker.sigstop()
    time.sleep(SETTLE_SECONDS)
    scene.produce(200)
    gone = delete(scene, keep=30)
    worker.sigcont()
    if rule == "fail":
        assert_refused(scene, worker)
        scene.catch_up(stream__on_lost_offsets="skip")
    else:
        worker.wait_for_log("offsets_lost")
        worker.wait_until(scene.all_in, what="done with what is left")
        scene.produce(20)
        worker.wait_until(scene.all_in, what="done with what came then")
        worker.sigterm()
        worker.finish()
    assert_only_lost(scene, gone)
