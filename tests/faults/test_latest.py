"""A worker that begins at the end of the topics: what comes later is read, wherever it comes."""

from stream.failpoints import FlushStep
from tests.faults.scene import Scene
from tests.faults.traffic import traces
from tests.kill_harness import KILLED
from tests.servers.topic_io import Record, produce


def on_partition(partition: int, count: int) -> list[Record]:
    """Return traces that go to one partition, whatever their keys."""
    return [one._replace(partition=partition) for one in traces(1000, count)]


def test_the_next_worker_begins_where_the_first_one_did(scene: Scene) -> None:
    """What came between the start of the first worker and that of the next one is not lost."""
    scene.produce(50)
    scene.traces, scene.feedback = [], []
    scene.more = {"stream__start": "latest"}
    worker = scene.start(stream__fail_at=str(FlushStep.SEALED))
    worker.wait_until(
        lambda: sum(len(one["positions"]) for one in worker.logs("partitions_assigned")) == 3
    )
    scene.produce(30)
    assert worker.wait() == KILLED, worker.tail()
    scene.produce(20)
    scene.catch_up()
    scene.assert_exactly_once()


def test_a_partition_that_is_added_is_read_from_its_first_record(scene: Scene) -> None:
    """Its records came before the worker knew of it, and after the worker had begun."""
    scene.produce(50)
    scene.traces, scene.feedback = [], []
    scene.more = {
        "stream__start": "latest",
        "kafka__properties": {"topic.metadata.refresh.interval.ms": 1000},
    }
    worker = scene.start()
    worker.wait_until(
        lambda: sum(len(one["positions"]) for one in worker.logs("partitions_assigned")) == 3
    )
    scene.produce(30)
    scene.kafka.add_partitions(scene.traces_topic, scene.partitions + 1)
    bootstrap, topic = scene.kafka.bootstrap, scene.traces_topic
    scene.traces += produce(bootstrap, topic, on_partition(scene.partitions, 5))
    worker.wait_until(scene.all_in, what="done with the new partition")
    worker.sigterm()
    worker.finish()
    scene.assert_exactly_once()
