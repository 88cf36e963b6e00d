"""A worker that begins at the end of the topics, and dies before its first flush."""

import signal

from stream.failpoints import Step
from tests.faults.scene import Scene


def test_the_next_worker_begins_where_the_first_one_did(scene: Scene) -> None:
    """What came between the start of the first worker and that of the next one is not lost."""
    scene.produce(50)
    scene.traces, scene.feedback = [], []
    scene.more = {"stream__start": "latest"}
    worker = scene.start(stream__fail_at=str(Step.SEALED))
    worker.wait_until(
        lambda: sum(len(one["positions"]) for one in worker.logs("partitions_assigned")) == 3
    )
    scene.produce(30)
    assert worker.wait() == -signal.SIGKILL, worker.tail()
    scene.produce(20)
    scene.catch_up()
    scene.assert_exactly_once()
