"""Labels while workers die, hand over and come back: one final label for each trace."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from stream.failpoints import FlushStep
from tests.faults.labelled import LabelScene
from tests.faults.scene import protocol_settings
from tests.kill_harness import KILLED
from tests.labels.kit import feedback, told, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3, Rule

LABEL_STEPS = (FlushStep.LABELS_WRITTEN, FlushStep.LABELS_COMMITTED, FlushStep.LABELS_PRODUCED)
BEFORE = tuple(
    s for s in FlushStep if s not in {*LABEL_STEPS, FlushStep.CLAIMED, FlushStep.AUDIT_COMMITTED}
)
LABEL_PUTS = (r"/labels/.*\.parquet", r"/labels/_delta_log/")
CLASSIC = protocol_settings("classic")


@pytest.fixture
def label_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> LabelScene:
    """Topics, a lake, and no worker yet."""
    return LabelScene(kafka, tmp_path / "lake", start_worker)


@pytest.mark.parametrize(
    ("step", "flush"),
    [(FlushStep.LABELS_COMMITTED, 1), (FlushStep.LABELS_PRODUCED, 1)]
    + [pytest.param(FlushStep.LABELS_WRITTEN, 1, marks=pytest.mark.chaos)]
    + [pytest.param(step, 3, marks=pytest.mark.chaos) for step in LABEL_STEPS]
    + [pytest.param(step, 3, marks=pytest.mark.chaos) for step in BEFORE],
)
def test_killed_at_a_step(label_scene: LabelScene, step: FlushStep, flush: int) -> None:
    """Whichever step was the last, the next worker decides and produces exactly what is missing."""
    label_scene.produce(100)
    worker = label_scene.start(stream__fail_at=f"{step}:{flush}")
    worker.wait_for_log("partitions_assigned")
    while worker.exit_code is None:
        label_scene.produce(20)
    assert worker.exit_code == KILLED, worker.tail()
    label_scene.produce(20)
    label_scene.catch_up()
    label_scene.assert_labelled()


def test_a_partition_moves_in_mid_window(label_scene: LabelScene) -> None:
    """What was said after the move meets the traces from before it, at another worker.

    Both partitions of a number are owned by the same worker all the time.
    """
    label_scene.more = {**label_scene.more, **CLASSIC}
    first = label_scene.start()
    label_scene.send([trace(f"trace-{i}", at=i) for i in range(40)])
    label_scene.produce(0)
    first.wait_until(label_scene.all_in, what="done with the traces")
    second = label_scene.start()
    moved = second.wait_for_log("join_rebuilt")
    assert len(moved["partitions"]) == 1
    assert moved["traces"] > 0
    label_scene.send([feedback(f"word-{i}", f"trace-{i}", at=i + 90) for i in range(40)])
    second.wait_until(label_scene.all_in, what="done with the feedback")
    second.sigterm()
    second.finish()
    label_scene.send([feedback(f"more-{i}", f"trace-{i}", at=i + 120) for i in range(40)])
    first.wait_until(label_scene.all_in, what="done with what was said last")
    first.sigterm()
    first.finish()
    label_scene.assert_labelled()
    for worker in (first, second):
        assert worker.logs("labels_left_to_batch") == []


def test_feedback_that_no_worker_can_join(label_scene: LabelScene) -> None:
    """Feedback 30 days late, and feedback on nothing, go to the lake; the batch job decides."""
    label_scene.more = {**label_scene.more, "labels__window_days": 1}
    old = [trace(f"old-{i}", at=0) for i in range(5)]
    label_scene.send(old)
    label_scene.catch_up()
    label_scene.send([trace(f"new-{i}", at=12 * 86_400 + i) for i in range(5)])
    label_scene.catch_up()
    label_scene.send([feedback(f"late-{i}", f"old-{i}", at=11 * 86_400) for i in range(5)])
    label_scene.send([feedback(f"lost-{i}", f"nobody-{i}", at=60) for i in range(5)])
    worker = label_scene.catch_up()
    assert worker.logs("join_rebuilt")
    counted = Counter[str]()
    for entry in worker.logs("join_passed_over"):
        counted.update({why: entry[why] for why in ("late_feedback", "unmatched")})
    assert counted["late_feedback"] + counted["unmatched"] == 5 + 5
    assert label_scene.written() == []
    decided = label_scene.reconcile()
    assert {f"old-{i}" for i in range(5)} <= decided.keys()
    assert {f"nobody-{i}" for i in range(5)} <= decided.keys()
    assert label_scene.reconcile() == decided


def test_topics_with_different_partitioners(label_scene: LabelScene) -> None:
    """The worker says so, once, and leaves the labels to the batch job, which gets them right."""
    label_scene.feedback_properties = {"partitioner": "consistent_random"}
    label_scene.produce(300)
    worker = label_scene.catch_up()
    assert len(worker.logs("labels_left_to_batch", why="keys")) == 1
    label_scene.assert_exactly_once()
    assert told(label_scene.reconcile()) == label_scene.expected()


@pytest.mark.chaos
def test_topics_of_unequal_size(label_scene: LabelScene) -> None:
    """The same where the numbers of partitions differ, as is known from the start."""
    label_scene.feedback_topic = label_scene.kafka.new_topic("feedback", 1)
    label_scene.produce(30)
    worker = label_scene.catch_up()
    assert len(worker.logs("labels_left_to_batch", why="partition counts")) == 1
    assert label_scene.written() == []
    assert told(label_scene.reconcile()) == label_scene.expected()


@pytest.mark.parametrize(
    "faults",
    [
        (Fault.ERROR_503, Fault.DROP_REPLY),
        pytest.param((Fault.CLOSE, Fault.STALL_REPLY), marks=pytest.mark.chaos),
        pytest.param((Fault.ERROR_500, Fault.ERROR_500_AFTER), marks=pytest.mark.chaos),
    ],
    ids=lambda faults: "-".join(fault.name.lower() for fault in faults),
)
def test_s3_refuses_and_lies(
    kafka: Kafka, s3: S3, faulty_s3: FaultyS3, start_worker: StartWorker, faults: tuple[Fault, ...]
) -> None:
    """A write to table `labels` that is refused, or done and denied, leaves each label once."""
    outside = s3.env(faulty_s3.endpoint)
    scene = LabelScene(kafka, s3.new_lake(), start_worker, outside=outside)
    worker = scene.start()
    worker.wait_for_log("partitions_assigned")
    for fault in faults:
        rules = [faulty_s3.inject(fault, "PUT", path, times=2, seconds=1) for path in LABEL_PUTS]
        scene.produce(40)
        worker.wait_until(partial(_all_done, rules), what=f"hit by {fault}")
        worker.wait_until(scene.all_in, what=f"done with {fault}")
    worker.sigterm()
    worker.finish()
    scene.outside = s3.env()  # who looks on does not go through the proxy
    scene.catch_up()
    scene.assert_labelled()


def _all_done(rules: list[Rule]) -> bool:
    return all(rule.done for rule in rules)
