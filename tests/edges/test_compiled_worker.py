"""A worker with compiled redaction answers and obeys while it reads hostile records."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from redact.build import SWITCH
from tests.architecture.source import ROOT
from tests.edges.test_probes_and_metrics import Port
from tests.make.records import encode_json, feedback, trace
from tests.servers.compiled_build import lay_out
from tests.servers.kafka import unique
from tests.servers.lake_reader import LakeReader
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.topic_io import Record
from tests.servers.worker import environment, settings

pytestmark = pytest.mark.chaos  # each worker reads megabytes for a quarter of a minute

PROBE_SECONDS = 10
"""The time that the manifests give a probe."""

_SIZE = 400_000
_BITS = {
    "digits": "1234567890",
    "quotes": '"',
    "a letter": "a",
    "braces": "{",
    "nested objects": '{"a":',
    "nested lists": "[",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo",
    "numbers": "4111 1111 1111 1111 ",
    "names": "Ana Lopez, ",
    "escapes": "\\u0041",
}
_TOO_LONG = "x" * 1_100_000


def records() -> list[bytes]:
    """Return ordinary records among hostile ones, the last of which is too long."""
    hostile = [
        encode_json(trace(n) | {"messages": [{"role": "user", "content": _much(bit)}]})
        for n, bit in enumerate(_BITS.values(), 100)
    ]
    long = encode_json(trace(200) | {"response": _TOO_LONG})
    return [encode_json(trace(1)), *hostile, b"[" * _SIZE, long, encode_json(trace(2))]


def _much(bit: str) -> str:
    return bit * (_SIZE // len(bit)) + " zora.quill@example.com"


class Compiled:
    """``goldpan stream run`` of an installation, with its port."""

    def __init__(self, site: Path, env: dict[str, str], *args: str) -> None:
        self.port = Port(free_port())
        path = os.pathsep.join((str(site), str(ROOT)))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "goldpan", "stream", "run", *args],
            cwd=ROOT,
            env=environment(
                {**env, "PYTHONPATH": path, "GOLDPAN_METRICS__PORT": str(self.port.number)}
            ),
            stderr=subprocess.PIPE,
            text=True,
        )

    def seconds(self) -> float:
        """Return the CPU time so far, 0 after the end."""
        try:
            used = psutil.Process(self.process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return 0.0
        return float(used.user + used.system)


@contextmanager
def silences(worker: Compiled) -> Iterator[list[float]]:
    """Ask `/livez` all the time; note the CPU time of the worker until each answer."""
    found: list[float] = []
    done = threading.Event()

    def ask() -> None:
        before: float | None = None  # until the first answer it is still starting
        while not done.wait(0.02):
            status, _ = worker.port.get("/livez")
            now = worker.seconds()
            if status == 200:
                if before is not None:
                    found.append(now - before)
                before = now
            elif status:
                found.append(float("inf"))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


@pytest.fixture(scope="module")
def installed(compiled_parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with compiled redaction."""
    return lay_out(compiled_parts, tmp_path_factory.mktemp("site"))


def _setup(kafka: MockKafka, lake: Path, **more: Any) -> dict[str, str]:
    return settings(
        kafka,
        lake,
        kafka__group_id=unique("hostile"),
        redact__policy="strict",
        log__format="json",
        **more,
    )


def _produce(kafka: MockKafka) -> set[tuple[int, int]]:
    """Send the records and some feedback; return the places of the records."""
    kafka.produce("llm.feedback", [Record(b"k", encode_json(feedback(1)))])
    sent = [Record(b"%d" % n, value) for n, value in enumerate(records())]
    return {(each.partition, each.offset) for each in kafka.produce("llm.traces", sent)}


def _rows(env: dict[str, str], table: str, *columns: str) -> list[dict[str, Any]]:
    rows = LakeReader(env).rows(table, ["_partition", "_offset", *columns]).to_pylist()
    return sorted(rows, key=lambda row: (row["_partition"], row["_offset"]))


def test_hostile_records_end_as_in_pure_python_and_the_worker_answers(
    installed: Path, mock_kafka: MockKafka, tmp_path: Path
) -> None:
    """The same rows and the same quarantine; the log and a metric say which build it is."""
    sent = _produce(mock_kafka)
    ends = {}
    for build, setting in (("compiled", "true"), ("pure", "false")):
        env = _setup(mock_kafka, tmp_path / build) | {SWITCH: setting}
        worker = Compiled(installed, env, "--until-caught-up")
        with silences(worker) as found:
            series = _series(worker)
            _, log = worker.process.communicate(timeout=280)
        assert worker.process.returncode == 0, log[-3_000:]
        assert f'"build": "{build}"' in log
        assert build in series
        assert len(found) > 10
        assert max(found) < PROBE_SECONDS, sorted(found)[-5:]
        stored = _rows(env, "traces", "trace_id", "messages", "response")
        refused = _rows(env, "quarantine", "reason")
        assert "zora.quill" not in str(stored)
        assert len(stored) + len(refused) == len(sent)
        assert len(refused) == 2  # what is no document, and what is too long
        ends[build] = stored, refused
    assert ends["compiled"] == ends["pure"]


def _series(worker: Compiled) -> str:
    """Return the labels of the metric of the build, as soon as there is one."""
    while worker.process.poll() is None:
        found = worker.port.series("build_info")
        if found:
            return str(found)
        time.sleep(0.1)
    return ""


def test_a_signal_during_a_hostile_record_is_obeyed(
    installed: Path, mock_kafka: MockKafka, tmp_path: Path
) -> None:
    """The worker ends with 0, though much is left to read; another one then reads all."""
    sent = _produce(mock_kafka)
    env = _setup(mock_kafka, tmp_path / "lake")
    worker = Compiled(installed, env)
    assert worker.process.stderr is not None
    while '"partitions_assigned"' not in worker.process.stderr.readline():
        assert worker.process.poll() is None
    begun = worker.seconds()
    while worker.seconds() < begun + 1:  # it reads
        time.sleep(0.05)
    worker.process.terminate()
    _, log = worker.process.communicate(timeout=120)
    assert worker.process.returncode == 0, log[-3_000:]
    assert '"worker_stopped"' in log
    after = Compiled(installed, env, "--until-caught-up")
    _, log = after.process.communicate(timeout=280)
    assert after.process.returncode == 0, log[-3_000:]
    ends = [*_rows(env, "traces"), *_rows(env, "quarantine")]
    assert len(ends) == len(sent)
    assert {(row["_partition"], row["_offset"]) for row in ends} == sent
