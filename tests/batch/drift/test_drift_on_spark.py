"""Drift on a real Spark Connect server: the same counts as on DuckDB, to the last one."""

import json
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from batch.drift.period_engine import OpenPeriod
from batch.drift.spark_period import open_spark_period
from batch.engines.spark_lake import SparkAddress, SparkLake
from tests.batch.drift.hostile_lake import make_hostile_lake
from tests.batch.drift.test_counts import SEEDS, check_bands, check_counts
from tests.batch.drift.world import LAST, five_weeks
from tests.goldpan.test_release_engine import on
from tests.servers.in_process import Run, runner, work_in
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.spark import TOKEN, SharedSpark, SparkParts, SparkServer, write_token
from tests.servers.worker import TEST_KEY, environment, goldpan_command


@pytest.fixture
def on_spark(spark: SharedSpark) -> OpenPeriod:
    """Opens periods on the server that all tests share."""
    return partial(open_spark_period, address=SparkAddress(spark.url, TOKEN))


@pytest.mark.chaos  # a minute of work on Spark for each lake
@pytest.mark.parametrize(("seed", "is_assembled"), SEEDS[:4])
def test_spark_counts_as_whoever_counts_row_by_row(
    seed: int, is_assembled: bool, on_spark: OpenPeriod, tmp_path: Path
) -> None:
    """And so as DuckDB, which is held to the same counts in `test_counts`."""
    check_counts(make_hostile_lake(tmp_path, seed, is_assembled=is_assembled), on_spark)


def test_spark_knows_the_edges_of_bands(spark: SharedSpark) -> None:
    """Whatever the last digit of its logarithm is."""
    with SparkLake(SparkAddress(spark.url, TOKEN)) as session:
        check_bands(session.give, session.table)


@pytest.fixture
def drift_on_spark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `goldpan drift` over five weeks, on a server of this url, with a token of this file."""
    five_weeks(tmp_path / "lake", errors=0.2)
    work_in(tmp_path, monkeypatch)
    run = runner(capsys)

    return partial(run, "drift", "--until", str(LAST), "--json")


@pytest.mark.chaos  # a minute of work on Spark
def test_the_report_is_that_of_duckdb(spark: SharedSpark, drift_on_spark: Run) -> None:
    """By the command: what has drifted, by how much, and that it has."""
    here, there = drift_on_spark(), drift_on_spark(*on(spark.url, spark.token_file))
    assert (here.returncode, there.returncode) == (1, 1), there.stderr
    reports = [json.loads(done.stdout) for done in (here, there)]
    assert [report.pop("engine") for report in reports] == ["duckdb", "spark"]
    assert reports[0] == reports[1]
    assert set(reports[0]["drifted"]) == {"status", "error_type"}
    assert '"engine_chosen"' in there.stderr
    assert '"spark"' in there.stderr


@pytest.mark.chaos  # the client tries again for ten seconds
def test_a_server_that_is_not_there(
    spark_client: SparkParts, drift_on_spark: Run, tmp_path: Path
) -> None:
    """Exit code 3, and no report, neither here nor in the lake."""
    nowhere = on(f"sc://localhost:{free_port()}", write_token(tmp_path))
    done = drift_on_spark("--keep", *nowhere)
    assert (done.returncode, done.stdout) == (3, "")
    assert "cannot be reached" in done.stderr
    assert not (tmp_path / "lake" / "drift").exists()


@pytest.mark.chaos  # a Spark of its own
def test_an_interrupted_comparison_leaves_nothing_behind(
    own_spark: SparkServer, spark_parts: SparkParts, tmp_path: Path
) -> None:
    """Ctrl-C ends it, and the server is asked to stop its queries and forgets the session."""
    five_weeks(tmp_path / "lake")
    settings = {"GOLDPAN_LAKE__URI": "lake", "GOLDPAN_REDACT__KEY": TEST_KEY}
    options = on(own_spark.url, write_token(tmp_path))
    log = tmp_path / "drift.log"
    child = ChildProcess(
        goldpan_command("drift", "--until", str(LAST), "--keep", *options),
        out=log,
        env=spark_parts.environment(environment(settings)),
        cwd=tmp_path,
    )
    child.start()
    while "engine_chosen" not in log.read_text():
        assert child.alive, log.read_text()
        time.sleep(0.05)
    time.sleep(5)
    child.send(signal.SIGINT)
    assert child.wait(60) == 130, log.read_text()
    assert not (tmp_path / "lake" / "drift").exists()
