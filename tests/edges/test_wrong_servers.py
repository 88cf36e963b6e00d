"""Brokers and buckets that refuse: one sentence, exit code 3, and no traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from schemas.record_batches import RecordKind
from tests.edges.bad_records import good
from tests.edges.refusals import FAILED, Refusals, Wrong
from tests.make.records import encode_json, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, make_kafka
from tests.servers.lake_reader import LakeReader
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.s3 import S3
from tests.servers.topic_io import Record, produce
from tests.servers.worker import settings

LOGIN = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    'username="broker" password="b" user_broker="b" user_alice="right";'
)
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Who comes without a name may do everything that no list speaks of.
    "super.users": "User:broker",
    "allow.everyone.if.no.acl.found": "true",
}
TWO = ("stream", "run", "--workers", "2", "--until-caught-up")


def _env(**more: object) -> dict[str, str]:
    chosen = {"kafka__traces_topic": "t", "kafka__feedback_topic": "f", **more}
    return settings("@broker@", "@folder@/lake", **{"stream__retry_seconds": 10, **chosen})


def _login(password: str) -> dict[str, str]:
    return {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "alice",
        "sasl.password": password,
    }


def _kafka() -> dict[str, Wrong]:
    there = "GOLDPAN_KAFKA__TRACES_TOPIC"
    missing = _env(kafka__traces_topic="not-there")
    sasl = _env(kafka__properties=_login("wrong-and-secret"))
    sasl["GOLDPAN_KAFKA__BOOTSTRAP_SERVERS"] = "@sasl@"
    return {
        "missing topic": Wrong(FAILED, ("no topic not-there", there), missing),
        "missing topic, two workers": Wrong(FAILED, ("no topic not-there", there), missing, TWO),
        "topic that may not be seen": Wrong(
            FAILED, ("not allowed", "topic hidden"), _env(kafka__traces_topic="hidden")
        ),
        "topic that may not be read": Wrong(
            FAILED, ("not allowed", "topic unread"), _env(kafka__traces_topic="unread")
        ),
        "group that may not be used": Wrong(
            FAILED, ("consumer group", "GOLDPAN_KAFKA__GROUP_ID"), _env(kafka__group_id="private")
        ),
        "new kind of group that may not be used": Wrong(
            FAILED,
            ("consumer group", "GOLDPAN_KAFKA__GROUP_ID"),
            _env(kafka__group_id="private", kafka__group_protocol="consumer"),
        ),
        "wrong password": Wrong(FAILED, ("credentials", "GOLDPAN_KAFKA__PROPERTIES"), sasl),
    }


@pytest.fixture(scope="module")
def guarded(kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker with access lists, and a second port for those who log in."""
    if kafka_parts is None:
        pytest.skip("a second listener needs a Kafka from Maven's jars")
    folder = tmp_path_factory.mktemp("guarded")
    broker = make_kafka(kafka_parts, folder, AUTHORIZER)
    config = folder / "server.properties"
    lines = dict(line.split("=", 1) for line in config.read_text().splitlines())
    sasl = f"SASL_PLAINTEXT://127.0.0.1:{free_port()}"
    lines["listeners"] += f",{sasl}"
    lines["advertised.listeners"] += f",{sasl}"
    lines["listener.security.protocol.map"] += ",SASL_PLAINTEXT:SASL_PLAINTEXT"
    lines["sasl.enabled.mechanisms"] = "PLAIN"
    lines["listener.name.sasl_plaintext.plain.sasl.jaas.config"] = LOGIN
    config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    try:
        broker.start()
        for topic in ("t", "f", "hidden", "unread"):
            broker.create_topic(topic)
            if topic != "f":
                produce(broker.bootstrap, topic, [Record(b"k", encode_json(trace(1)))])
        _allow(broker, ResourceType.TOPIC, "hidden", "User:alice", AclOperation.ALL)
        _allow(broker, ResourceType.TOPIC, "unread", "User:ANONYMOUS", AclOperation.DESCRIBE)
        _allow(broker, ResourceType.GROUP, "private", "User:alice", AclOperation.ALL)
        broker.sasl = sasl.removeprefix("SASL_PLAINTEXT://")  # type: ignore[attr-defined]
        yield broker
    finally:
        broker.close()


def _allow(broker: Kafka, kind: ResourceType, name: str, who: str, what: AclOperation) -> None:
    rule = AclBinding(
        kind, name, ResourcePatternType.LITERAL, who, "*", what, AclPermissionType.ALLOW
    )
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.create_acls([rule])[rule].result(30)


@pytest.fixture(scope="module")
def refused_by_kafka(
    guarded: Kafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Refusals]:
    """All that Kafka refuses, under way."""
    words = {
        "broker": guarded.bootstrap,
        "sasl": guarded.sasl,  # type: ignore[attr-defined]
        "folder": str(tmp_path_factory.mktemp("refused")),
    }
    running = Refusals(_kafka(), words)
    yield running
    running.close()


@pytest.mark.parametrize("name", _kafka())
def test_what_kafka_refuses_is_told_in_one_sentence(refused_by_kafka: Refusals, name: str) -> None:
    """The sentence names the topic or the setting, and no password."""
    assert "secret" not in refused_by_kafka.assert_refused(name)


def test_the_right_password_is_accepted(
    guarded: Kafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """The listener that refuses the wrong password works with the right one."""
    env = settings(
        guarded.sasl,  # type: ignore[attr-defined]
        tmp_path / "lake",
        kafka__traces_topic="t",
        kafka__feedback_topic="f",
        kafka__group_id="private",
        kafka__properties=_login("right"),
    )
    start_worker(env, "--until-caught-up").finish()
    assert LakeReader(env).coordinates("traces").total() == 1


def _s3() -> dict[str, Wrong]:
    env = _env(lake__uri="s3://@bucket@/lake", lake__s3_endpoint_url="@s3@")
    keys = {
        "AWS_ACCESS_KEY_ID": "@key@",
        "AWS_SECRET_ACCESS_KEY": "@secret@",
        "AWS_REGION": "@region@",
    }
    verify = ("lake", "verify")
    gone = {**env, **keys, "GOLDPAN_LAKE__URI": "s3://no-such-bucket/lake"}
    forged = {**env, **keys, "AWS_SECRET_ACCESS_KEY": "wrong-and-secret"}
    stranger = {**env, **keys, "AWS_ACCESS_KEY_ID": "nobody"}
    return {
        "missing bucket": Wrong(FAILED, ("s3://no-such-bucket", "GOLDPAN_LAKE__URI"), gone),
        "missing bucket, two workers": Wrong(FAILED, ("s3://no-such-bucket",), gone, TWO),
        "missing bucket, init": Wrong(FAILED, ("s3://no-such-bucket",), gone, ("lake", "init")),
        "wrong secret": Wrong(FAILED, ("s3://@bucket@", "AWS_SECRET_ACCESS_KEY"), forged),
        "wrong secret, init": Wrong(FAILED, ("s3://@bucket@",), forged, ("lake", "init")),
        "unknown access key": Wrong(FAILED, ("s3://@bucket@",), stranger),
        "missing bucket, verify": Wrong(FAILED, ("s3://no-such-bucket",), gone, verify),
    }


@pytest.fixture(scope="module")
def refused_by_s3(s3: S3) -> Iterator[Refusals]:
    """All that S3 refuses, under way."""
    mock = MockKafka()
    words = {
        "broker": mock.bootstrap,
        "folder": "unused",
        "bucket": s3.create_bucket(),
        "s3": s3.endpoint,
        "key": s3.gateway.access_key,
        "secret": s3.gateway.secret_key,
        "region": s3.gateway.region,
    }
    running = Refusals(_s3(), words)
    yield running
    running.close()
    mock.close()


@pytest.mark.parametrize("name", _s3())
def test_what_s3_refuses_is_told_in_one_sentence(refused_by_s3: Refusals, name: str) -> None:
    """The sentence names the bucket and what to look at, and no secret."""
    told = refused_by_s3.assert_refused(name)
    assert "wrong-and-secret" not in told
    assert "goldpan-test-secret" not in told


def test_a_registry_that_is_not_there_holds_up_nobody_who_writes_json(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """The registry is asked for schemas of framed Avro only; then it is waited for, and named."""
    env = settings(
        mock_kafka,
        tmp_path / "lake",
        kafka__schema_registry_url=f"http://127.0.0.1:{free_port()}",
        stream__retry_seconds=3,
    )
    records = [Record(b"k", encode_json(good(RecordKind.TRACE, i))) for i in range(10)]
    places = mock_kafka.produce("llm.traces", [*records, Record(b"k", b"no record")])
    start_worker(env, "--until-caught-up").finish()
    LakeReader(env).assert_exactly_once("llm.traces", places)

    mock_kafka.produce("llm.traces", [Record(b"k", b"\x00\x00\x00\x00\x05framed")])
    # In a group of its own, for the embedded broker is slow to let go of members that have left.
    worker = start_worker({**env, "GOLDPAN_KAFKA__GROUP_ID": "second"}, "--until-caught-up")
    assert worker.wait() == FAILED
    said = [line for line in worker.log_text().splitlines() if line.startswith("goldpan: ")]
    assert len(said) == 1
    assert "schema registry at 127.0.0.1" in said[0]
    assert LakeReader(env).coordinates("quarantine").total() == 1
