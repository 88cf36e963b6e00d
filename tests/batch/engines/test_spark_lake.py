"""A Spark Connect server answers over the tables of a lake as they were at one version."""

import importlib
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest

from batch.engines.spark_lake import (
    SparkAddress,
    SparkLake,
    as_spark_sql,
    server_location,
    with_all_columns,
)
from batch.engines.unbound_tables import table_of_schema, unbound_table
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import FatalError, RetryableError, UsageError
from tests.batch.release.random_lakes import HOSTILE_NUMBERS, HOSTILE_TEXTS, HOSTILE_TIMES
from tests.batch.release.world import add, conversations, make_lake
from tests.servers.ports import free_port
from tests.servers.spark import TOKEN, SharedSpark, SparkParts, SparkServer

SLOW = (
    "SELECT count(*) AS n FROM range(1000000) a CROSS JOIN range(1000000) b WHERE a.id * b.id = 7"
)
"""A query that would run for hours."""


@pytest.fixture(scope="module")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two dozen conversations, in a folder whose name must be quoted."""
    return make_lake(tmp_path_factory.mktemp("small") / "a `lake's` copy", conversations(1), [])


@pytest.fixture
def connected(spark: SharedSpark) -> Iterator[SparkLake]:
    """A session of the shared server."""
    with SparkLake(SparkAddress(spark.url, TOKEN)) as lake:
        yield lake


def count_rows(lake: SparkLake, name: str) -> int:
    """Return how many rows a view has."""
    counted = unbound_table(name).count().name("rows").as_table()
    return int(lake.ask(counted)[0]["rows"])


def test_a_table_is_read_at_its_version(connected: SparkLake, small_lake: Lake) -> None:
    """Later commits change nothing, and days are those of the rows."""
    pinned = open_snapshot(small_lake, "traces")
    add(small_lake, "traces", conversations(1, seed=9))
    newest = open_snapshot(small_lake, "traces")
    days = (pinned.dataset().to_table()["event_date"].to_pylist()[0],) * 2
    for snapshot in (pinned, newest):
        connected.show_table("traces", snapshot)
        assert count_rows(connected, "traces") == snapshot.dataset().count_rows()
        connected.show_table("traces", snapshot, days)
        assert count_rows(connected, "traces") == snapshot.dataset(days).count_rows()
    assert newest.dataset().count_rows() > pinned.dataset().count_rows()


def test_values_come_back_as_they_were(connected: SparkLake) -> None:
    """Texts, numbers and times survive the way there and back, and so do texts in the SQL."""
    rows = pa.table(
        {
            "text": pa.array([*HOSTILE_TEXTS, None], pa.string()),
            "number": pa.array((HOSTILE_NUMBERS * 4)[: len(HOSTILE_TEXTS) + 1], pa.float64()),
            "time": pa.array(
                (HOSTILE_TIMES * 4)[: len(HOSTILE_TEXTS) + 1], pa.timestamp("us", "UTC")
            ),
        }
    )
    given = connected.give("given", rows)
    back = connected.table(given)
    assert sorted(map(repr, back.to_pylist())) == sorted(map(repr, rows.to_pylist()))
    found = connected.ask(given.filter(given.text.isin(HOSTILE_TEXTS)))
    assert len(found) == len(HOSTILE_TEXTS)


def test_sessions_keep_rows_apart(spark: SharedSpark) -> None:
    """Two at a time, as of the two periods of drift, and the second after the first has ended."""
    address = SparkAddress(spark.url, TOKEN)
    kept, again = (table_of_schema(pa.schema([("n", pa.int64())]), n) for n in ("kept", "again"))
    with SparkLake(address) as other:
        with SparkLake(address) as one:
            one.keep_sql("kept", "SELECT 1L AS n")
            other.keep_sql("kept", "SELECT 2L AS n")
            assert (one.ask(kept), other.ask(kept)) == ([{"n": 1}], [{"n": 2}])
        other.keep_sql("again", "SELECT 3L AS n")
        assert (other.ask(kept), other.ask(again)) == ([{"n": 2}], [{"n": 3}])


def test_a_column_that_a_version_did_not_have_is_null() -> None:
    """Types are those of the contract; nothing is asked of a server."""
    stored = [name for name in unbound_table("traces").columns if name != "segments"]
    sql = as_spark_sql(with_all_columns("traces", "stored", stored))
    assert "CAST(NULL AS MAP<STRING, STRING>) AS `segments`" in sql


def test_another_lake_at_the_location_is_refused(
    spark: SharedSpark, small_lake: Lake, tmp_path: Path
) -> None:
    """A table with another id, and a folder without a table."""
    make_lake(tmp_path / "other", conversations(1)[:2], [])
    own_id = str(open_snapshot(small_lake, "traces").handle.metadata().id)
    log = tmp_path / "other" / "traces" / "_delta_log" / f"{0:020}.json"
    log.write_text(log.read_text().replace(own_id, str(UUID(int=7))))  # all are copies of one lake
    for uri, why in ((tmp_path / "other", "another table"), (tmp_path / "none", "--engine-lake")):
        address = SparkAddress(spark.url, TOKEN, str(uri))
        with SparkLake(address) as lake, pytest.raises(FatalError, match=why) as refused:
            lake.show_table("traces", open_snapshot(small_lake, "traces", 1))
        assert "--engine-lake" in str(refused.value)


def test_the_lake_can_be_elsewhere_for_the_server(
    spark: SharedSpark, small_lake: Lake, tmp_path: Path
) -> None:
    """Where the server mounts it, for example; missing files are named as such."""
    copy = tmp_path / "mounted"
    shutil.copytree(Path(small_lake.location.uri), copy)
    snapshot = open_snapshot(small_lake, "traces")
    with SparkLake(SparkAddress(spark.url, TOKEN, f"{copy}/")) as lake:
        lake.show_table("traces", snapshot)
        assert count_rows(lake, "traces") == snapshot.dataset().count_rows()
        next(copy.glob("traces/event_date=*/*.parquet")).unlink()
        with pytest.raises(UsageError, match="name later versions"):
            lake.ask(unbound_table("traces").select("trace_id", "response"))


def test_an_address_of_a_file_is_decoded() -> None:
    """Hadoop decodes no address, and delta-rs gives them encoded."""
    assert server_location("file:///a%20lake/traces/") == "/a lake/traces"
    assert server_location("/a lake/traces") == "/a lake/traces"
    assert server_location("s3://bucket/a/traces/") == "s3://bucket/a/traces"


def test_a_wrong_token_is_refused(spark: SharedSpark) -> None:
    """At once, and the message does not have it."""
    for token in ("wrong-token", None):
        with (
            pytest.raises(FatalError, match="--engine-token-file") as refused,
            SparkLake(SparkAddress(spark.url, token)),
        ):
            pass
        assert "wrong-token" not in str(refused.value)
    assert "wrong-token" not in repr(SparkAddress(spark.url, "wrong-token"))


@pytest.mark.parametrize(
    ("url", "token", "why"),
    [
        ("spark:15002", None, "sc://HOST:PORT"),
        ("sc://", None, "sc://HOST:PORT"),
        ("sc://localhost:x", None, "sc://HOST:PORT"),
        ("sc://user:pass@localhost:1", None, "sc://HOST:PORT"),
        ("sc://localhost:1/?token=abc", None, "sc://HOST:PORT"),
        ("sc://localhost:1/;TOKEN=abc", None, "sc://HOST:PORT"),
        ("sc://localhost:1/;use_ssl=yes", None, "sc://HOST:PORT"),
        ("sc://local\nhost:1", None, "sc://HOST:PORT"),
        ("sc://localhost:1/;token=abc", None, "--engine-token-file"),
        ("sc://localhost:1/;authorization=Bearer%20abc", None, "--engine-token-file"),
        ("sc://localhost:1/;session_id=abc", None, "session of its own"),
        ("sc://localhost:1", "", "one token"),
        ("sc://localhost:1", "two\nlines", "one token"),
    ],
)
def test_a_wrong_address_is_refused(
    spark_client: SparkParts, url: str, token: str | None, why: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=why), SparkLake(SparkAddress(url, token)):
        pass


def test_a_server_that_reads_sql_otherwise_is_refused(
    spark: SharedSpark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here texts would keep their escapes: every hash with such a text would be another."""
    client = importlib.import_module("batch.engines.spark_client")
    otherwise = {"spark.sql.parser.escapedStringLiterals": "true"}
    monkeypatch.setattr(client, "SESSION_SETTINGS", client.SESSION_SETTINGS | otherwise)
    with (
        pytest.raises(FatalError, match="must have their defaults"),
        SparkLake(SparkAddress(spark.url, TOKEN)),
    ):
        pass


@pytest.mark.chaos  # the client tries again for ten seconds
def test_a_server_that_is_not_there(spark_client: SparkParts) -> None:
    """It is an error that may pass."""
    address = SparkAddress(f"sc://localhost:{free_port()}", TOKEN)
    with pytest.raises(RetryableError, match="cannot be reached"), SparkLake(address):
        pass


@pytest.mark.chaos  # a Spark of its own, and ten seconds of trying again
def test_a_server_that_dies_while_it_works(own_spark: SparkServer) -> None:
    """The query fails as one that may pass; after a restart a new session works."""
    address = SparkAddress(own_spark.url, TOKEN)
    with SparkLake(address) as lake:
        lake.show_sql("slow", SLOW)
        killer = threading.Timer(2, own_spark.kill)
        killer.start()
        with pytest.raises(RetryableError, match="try again"):
            lake.ask(table_of_schema(pa.schema([("n", pa.int64())]), "slow"))
        killer.join()
        own_spark.start()
        with pytest.raises(RetryableError, match="try again"):
            lake.ask(table_of_schema(pa.schema([("n", pa.int64())]), "slow"))
    with SparkLake(address) as lake:
        assert lake.give("given", pa.table({"x": [1]})).count().op() is not None


@pytest.mark.chaos  # a Spark of its own
def test_an_interrupted_query_ends_on_the_server(own_spark: SparkServer) -> None:
    """The server has one core, which answers the next session only if it was let go."""
    address = SparkAddress(own_spark.url, TOKEN)
    steps: list[str] = []
    with SparkLake(address, steps.append) as lake:
        lake.show_sql("slow", SLOW)
        threading.Timer(4, signal.raise_signal, [signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            lake.ask(table_of_schema(pa.schema([("n", pa.int64())]), "slow"))
        assert lake.ask(lake.give("given", pa.table({"x": [1]}))) == [{"x": 1}]
    assert any("tasks on Spark" in step for step in steps)
