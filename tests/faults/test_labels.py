"""Labels while workers die, hand over and come back: one final label for each trace."""

import signal
from pathlib import Path

import pytest

from stream.failpoints import Step
from tests.faults.labelled import LabelScene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka

LABEL_STEPS = (Step.LABELS_WRITTEN, Step.LABELS_COMMITTED, Step.LABELS_PRODUCED)
BEFORE = tuple(s for s in Step if s not in {*LABEL_STEPS, Step.CLAIMED, Step.AUDIT_COMMITTED})


@pytest.fixture
def label_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> LabelScene:
    """Topics, a lake, and no worker yet."""
    return LabelScene(kafka, tmp_path / "lake", start_worker)


@pytest.mark.parametrize(
    ("step", "flush"),
    [(step, 1) for step in LABEL_STEPS]
    + [pytest.param(step, 3, marks=pytest.mark.chaos) for step in LABEL_STEPS]
    + [pytest.param(step, 3, marks=pytest.mark.chaos) for step in BEFORE],
)
def test_killed_at_a_step(label_scene: LabelScene, step: Step, flush: int) -> None:
    """Whichever step was the last, the next worker decides and produces exactly what is missing."""
    label_scene.produce(100)
    worker = label_scene.start(stream__fail_at=f"{step}:{flush}")
    worker.wait_for_log("partitions_assigned")
    while worker.exit_code is None:
        label_scene.produce(20)
    assert worker.exit_code == -signal.SIGKILL, worker.tail()
    label_scene.produce(20)
    label_scene.catch_up()
    label_scene.assert_labelled()
