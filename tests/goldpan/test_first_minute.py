"""A worker that is told to stop in its first seconds, at whatever moment, has failed at nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers.mock_kafka import MockKafka
from tests.servers.worker import environment, run_goldpan, settings
from tests.short_versions import short

SECONDS = 120.0
NOBODY = "127.0.0.1:1"
"""An address at which no Kafka answers: a worker waits for it for twenty seconds."""

AS_MAIN = """
import sys
from goldpan.cli import main
sys.argv = ["goldpan", "stream", "run", *sys.argv[1:]]
print("main", flush=True)
main()
"""


def told_to_stop(env: dict[str, str], after: float, *arguments: str) -> tuple[int, str]:
    """Start a worker, send SIGTERM so many seconds after it began, and return how it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", AS_MAIN, *arguments],
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "main\n"
        time.sleep(after)
        process.send_signal(signal.SIGTERM)
        try:
            said = process.communicate(timeout=SECONDS)[1]
        finally:
            process.kill()
    return process.returncode, said


@pytest.mark.parametrize(
    ("after", "arguments"),
    short(
        [(0.05, ()), (1.0, ()), (3.0, ()), (6.0, ()), (3.0, ("--workers", "2"))],
        [(0.05, ()), (3.0, ()), (3.0, ("--workers", "2"))],
    ),
)
def test_a_worker_that_waits_for_kafka_can_be_stopped(
    after: float, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """Whoever rolls a deployment while Kafka is away sees pods that end with 0."""
    env = settings(NOBODY, tmp_path / "lake", labels__policy="off")
    code, said = told_to_stop(env, after, *arguments)
    assert code == 0, said
    assert "worker_failed" not in said


@pytest.mark.parametrize("after", short([1.5, 2.0, 2.5, 3.0, 4.0], [2.0, 3.0]))
def test_a_worker_that_is_stopped_early_leaves_a_lake_that_the_next_one_takes(
    after: float, mock_kafka: MockKafka, tmp_path: Path
) -> None:
    """Tables half made, keys put down or not: the next start, and the proof, find nothing wrong."""
    mock_kafka.produce("llm.traces", [])
    mock_kafka.produce("llm.feedback", [])
    env = settings(mock_kafka, tmp_path / "lake", labels__policy="off")
    code, said = told_to_stop(env, after)
    assert code == 0, said
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    assert run_goldpan(env, "lake", "verify").returncode == 0
