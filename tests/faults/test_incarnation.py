"""A topic that is not the one that was read before: nothing of it is written until told so."""

import json
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.faults.traffic import traces
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.topic_io import Coordinate, produce
from tests.servers.worker import Worker, call_goldpan
from tests.short_versions import short

ADOPT = "goldpan stream adopt --topic"
SETTLE_SECONDS = 1.0


def recreate(scene: Scene) -> list[Coordinate]:
    """Delete the topic of traces and make it again; give what the old one held."""
    scene.kafka.delete_topic(scene.traces_topic)
    scene.kafka.create_topic(scene.traces_topic, scene.partitions)
    old, scene.traces = scene.traces, []
    return old


def adopt(scene: Scene, *more: str, **settings: object) -> None:
    """Say that the topic that is there now is the right one."""
    command = ["stream", "adopt", "--topic", scene.traces_topic, "--yes", "--json", *more]
    done = call_goldpan(scene.env(**settings), *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(json.loads(done.stdout)["moved"]) == scene.partitions


def assert_refused(worker: Worker, says: str) -> None:
    """The worker ended, and its last line is a sentence that says what to do."""
    assert worker.wait() == 3, worker.tail()
    sentence = worker.log_text().splitlines()[-1]
    assert sentence.startswith("goldpan: "), worker.tail()
    assert says in sentence
    assert "Traceback" not in worker.log_text()


def in_lake(scene: Scene) -> Counter[tuple[int, int]]:
    """How often each coordinate of the topic of traces is in the lake."""
    witness, topic = scene.witness, scene.traces_topic
    return witness.places("traces", topic) + witness.places("quarantine", topic)


def assert_both(scene: Scene, old: list[Coordinate]) -> None:
    """Every record of either incarnation is once in the lake; they may share coordinates.

    Traces have ids, of which none is there twice; ``lake verify`` says the same.
    """
    assert in_lake(scene) == Counter(old) + Counter(scene.traces)
    rows = scene.witness.rows("traces", ["_topic", "trace_id"]).to_pylist()
    ids = Counter(row["trace_id"] for row in rows)
    assert set(ids.values()) == {1}
    assert scene.witness.problems() == []
    scene.witness.assert_exactly_once(scene.feedback_topic, scene.feedback, table="feedback")


@pytest.mark.parametrize("count", short([20, 300], [20]))
def test_made_again_while_no_worker_ran(scene: Scene, count: int) -> None:
    """It stops and says so, whatever the new topic's length; once adopted, all of it comes."""
    scene.produce(100)
    scene.catch_up()
    old = recreate(scene)
    scene.produce(count)
    assert_refused(scene.start("--until-caught-up"), f"{ADOPT} {scene.traces_topic}")
    assert in_lake(scene) == Counter(old)
    adopt(scene)
    scene.catch_up()
    scene.produce(30)
    scene.catch_up()
    assert_both(scene, old)


@pytest.mark.parametrize(
    ("count", "protocol"),
    [
        pytest.param(20, "classic", id="shorter, classic"),
        pytest.param(300, "consumer", id="longer, consumer", marks=pytest.mark.chaos),
        pytest.param(20, "consumer", id="shorter, consumer", marks=pytest.mark.chaos),
        pytest.param(300, "classic", id="longer, classic", marks=pytest.mark.chaos),
    ],
)
def test_made_again_while_a_worker_runs(scene: Scene, count: int, protocol: str) -> None:
    """A worker that was not looking finds out before it writes anything of the new topic."""
    scene.produce(100)
    worker = scene.start(kafka__group_protocol=protocol)
    worker.wait_until(scene.all_in, what="done")
    worker.sigstop()
    time.sleep(SETTLE_SECONDS)
    old = recreate(scene)
    scene.produce(count)
    worker.sigcont()
    assert_refused(worker, scene.traces_topic)
    assert in_lake(scene) == Counter(old)
    assert_refused(scene.start("--until-caught-up"), f"{ADOPT} {scene.traces_topic}")
    adopt(scene)
    scene.catch_up()
    assert_both(scene, old)


def test_made_again_and_only_the_end_wanted(scene: Scene) -> None:
    """Adopted from its end, only what comes later is taken."""
    scene.produce(60)
    scene.catch_up()
    old = recreate(scene)
    scene.produce(50)
    adopt(scene, "--from", "latest")
    scene.traces = []
    scene.produce(40)
    scene.catch_up()
    assert_both(scene, old)


@pytest.mark.parametrize(
    "empty_for", ["classic", pytest.param("consumer", marks=pytest.mark.chaos)]
)
def test_another_cluster(scene: Scene, other_kafka: Kafka, empty_for: str) -> None:
    """Another cluster that has topics of the same names is refused, and nothing is written.

    First its topics are empty, for a worker of one group protocol; then they hold more than the
    known ones, for a worker of the other.
    """
    scene.produce(50)
    scene.catch_up()
    other_kafka.create_topic(scene.traces_topic, scene.partitions)
    other_kafka.create_topic(scene.feedback_topic, 1)
    full_for = {"classic": "consumer", "consumer": "classic"}[empty_for]
    for count, protocol in ((0, empty_for), (100, full_for)):
        produce(other_kafka.bootstrap, scene.traces_topic, traces(0, count))
        worker = scene.start(
            "--until-caught-up",
            kafka__bootstrap_servers=other_kafka.bootstrap,
            kafka__group_protocol=protocol,
        )
        assert_refused(worker, ADOPT)
    scene.produce(50)
    scene.catch_up()
    scene.assert_exactly_once()


def test_restored_from_a_backup(
    other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """A position beyond the end of the topic, as after a restore, stops the worker."""
    scene = Scene(other_kafka, tmp_path / "lake", start_worker)
    data = other_kafka.node.data
    if data is None:
        pytest.skip("the broker's files are in a container")
    scene.produce(50)
    other_kafka.stop()
    shutil.copytree(data, tmp_path / "backup")
    other_kafka.start()
    before = list(scene.traces)
    scene.produce(50)
    scene.catch_up()
    other_kafka.stop()
    shutil.rmtree(data)
    shutil.move(tmp_path / "backup", data)
    other_kafka.start()
    assert len(before) < len(scene.traces)
    assert_refused(scene.start("--until-caught-up"), ADOPT)
    scene.assert_exactly_once()


@pytest.mark.chaos
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_log_that_was_cut_and_filled_again(
    other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker, protocol: str
) -> None:
    """A disk is restored, and new records pass the position before a worker comes: it stops."""
    more = {"kafka__group_protocol": protocol}
    scene = Scene(other_kafka, tmp_path / "lake", start_worker, partitions=1, more=more)
    data = other_kafka.node.data
    if data is None:
        pytest.skip("the broker's files are in a container")
    log = data / f"{scene.traces_topic}-0"
    scene.produce(60)
    other_kafka.stop()
    shutil.copytree(log, tmp_path / "backup")
    other_kafka.start()
    before = list(scene.traces)
    scene.produce(40)
    scene.catch_up()
    scene.catch_up()  # the same log goes on being the same
    lost = list(scene.traces)
    other_kafka.stop()
    shutil.rmtree(log)
    shutil.move(tmp_path / "backup", log)
    other_kafka.start()
    scene.produce(90)
    assert_refused(scene.start("--until-caught-up"), f"{ADOPT} {scene.traces_topic}")
    assert len(before) < len(lost) < len(scene.traces)
    assert in_lake(scene) == Counter(lost)
    adopt(scene, "--from", "latest")
    scene.produce(10)
    scene.catch_up()
    assert scene.witness.problems() == []
