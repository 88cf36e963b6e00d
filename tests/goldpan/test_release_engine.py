"""``goldpan release build --engine``: what it needs, what it says, and what a failure leaves."""

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.batch.release.kit import contents
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.servers.in_process import Run, runner, work_in
from tests.servers.ports import free_port
from tests.servers.process import ChildProcess
from tests.servers.spark import SharedSpark, SparkParts, SparkServer, write_token
from tests.servers.worker import TEST_KEY, environment, goldpan_command

SPEC = "name: engine\nwindow: {from: 2026-11-01, to: 2026-12-01}\nsize: 12\nseed: 1\n"
SPEC += "strata: [label, segments.plan]\nredaction_policies: any\n"
BUILD = ("release", "build", "engine.yaml", "--json")


@pytest.fixture(scope="module")
def engine_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a spec."""
    folder = tmp_path_factory.mktemp("engine")
    traces = conversations(2)
    make_lake(folder / "lake", traces, labels_for(traces))
    (folder / "engine.yaml").write_text(SPEC)
    return folder


@pytest.fixture
def run_build(
    engine_workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan in that folder, in this process."""
    work_in(engine_workspace, monkeypatch)
    return runner(capsys)


def on(url: str, token_file: Path) -> tuple[str, ...]:
    """Return the options for a Spark server."""
    return ("--engine", "spark", "--engine-url", url, "--engine-token-file", str(token_file))


def test_without_the_extra(run_build: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to install."""
    monkeypatch.setitem(sys.modules, "batch.engines.spark_client", None)
    done = run_build(*BUILD, "--engine", "spark", "--engine-url", "sc://localhost:1")
    assert done.returncode == 2
    assert "install goldpan[spark]" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--engine", "spark"),
        ("--engine-url", "sc://localhost:1"),
        ("--engine-lake", "s3a://bucket/lake"),
        ("--engine-lake", ""),
        ("--engine", "spark", "--engine-url", "sc://localhost:1", "--engine-lake", ""),
        ("--engine", "spark", "--engine-url", "sc://localhost:1", "--engine-lake", "/"),
        ("--engine", "trino"),
        on("sc://localhost:1", Path("missing")),
    ],
)
def test_options_that_do_not_fit(run_build: Run, options: tuple[str, ...]) -> None:
    """Before the lake is read."""
    done = run_build(*BUILD, *options)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_file_that_is_no_token(run_build: Run, tmp_path: Path) -> None:
    """A key store by mistake, for example: the sentence names the option and the file."""
    (tmp_path / "token").write_text("t" * 8192)
    done = run_build(*BUILD, *on("sc://localhost:1", tmp_path / "token"))
    assert done.returncode == 2
    assert "--engine-token-file" in done.stderr
    assert "too long for a token" in " ".join(done.stderr.split())
    assert "ttt" not in done.stderr


def test_the_answer_names_the_engine(run_build: Run, engine_workspace: Path) -> None:
    """And no file of the release does."""
    first = run_build(*BUILD)
    assert json.loads(first.stdout)["engine"] == "duckdb"
    logged = next(line for line in first.stderr.splitlines() if "engine_chosen" in line)
    assert "duckdb" in logged
    files = contents(engine_workspace / "lake" / "releases")
    assert not any(b"duckdb" in data.lower() for data in files.values())


@pytest.mark.chaos  # a minute of work on Spark
def test_the_other_engine_says_nothing_new(
    spark: SharedSpark, run_build: Run, engine_workspace: Path
) -> None:
    """By the command, with the token from a file."""
    assert run_build(*BUILD).returncode == 0
    before = contents(engine_workspace / "lake" / "releases")
    again = run_build(*BUILD, *on(spark.url, spark.token_file))
    answer = json.loads(again.stdout)
    assert (answer["published"], answer["engine"]) == (False, "spark")
    assert contents(engine_workspace / "lake" / "releases") == before
    dry = run_build(*BUILD, "--dry-run", *on(spark.url, spark.token_file))
    assert json.loads(dry.stdout)["engine"] == "spark"


@pytest.mark.chaos  # the client tries again for ten seconds
def test_a_server_that_is_not_there(
    spark_client: SparkParts, run_build: Run, tmp_path: Path
) -> None:
    """Exit code 3."""
    done = run_build(*BUILD, *on(f"sc://localhost:{free_port()}", write_token(tmp_path)))
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr


def test_a_token_that_is_refused(spark: SharedSpark, run_build: Run, tmp_path: Path) -> None:
    """Exit code 3, and nobody reads the token in the output."""
    (tmp_path / "token").write_text("wrong-token\n")
    done = run_build(*BUILD, *on(spark.url, tmp_path / "token"))
    assert done.returncode == 3
    assert "--engine-token-file" in done.stderr
    assert "wrong-token" not in done.stderr + done.stdout


def _build_anew(
    parts: SparkParts, folder: Path, options: tuple[str, ...], log: Path
) -> ChildProcess:
    """Start a build in a process of its own."""
    settings = {"GOLDPAN_LAKE__URI": "lake", "GOLDPAN_REDACT__KEY": TEST_KEY}
    env: Mapping[str, str] = parts.environment(environment(settings))
    child = ChildProcess(goldpan_command(*BUILD, *options), out=log, env=env, cwd=folder)
    child.start()
    while "engine_chosen" not in log.read_text():
        assert child.alive, log.read_text()
        time.sleep(0.05)
    return child


def _kill_engine(_child: ChildProcess, server: SparkServer) -> None:
    server.kill()


def _kill_build(child: ChildProcess, _server: SparkServer) -> None:
    child.kill()


def _interrupt_build(child: ChildProcess, _server: SparkServer) -> None:
    child.send(signal.SIGINT)


@pytest.mark.chaos  # two Sparks and several builds
@pytest.mark.parametrize(
    ("disturb", "code"), [(_kill_engine, 3), (_kill_build, -9), (_interrupt_build, 130)]
)
def test_nothing_is_published_by_a_build_that_ends_early(
    own_spark: SparkServer,
    spark_parts: SparkParts,
    tmp_path: Path,
    disturb: Callable[[ChildProcess, SparkServer], None],
    code: int,
) -> None:
    """Whoever is killed, at several moments; the next build works."""
    traces = conversations(2)
    make_lake(tmp_path / "lake", traces, labels_for(traces))
    (tmp_path / "engine.yaml").write_text(SPEC)
    options = on(own_spark.url, write_token(tmp_path))
    for moment in (6, 3, 1):  # the longest first: a server that has worked is faster
        log = tmp_path / f"{moment}.log"
        child = _build_anew(spark_parts, tmp_path, options, log)
        time.sleep(moment)
        disturb(child, own_spark)
        assert child.wait(120) == code, log.read_text()
        assert contents(tmp_path / "lake" / "releases") == {}
        if disturb is _kill_engine:
            assert "goldpan: " in log.read_text()
            own_spark.start()
    log = tmp_path / "last.log"
    assert _build_anew(spark_parts, tmp_path, options, log).wait(300) == 0, log.read_text()
    assert json.loads(log.read_text().splitlines()[-1])["version"] == "1.0.0"
