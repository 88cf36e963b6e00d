"""The servers as pytest fixtures, and what happens on a machine that cannot have them."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol

import pytest

from tests.partners.environment import Partners, prepare_judge_partners, prepare_partners
from tests.partners.promptfoo import Promptfoo, prepare_promptfoo
from tests.servers.compiled_build import prepare_compiled
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka, shared_kafka
from tests.servers.mock_kafka import MockKafka
from tests.servers.otel_collector import OtelCollector, collector_binary
from tests.servers.registry import SchemaRegistry, SharedRegistry, registry_jars, shared_registry
from tests.servers.s3 import S3, make_s3, prepare_s3
from tests.servers.s3_faults import FaultyS3
from tests.servers.shared import run_folder
from tests.servers.shared_expressions import share_expressions
from tests.servers.spark import (
    SharedSpark,
    SparkParts,
    SparkServer,
    prepare_spark,
    shared_spark,
)
from tests.servers.trino import prepare_trino
from tests.servers.unavailable import ServerUnavailableError
from tests.servers.worker import Worker

_NEEDS: dict[str, tuple[str, Callable[[], object]]] = {
    "kafka_parts": ("kafka", prepare_kafka),
    "s3_parts": ("s3", prepare_s3),
    "registry_parts": ("registry", registry_jars),
    "collector_parts": ("collector", collector_binary),
    "compiled_parts": ("compiled", prepare_compiled),
    "partners": ("partners", prepare_partners),
    "judge_partners": ("partners", prepare_judge_partners),
    "promptfoo": ("partners", prepare_promptfoo),
    "spark_parts": ("spark", prepare_spark),
    "trino_jars": ("trino", prepare_trino),
}
"""Which fixture says that a test needs a server: the marker, and how the server is fetched."""

EVERYDAY = frozenset(_NEEDS) - {"collector_parts", "trino_jars"}
"""Those of `make test`. A Collector takes minutes to build and Trino is 226 MB: `make chaos` has
them."""


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known that are not in the settings."""
    config.addinivalue_line("markers", "registry: needs a real schema registry (Java with Maven)")
    config.addinivalue_line("markers", "collector: needs an OpenTelemetry Collector (Go)")
    config.addinivalue_line("markers", "compiled: needs a C compiler, for compiled redaction")
    config.addinivalue_line("markers", "spark: needs a real Spark Connect (Java with Maven)")
    config.addinivalue_line("markers", "trino: needs a real Trino (Java 25 with Maven)")
    config.addinivalue_line("markers", "partners: needs requirements/*partners.lock")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a real server, so that ``-m "not kafka"`` leaves them out."""
    for item in items:
        for fixture, (marker, _) in _NEEDS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the chosen tests need before the first starts: no test's time-out counts it."""
    if session.config.option.collectonly:
        return
    needed = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    prepare_servers(needed & set(_NEEDS))


def prepare_servers(fixtures: Iterable[str]) -> None:
    """Fetch and build servers, all at a time: most of it is waiting for others."""

    def prepare(fixture: str) -> None:
        with suppress(ServerUnavailableError):  # the fixture will say so
            _NEEDS[fixture][1]()

    with ThreadPoolExecutor() as threads:
        list(threads.map(prepare, fixtures))


def missing(server: str, why: ServerUnavailableError) -> NoReturn:
    """Skip the test; or fail it, if ``TEST_GOLDPAN_REQUIRE`` (``kafka,s3``) names the server."""
    if server in os.environ.get("TEST_GOLDPAN_REQUIRE", "").split(","):
        pytest.fail(str(why))
    pytest.skip(str(why))


class MakeKafka(Protocol):
    """Makes and starts a broker of the test's own, with properties of its own."""

    def __call__(self, properties: Mapping[str, str] | None = None) -> Kafka:
        """Start it; it is killed when the test ends."""


class StartWorker(Protocol):
    """Starts ``goldpan stream run`` with an environment and arguments."""

    def __call__(self, env: Mapping[str, str], *args: str, name: str | None = None) -> Worker:
        """Start it; it is killed when the test ends."""


@pytest.fixture(scope="session", autouse=True)
def _shared_expressions(tmp_path_factory: pytest.TempPathFactory) -> None:
    share_expressions(run_folder(tmp_path_factory) / "expressions")


@pytest.fixture(scope="session")
def kafka_parts() -> Path | None:
    """What a broker is made of, or a skip that says what is missing."""
    try:
        return prepare_kafka()
    except ServerUnavailableError as why:
        missing("kafka", why)


@pytest.fixture(scope="session")
def kafka(kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One broker for all tests. Take new topics (``kafka.new_topic``) and groups in each test."""
    if kafka_parts is not None:
        with shared_kafka(kafka_parts, run_folder(tmp_path_factory)) as shared:
            yield shared
        return
    broker = make_kafka(None, tmp_path_factory.mktemp("kafka"), {})
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def own_kafka_with(
    kafka_parts: Path | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeKafka]:
    """Makes brokers of the test's own, with broker properties of its own."""
    brokers: list[Kafka] = []

    def make(properties: Mapping[str, str] | None = None) -> Kafka:
        brokers.append(
            make_kafka(kafka_parts, tmp_path_factory.mktemp("own-kafka"), properties or {})
        )
        return brokers[-1].start()

    yield make
    for broker in brokers:
        broker.close()


@pytest.fixture
def own_kafka(own_kafka_with: MakeKafka) -> Kafka:
    """A broker that the test may stop, kill and start again."""
    return own_kafka_with()


@pytest.fixture(scope="session")
def s3_parts() -> Path | None:
    """What an S3 server is made of, or a skip that says what is missing."""
    try:
        return prepare_s3()
    except ServerUnavailableError as why:
        missing("s3", why)


@pytest.fixture(scope="session")
def s3(s3_parts: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """One S3 server for all tests. Take a new bucket (``s3.new_lake``) in each test."""
    server = make_s3(s3_parts, tmp_path_factory.mktemp("s3"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def own_s3(s3_parts: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """An S3 server that the test may stop, kill and start again."""
    server = make_s3(s3_parts, tmp_path_factory.mktemp("own-s3"))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def faulty_s3(s3: S3) -> Iterator[FaultyS3]:
    """A way to the shared S3 server on which the test can break requests."""
    with FaultyS3(s3.endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def collector_parts() -> Path:
    """A Collector's program, or a skip that says what is missing."""
    try:
        return collector_binary()
    except ServerUnavailableError as why:
        missing("collector", why)


@pytest.fixture
def start_collector(
    collector_parts: Path, tmp_path: Path
) -> Iterator[Callable[[str], OtelCollector]]:
    """Start a Collector with a configuration; it ends with the test."""
    started: list[OtelCollector] = []

    def start(config: str) -> OtelCollector:
        folder = tmp_path / f"collector-{len(started)}"
        started.append(OtelCollector(collector_parts, config, folder))
        started[-1].start()
        return started[-1]

    yield start
    for collector in started:
        collector.stop()


@pytest.fixture(scope="session")
def registry_parts() -> Path:
    """What a schema registry is made of, or a skip that says what is missing."""
    try:
        return registry_jars()
    except ServerUnavailableError as why:
        missing("registry", why)


@pytest.fixture(scope="session")
def registry(
    registry_parts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedRegistry]:
    """One schema registry for all tests. Take subjects of its own in each test."""
    with shared_registry(registry_parts, run_folder(tmp_path_factory)) as shared:
        yield shared


@pytest.fixture
def own_registry(
    registry_parts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SchemaRegistry]:
    """A schema registry that the test may stop, kill and start again."""
    server = SchemaRegistry(registry_parts, tmp_path_factory.mktemp("own-registry"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def mock_kafka() -> Iterator[MockKafka]:
    """librdkafka's mock cluster, new for each test."""
    cluster = MockKafka()
    yield cluster
    cluster.close()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[StartWorker]:
    """Starts workers; each is killed when the test ends."""
    workers: list[Worker] = []

    def start(env: Mapping[str, str], *args: str, name: str | None = None) -> Worker:
        chosen = name or f"worker-{len(workers) + 1}"
        workers.append(Worker(env, args, folder=tmp_path, name=chosen))
        return workers[-1]

    yield start
    for worker in workers:
        worker.sigkill()


@pytest.fixture(scope="session")
def compiled_parts() -> Path:
    """Redaction, compiled from this source."""
    try:
        return prepare_compiled()
    except ServerUnavailableError as why:
        missing("compiled", why)


@pytest.fixture(scope="session")
def partners() -> Partners:
    """The other tools, which read what goldpan writes."""
    try:
        return Partners(prepare_partners())
    except ServerUnavailableError as why:
        missing("partners", why)


@pytest.fixture(scope="session")
def judge_partners() -> Partners:
    """What judges are compared with: servers, a small language model, other estimators."""
    try:
        return Partners(prepare_judge_partners())
    except ServerUnavailableError as why:
        missing("partners", why)


@pytest.fixture(scope="session")
def promptfoo() -> Promptfoo:
    """promptfoo, which reads test cases."""
    try:
        return Promptfoo(prepare_promptfoo())
    except ServerUnavailableError as why:
        missing("promptfoo", why)


@pytest.fixture(scope="session")
def trino_jars() -> Path:
    """The jars of a Trino."""
    try:
        return prepare_trino()
    except ServerUnavailableError as why:
        missing("trino", why)


@pytest.fixture(scope="session")
def spark_parts() -> SparkParts:
    """What a Spark Connect server and its client are made of."""
    try:
        return prepare_spark()
    except ServerUnavailableError as why:
        missing("spark", why)


@pytest.fixture(scope="session")
def _shared_spark(
    spark_parts: SparkParts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedSpark]:
    with shared_spark(spark_parts, run_folder(tmp_path_factory)) as shared:
        yield shared


@pytest.fixture
def spark_client(spark_parts: SparkParts, monkeypatch: pytest.MonkeyPatch) -> SparkParts:
    """The packages of the client, which this process can import during the test."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(spark_parts.client)])
    # A process of pytest-xdist has no main file: the client then thinks that it tests itself.
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)
    return spark_parts


@pytest.fixture
def spark(_shared_spark: SharedSpark, spark_client: SparkParts) -> SharedSpark:
    """One Spark Connect server for all tests, which this process can use. It wants a token."""
    return _shared_spark


@pytest.fixture
def own_spark(
    spark_client: SparkParts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkServer]:
    """A Spark Connect server that the test may kill."""
    server = SparkServer(spark_client.jars, tmp_path_factory.mktemp("own-spark"))
    try:
        yield server.start()
    finally:
        server.kill()
