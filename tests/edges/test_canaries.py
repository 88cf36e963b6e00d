"""The promise of redaction, at the worker as it is started by default: nothing planted is written.

Values of every type are planted in every field and every disguise, also in records that are bad;
then every byte that the worker left anywhere is searched for them.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.edges.search import marks_in, marks_in_folder
from tests.redact.canaries import (
    CANARIES,
    DISGUISES,
    LABELLED,
    everywhere,
    planted,
    said_as_feedback,
)
from tests.redact.kit import minimal
from tests.servers.lake_reader import LakeReader
from tests.servers.mock_kafka import MockKafka
from tests.servers.ports import free_port
from tests.servers.topic_io import Record, produce
from tests.servers.worker import Worker, call_goldpan, settings

TRACES, FEEDBACK = "canary.traces", "canary.feedback"


@dataclass
class Written:
    """All that a worker has written, and what it must not have."""

    folder: Path
    words: list[str]
    good: int
    bad: int
    env: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    passing: list[str] = field(default_factory=list)


def _good() -> tuple[list[dict[str, Any]], list[str]]:
    """Return a trace for each value and disguise, and what may be found of none of them."""
    records, words = [], []
    for number, (kind, disguise) in enumerate(
        (kind, disguise) for kind in (*CANARIES, *LABELLED) for disguise in DISGUISES
    ):
        text, value, hidden = planted(kind, disguise)
        records.append(everywhere(text) | {"trace_id": f"t{number}"})
        words += [value, hidden]
    return records, list(dict.fromkeys(words))


def _bad(value: str) -> Iterator[bytes]:
    """Yield records that no worker may store, each with a value in it."""
    yield b'{"trace_id": "' + value.encode()
    yield value.encode()
    yield b"\x00\x00\x00\x00\x63" + value.encode()
    for wrong in (
        minimal(**{value: value}),
        minimal(trace_id=value),
        minimal(status=value),
        minimal(started_at=value),
        minimal(messages=[{"role": "user", "content": {"is": value}}]),
        minimal(messages=value),
    ):
        yield json.dumps(wrong).encode()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Run a worker with the default policy over all that is planted."""
    folder = tmp_path_factory.mktemp("canaries")
    temporary = folder / "tmp"
    temporary.mkdir()
    kafka, port = MockKafka(), free_port()
    records, words = _good()
    records.append(minimal(session_id=f"mail {CANARIES['EMAIL_ADDRESS']}"))
    bad = list(_bad(CANARIES["EMAIL_ADDRESS"]))
    feedback = [said_as_feedback(value) for value in CANARIES.values()]
    env = settings(
        kafka.bootstrap,
        folder / "lake",
        kafka__traces_topic=TRACES,
        kafka__feedback_topic=FEEDBACK,
        kafka__group_id="canaries",
        metrics__port=port,
        log__level="debug",
        redact__policy=None,
    ) | {"TMPDIR": str(temporary)}
    result = Written(folder, words, len(records), len(bad), env)
    values = [json.dumps(record).encode() for record in records] + bad
    traces = [Record(None, value, partition=i % 2) for i, value in enumerate(values)]
    ends = {place[0]: place[1] + 1 for place in produce(kafka.bootstrap, TRACES, traces)}
    produce(
        kafka.bootstrap,
        FEEDBACK,
        [Record(None, json.dumps(one).encode(), partition=0) for one in feedback],
    )
    worker = Worker(env, folder=folder)
    try:
        lake = LakeReader(env)

        def done() -> bool:
            time.sleep(0.2)
            result.passing += marks_in_folder(temporary, words)
            through = all((lake.position("traces", TRACES, p) or 0) >= at for p, at in ends.items())
            return through and (lake.position("feedback", FEEDBACK, 0) or 0) >= len(feedback)

        worker.wait_until(done, 200, "through all that is planted")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
            result.said["metrics"] = reply.read().decode()
        worker.sigterm()
        worker.finish()
    finally:
        worker.sigkill()
        kafka.close()
    result.said |= {"out": worker.out_text(), "err": worker.log_text()}
    listed = call_goldpan(env, "quarantine", "list", "--json")
    result.said |= {"list": listed.stdout, "list, aside": listed.stderr}
    return result


def test_the_worker_has_read_it_all(written: Written) -> None:
    """What is good is in the tables under the default policy, what is bad in quarantine."""
    lake = LakeReader(written.env)
    assert lake.rows("traces").num_rows == written.good
    assert lake.rows("quarantine").num_rows == written.bad
    assert lake.rows("redactions").num_rows == written.good + len(CANARIES)
    assert set(lake.rows("traces")["_policy"].to_pylist()) != {"off"}
    assert "goldpan_records_total" in written.said["metrics"]


def test_nothing_planted_is_in_the_lake(written: Written) -> None:
    """No byte of any file and no value of any row: tables, quarantine, audit, statistics, logs."""
    assert marks_in_folder(written.folder / "lake", written.words) == []


def test_nothing_planted_is_in_temporary_files(written: Written) -> None:
    """Neither while the worker runs, nor in what is left afterwards."""
    assert written.passing == []
    assert marks_in_folder(written.folder / "tmp", written.words) == []


def test_nothing_planted_is_said(written: Written) -> None:
    """Neither on a stream at the level debug, nor in metrics, nor by the commands that look."""
    found = {name: marks_in(text, written.words) for name, text in written.said.items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_the_search_would_find_them(written: Written, tmp_path: Path) -> None:
    """Each value and each disguise is found where it does stand."""
    for word in written.words:
        (tmp_path / "log").write_text(f"said {word}!", encoding="utf-8")
        assert marks_in_folder(tmp_path, [word]) == ["log"], word
