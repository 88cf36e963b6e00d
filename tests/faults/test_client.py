"""What Kafka's client reports beside the messages: it ends, or loses a broker while logging in."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene
from tests.faults.traffic import traces
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, make_kafka, unique
from tests.servers.lake_reader import LakeReader
from tests.servers.ports import free_port
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.topic_io import produce
from tests.servers.worker import settings

NAME = "worker-1"


@pytest.mark.chaos
def test_a_member_that_the_group_has_not_let_go_of_yet(
    other_kafka: Kafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """Who comes under the name of one that is still there waits until that one's session ends."""
    scene = Scene(other_kafka, tmp_path / "lake", start_worker)
    scene.more = {"kafka__group_protocol": "consumer", "kafka__group_instance_id": NAME}
    scene.produce(20)
    first = scene.start()
    first.wait_until(scene.all_in)
    second = scene.start()
    second.wait_for_log("kafka_client_ended")
    first.sigkill()
    scene.produce(20)
    second.wait_until(scene.all_in)
    second.sigterm()
    second.finish()
    scene.assert_exactly_once()


def test_two_members_of_one_name(scene: Scene) -> None:
    """The first is put out by the second: it ends with one sentence, and does not live on."""
    scene.more = {"kafka__group_protocol": "classic", "kafka__group_instance_id": NAME}
    scene.produce(20)
    first = scene.start()
    first.wait_until(scene.all_in)
    second = scene.start()
    assert first.wait() == 3, first.tail()
    assert "needs its own GOLDPAN_KAFKA__GROUP_INSTANCE_ID" in first.log_text()
    scene.produce(20)
    second.wait_until(scene.all_in)
    second.sigterm()
    second.finish()
    scene.assert_exactly_once()


LOGIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="broker" password="b" user_broker="b" user_alice="right";'
)


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """A way to a broker."""
    with TcpProxy() as one:
        yield one


@pytest.fixture
def behind(
    proxy: TcpProxy, kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kafka]:
    """A broker with a port for those who log in, which they reach through the proxy only."""
    if kafka_parts is None:
        pytest.skip("a second listener needs a Kafka from Maven's jars")
    folder = tmp_path_factory.mktemp("behind")
    broker = make_kafka(kafka_parts, folder, {})
    config = folder / "server.properties"
    lines = dict(line.split("=", 1) for line in config.read_text().splitlines())
    proxy.target = free_port()
    lines["listeners"] += f",SASL_PLAINTEXT://127.0.0.1:{proxy.target}"
    lines["advertised.listeners"] += f",SASL_PLAINTEXT://127.0.0.1:{proxy.port}"
    lines["listener.security.protocol.map"] += ",SASL_PLAINTEXT:SASL_PLAINTEXT"
    lines["sasl.enabled.mechanisms"] = "PLAIN"
    lines["listener.name.sasl_plaintext.plain.sasl.jaas.config"] = LOGIN
    config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.mark.chaos
def test_a_broker_that_goes_away_while_clients_log_in(
    behind: Kafka, proxy: TcpProxy, tmp_path: Path, start_worker: StartWorker
) -> None:
    """It has not refused anybody: the worker waits, and stores what it holds when all is well."""
    traces_topic, feedback_topic = behind.new_topic("traces"), behind.new_topic("feedback")
    env = settings(
        f"127.0.0.1:{proxy.port}",
        tmp_path / "lake",
        kafka__traces_topic=traces_topic,
        kafka__feedback_topic=feedback_topic,
        kafka__group_id=unique("group"),
        stream__flush_seconds=5,
        kafka__properties={
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "alice",
            "sasl.password": "right",
        },
    )
    worker = start_worker(env)
    worker.wait_until(lambda: bool(worker.logs("partitions_assigned")))
    places = produce(behind.bootstrap, traces_topic, traces(0, 3))
    time.sleep(2)  # they are read, and wait for their flush
    proxy.requests = 1
    proxy.drop()
    broken_until = time.monotonic() + 25
    worker.wait_until(lambda: time.monotonic() > broken_until)
    assert proxy.broken > 3
    proxy.requests = None
    worker.wait_until(lambda: LakeReader(env).coordinates("traces").total() == len(places))
    worker.sigterm()
    worker.finish()
    said = [one for one in worker.logs("kafka_error") if one["error"] == "_AUTHENTICATION"]
    assert 1 <= len(said) <= 3, said
    LakeReader(env).assert_exactly_once(traces_topic, places)
