"""What Kafka's client says beside the messages is judged, in each place where it is waited for."""

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import CollectorRegistry

from lake.ledger import SourcePartition
from schemas.errors import FatalError, RetryableError
from stream.client_errors import ClientErrors, is_access_denied
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.label_driver.label_producer import LabelProducer
from stream.observer import KAFKA_ERROR_SECONDS
from stream.record_fetcher import RecordFetcher
from stream.replay.kafka_reader import KafkaReader
from tests.lake.kit import make_lake
from tests.servers.mock_kafka import MockKafka
from tests.stream.kit import Recorder, make_observer
from tests.stream.loop_kit import Loop, Message

FENCED = KafkaError(KafkaError.FENCED_INSTANCE_ID, "fenced", True)
UNRELEASED = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID, "not let go", True)
HANDSHAKE = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://b:1/bootstrap: SASL PLAIN mechanism handshake failed: Local: Broker "
    "transport failure: broker's supported mechanisms: ",
)
MECHANISM = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://b:1/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Unsupported "
    "SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
)

PASSWORD = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid "
    "username or password (after 300ms in state AUTH_REQ)",
)
CUT_OFF = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://b:1/bootstrap: SASL authentication error: SaslAuthenticateRequest failed: "
    "Local: Broker transport failure (after 3ms in state AUTH_REQ)",
)


def wrapped(code: int) -> KafkaError:
    """Return a fatal error as it comes among the messages."""
    return KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(code).str()}: Fatal error")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (wrapped(KafkaError.FENCED_INSTANCE_ID), FatalError, "needs its own GOLDPAN_KAFKA__GROUP"),
        (wrapped(KafkaError.UNRELEASED_INSTANCE_ID), RetryableError, "UNRELEASED"),
        (wrapped(KafkaError.INVALID_REQUEST), FatalError, "restart the worker"),
        (FENCED, FatalError, "GROUP_INSTANCE_ID"),
        (KafkaError(KafkaError._FATAL), FatalError, "_FATAL"),
        (KafkaError(KafkaError.UNSUPPORTED_VERSION, "old", True), FatalError, "GROUP_PROTOCOL"),
        (UNRELEASED, RetryableError, "when its session expires"),
    ],
)
def test_a_worker_whose_client_has_ended_does_not_live_on(
    error: KafkaError, kind: type[Exception], says: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """The client says so beside the messages, of which there are none from then on."""
    loop = Loop(make_lake(tmp_path), monkeypatch)
    loop.assign(0)
    with pytest.raises(kind, match=says):
        loop.turn([Message(problem=error)])
    loop.client_errors.record(error)
    with pytest.raises(kind, match=says):
        loop.turn()


@pytest.mark.parametrize("call", ["assign", "pause", "consume"])
def test_what_the_client_raises_is_judged_too(call: str, tmp_path: Path, monkeypatch: Any) -> None:
    """A client that has ended refuses whatever is asked of it."""
    loop = Loop(make_lake(tmp_path), monkeypatch)
    loop.assign(0)
    cluster = Cluster({"bootstrap.servers": "b:1", "log_level": 0}, bootstrap_servers="b:1")
    loop.worker.cluster = cluster

    def refuse(*_: object) -> None:
        raise KafkaException(wrapped(KafkaError.FENCED_INSTANCE_ID))

    loop.worker.on_assign(loop.client, [])  # the next turn assigns positions
    loop.worker.backoff.until = loop.now + 60
    monkeypatch.setattr(loop.client, call, refuse)
    with pytest.raises(FatalError, match="its own GOLDPAN_KAFKA__GROUP_INSTANCE_ID"):
        loop.worker.run()


def test_errors_that_are_not_fatal_end_nobody(tmp_path: Path, monkeypatch: Any) -> None:
    """They are only heard."""
    loop = Loop(make_lake(tmp_path), monkeypatch)
    loop.assign(0)
    for code in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._AUTHENTICATION):
        loop.client_errors.record(KafkaError(code))
    loop.turn()


def test_whoever_waits_for_a_client_asks_whether_it_has_ended(mock_kafka: MockKafka) -> None:
    """Single records, a replay, label events and questions to the brokers."""
    mock_kafka.produce("t", [(b"k", b"v", 0)])
    settings = KafkaSettings(bootstrap_servers=mock_kafka.bootstrap)
    fetcher = RecordFetcher(settings, monotonic=lambda: 0.0)
    reader = KafkaReader(settings, "t", fetch_queue=2**20)
    topic = LabelProducer(settings, "labels")
    cluster = Cluster(
        {"bootstrap.servers": mock_kafka.bootstrap}, bootstrap_servers=mock_kafka.bootstrap
    )
    for part in (fetcher, reader, topic, cluster):
        part.errors.record(FENCED)
    with pytest.raises(FatalError, match="cannot continue"):
        fetcher.fetch("t", [(0, 0)])
    with pytest.raises(FatalError, match="cannot continue"):
        reader.read(10)
    with pytest.raises(FatalError, match="cannot continue"):
        topic.send([])
    with pytest.raises(FatalError, match="cannot continue"):
        cluster.partitions(["t"])
    fetcher.close()
    reader.close()


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED), True),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), True),
        (MECHANISM, True),
        (PASSWORD, True),
        (CUT_OFF, False),
        (HANDSHAKE, False),
        (KafkaError(KafkaError._TRANSPORT), False),
        (KafkaError(KafkaError._SSL), False),
    ],
)
def test_only_a_broker_can_refuse(error: KafkaError, refused: bool) -> None:
    """A connection that breaks off while logging in is what a broker that goes down looks like."""
    assert is_access_denied(error) is refused
    cluster = Cluster({"bootstrap.servers": "b:1", "log_level": 0}, bootstrap_servers="b:1")
    assert type(cluster.translate(error, "t")) is (FatalError if refused else RetryableError)


def test_a_refusal_of_long_ago_is_no_answer_to_a_question_of_now() -> None:
    """What was refused before has been mended since, or will be refused again."""
    cluster = Cluster({"bootstrap.servers": "b:1", "log_level": 0}, bootstrap_servers="b:1")
    cluster.errors.record(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED))

    class Silent:
        def get_watermark_offsets(self, *_: object, **__: object) -> None:
            raise TimeoutError

    with pytest.raises(RetryableError):
        cluster.watermarks(Silent(), SourcePartition("t", 0))
    assert cluster.errors.take_access_error() is None


def test_the_same_trouble_is_logged_now_and_then() -> None:
    """Each kind once, and again after a while with how often it was left out."""
    log, now = Recorder(), [0.0]
    observer = make_observer(CollectorRegistry(), log, monotonic=lambda: now[0])
    for _ in range(19):
        observer.kafka_error(HANDSHAKE)
        observer.kafka_error(KafkaError(KafkaError._TRANSPORT))
    assert [fields["error"] for _, fields in log.events] == ["_AUTHENTICATION", "_TRANSPORT"]
    now[0] += KAFKA_ERROR_SECONDS
    observer.kafka_error(HANDSHAKE)
    assert log.events[-1][1]["repeated"] == 18


def test_a_client_hears_on_after_an_error() -> None:
    """The first fatal error is the cause; a refusal is given once."""
    heard: list[KafkaError] = []
    errors = ClientErrors(heard.append)
    errors.check()
    errors.record(KafkaError(KafkaError.SASL_AUTHENTICATION_FAILED))
    assert errors.take_access_error() is not None
    assert errors.take_access_error() is None
    errors.record(FENCED)
    errors.record(UNRELEASED)
    with pytest.raises(FatalError):
        errors.check()
    assert len(heard) == 3
