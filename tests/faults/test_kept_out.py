"""Somebody is erased while workers run: whatever happens, nobody comes back, nobody else goes."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lake.config import LakeSettings
from lake.fences import ERASURE_FENCE
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from lake.tombstones import (
    Tombstone,
    newest_tombstone,
    open_tombstones,
    put_tombstone,
)
from redact.crypto.keys import KEY_BYTES, Keys
from redact.crypto.subjects import DataSubject
from stream.failpoints import FlushStep
from tests.faults.labelled import LabelScene
from tests.faults.scene import Scene
from tests.labels.kit import feedback as a_word
from tests.labels.kit import trace as a_trace
from tests.lake.kit import commit_context
from tests.make.records import STARTED_AT, encode_json, feedback, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.topic_io import Coordinate, Record, produce
from tests.servers.worker import run_goldpan

SUBJECT = "mia_okafor_4711"
KEYS = Keys.derive(bytes(range(KEY_BYTES)))
MINE = frozenset(DataSubject(SUBJECT, [KEYS]).identifiers())
DAY = 86_400_000_000
POLICY = "name: lax\nentities:\n  EMAIL_ADDRESS: {}\n  USER_ID: {}\nnames: {model: none}\n"
RECORDS = ("traces", "feedback")
EARLY = ["traces", "quarantine"]
"""The tables that an erasure had fenced when it was killed."""
LATE = [name for name in TABLE_LAYOUTS if name not in EARLY]


def is_mine(i: int) -> bool:
    """Whether trace ``i`` and feedback ``i`` are of the subject."""
    return i % 4 == 1


@dataclass
class ErasureScene(Scene):
    """A scene in which every fourth record is of one person; each trace has feedback."""

    mine: dict[str, list[Coordinate]] = field(default_factory=lambda: {n: [] for n in RECORDS})

    def produce(self, count: int) -> None:
        """Put ``count`` more traces, and feedback on each, on the topics."""
        self._send_all(range(self._next, self._next + count))
        self._next += count

    def same_again(self) -> None:
        """Produce all records once more, as a mirror or a producer that begins anew would."""
        self._send_all(range(self._next))

    def _send_all(self, numbers: range) -> None:
        self.traces += self._send("traces", self.traces_topic, numbers, trace)
        self.feedback += self._send("feedback", self.feedback_topic, numbers, feedback)

    def _send(
        self, table: str, topic: str, numbers: range, make: Callable[..., dict[str, Any]]
    ) -> list[Coordinate]:
        made = [make(i, **({"user_id": SUBJECT} if is_mine(i) else {})) for i in numbers]
        sent = [Record(one["trace_id"].encode(), encode_json(one)) for one in made]
        found = produce(self.kafka.bootstrap, topic, sent)
        self.mine[table] += [at for i, at in zip(numbers, found, strict=True) if is_mine(i)]
        return found

    def tombstone(self) -> None:
        """Put a tombstone, as the first step of an erasure."""
        until, store = STARTED_AT + DAY, open_tombstones(self.opened().location)
        put_tombstone(store, lambda n: Tombstone(n, until, DataSubject(SUBJECT, [KEYS]).marks()))

    def fence(self, tables: list[str]) -> dict[str, int]:
        """Fence tables; return the versions from which on nothing of the subject may come."""
        lake = self.opened()
        number = newest_tombstone(open_tombstones(lake.location))
        for name in tables:
            ERASURE_FENCE.raise_to(lake.table(name), number, commit_context())
        return {name: lake.table(name).handle.version() for name in tables}

    def opened(self) -> Lake:
        """The lake, with handles of its own."""
        return Lake(LakeSettings(uri=str(self.lake)))

    def assert_kept_out(self, fenced: dict[str, int]) -> None:
        """Nothing of the subject was committed behind the fences."""
        for name in RECORDS:
            now = self.witness.table(name)
            before = DeltaTable(f"{self.lake}/{name}", version=fenced[name])
            assert now is not None
            for file in set(now.file_uris()) - set(before.file_uris()):
                users = set(pq.read_table(file, columns=["user_id"])["user_id"].to_pylist())
                assert not users & MINE, (name, file)

    def stored_of_mine(self) -> int:
        """How many rows there are of the subject, by their user ids."""
        users = [
            u for n in RECORDS for u in self.witness.rows(n, ["user_id"])["user_id"].to_pylist()
        ]
        return sum(user in MINE for user in users)

    def assert_all_others_once(self) -> None:
        """Each record of others is there once; of the subject's some are not, and are counted."""
        gone = 0
        topics = ((self.traces_topic, self.traces), (self.feedback_topic, self.feedback))
        for table, (topic, sent) in zip(RECORDS, topics, strict=True):
            found = self.witness.places(table, topic)
            assert [at for at, times in found.items() if times > 1] == []
            missing = set(sent) - {Coordinate(*at) for at in found}
            assert missing <= set(self.mine[table])
            gone += len(missing)
        assert self.witness.problems() == []
        mine = {topic for topic, _ in topics}
        said = json.loads(self.witness.verify().stdout)["partitions"]
        assert sum(p["dropped"] for p in said if p["topic"] in mine) == gone


@pytest.fixture
def erasure_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> ErasureScene:
    """Topics, a lake, and a policy that replaces user ids and is loaded at once."""
    (tmp_path / "lax.yaml").write_text(POLICY)
    return ErasureScene(
        kafka,
        tmp_path / "lake",
        start_worker,
        more={"redact__policy": str(tmp_path / "lax.yaml"), "labels__policy": "off"},
    )


def test_erased_under_a_live_worker(erasure_scene: ErasureScene) -> None:
    """From the fence on nothing of the subject is committed; no record of others is lost."""
    erasure_scene.produce(60)
    worker = erasure_scene.start()
    worker.wait_until(erasure_scene.all_in, what="done with the first records")
    erasure_scene.produce(400)
    erasure_scene.tombstone()
    fenced = erasure_scene.fence(list(TABLE_LAYOUTS))
    erasure_scene.produce(100)
    worker.wait_until(erasure_scene.all_in, what="done with all")
    worker.sigterm()
    worker.finish()

    assert len(worker.logs("erasures_applied", newest=1)) == 1
    erasure_scene.assert_kept_out(fenced)
    erasure_scene.assert_all_others_once()


@pytest.mark.parametrize(
    "step",
    [
        FlushStep.PRIMARY_WRITTEN,
        pytest.param(FlushStep.SEALED, marks=pytest.mark.chaos),
        pytest.param(FlushStep.QUARANTINE_COMMITTED, marks=pytest.mark.chaos),
    ],
)
def test_worker_that_slept_through_the_fence(erasure_scene: ErasureScene, step: FlushStep) -> None:
    """A worker that is stopped in mid-flush with the subject's records cannot write them."""
    erasure_scene.produce(60)
    worker = erasure_scene.start(stream__fail_at=f"{step}=stop")
    stopped = psutil.Process(worker.pid)
    worker.wait_until(lambda: stopped.status() == psutil.STATUS_STOPPED, what="stopped")
    erasure_scene.tombstone()
    fenced = erasure_scene.fence(list(TABLE_LAYOUTS))
    worker.sigcont()
    worker.wait_until(erasure_scene.all_in, what="done with all")
    worker.sigterm()
    worker.finish()

    assert worker.logs("flush_fenced")
    erasure_scene.assert_kept_out(fenced)
    assert erasure_scene.stored_of_mine() == 0
    erasure_scene.assert_all_others_once()


@pytest.mark.chaos
def test_erasure_that_dies_between_two_fences(erasure_scene: ErasureScene) -> None:
    """Killed after two tables of six, gone on with later; a worker is killed meanwhile."""
    erasure_scene.produce(60)
    worker = erasure_scene.start()
    worker.wait_until(erasure_scene.all_in, what="done with the first records")
    erasure_scene.tombstone()
    fenced = erasure_scene.fence(EARLY)
    erasure_scene.produce(100)
    worker.wait_until(erasure_scene.all_in, what="done with what came between")
    worker.sigkill()
    erasure_scene.produce(20)
    fenced |= erasure_scene.fence(LATE)
    erasure_scene.produce(20)
    erasure_scene.catch_up()

    erasure_scene.assert_kept_out(fenced)
    erasure_scene.assert_all_others_once()


def test_nobody_comes_back(erasure_scene: ErasureScene, kafka: Kafka) -> None:
    """After an erasure: a replay from the beginning, the same records once more, other topics."""
    erasure_scene.produce(60)
    erasure_scene.catch_up()
    assert erasure_scene.stored_of_mine() == 30
    for command in (
        ["erase", "--subject", SUBJECT],
        [
            "stream",
            "replay",
            "--topic",
            erasure_scene.traces_topic,
            "--from",
            "0",
            "--name",
            "again",
        ],
    ):
        done = run_goldpan(erasure_scene.env(), *command)
        assert done.returncode == 0, done.stderr
    assert erasure_scene.stored_of_mine() == 0
    staged = DeltaTable(f"{erasure_scene.lake}/replays/again/traces").to_pyarrow_table()
    assert len(staged) == 45
    assert not set(staged["user_id"].to_pylist()) & MINE
    promoted = run_goldpan(erasure_scene.env(), "replay", "promote", "again")
    assert promoted.returncode == 0, promoted.stderr

    erasure_scene.same_again()
    erasure_scene.catch_up()
    other = ErasureScene(
        kafka, erasure_scene.lake, erasure_scene.start_worker, more=erasure_scene.more
    )
    other.produce(60)
    other.catch_up()

    assert erasure_scene.stored_of_mine() == 0
    rows = Counter(erasure_scene.witness.rows("traces", ["_topic"])["_topic"].to_pylist())
    assert rows == {erasure_scene.traces_topic: 90, other.traces_topic: 45}
    erasure_scene.assert_all_others_once()
    other.assert_all_others_once()


@pytest.mark.chaos
def test_worker_without_the_key_does_not_start(erasure_scene: ErasureScene) -> None:
    """It could not tell who must be kept out; with the former key it can."""
    erasure_scene.produce(20)
    erasure_scene.catch_up()
    erasure_scene.tombstone()
    erasure_scene.fence(list(TABLE_LAYOUTS))
    before = erasure_scene.env()["GOLDPAN_REDACT__KEY"]
    new = {"redact__key": before.swapcase(), "redact__key_id": "k2"}
    erasure_scene.produce(20)

    worker = erasure_scene.start("--until-caught-up", **new)
    assert worker.wait() == 3
    assert "GOLDPAN_REDACT__FORMER_KEYS" in worker.log_text() + worker.out_text()

    erasure_scene.catch_up(**new, redact__former_keys=json.dumps({"k1": before}))
    erasure_scene.assert_all_others_once()
    assert erasure_scene.stored_of_mine() == 10


def test_labels_of_others_forget_what_was_erased(
    kafka: Kafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """A worker whose join has seen the subject's feedback never writes of it after the erasure."""
    scene = LabelScene(kafka, tmp_path / "lake", start_worker)
    names = [f"trace-{i}" for i in range(8)]
    scene.send([a_trace(name, at=i) for i, name in enumerate(names)])
    scene.send([a_word(f"mine-{n}", n, at=40, user_id=SUBJECT) for n in names])
    worker = scene.start()
    worker.wait_until(lambda: len(_evidence(scene)) == 8, what="done with the first labels")
    with _busy(scene):  # so that the worker commits, is fenced and reads back, all the time
        done = run_goldpan(scene.env(), "erase", "--subject", SUBJECT)
    assert done.returncode == 0, done.stderr
    assert _evidence(scene) == set()

    scene.send([a_word(f"theirs-{n}", n, at=50, user_id="u-2") for n in names])
    theirs = {f"theirs-{n}" for n in names}
    worker.wait_until(lambda: theirs <= _evidence(scene), what="done with what others said")
    worker.sigterm()
    worker.finish()
    scene.catch_up()

    assert _evidence(scene) == theirs
    assert scene.witness.problems() == []


@contextmanager
def _busy(scene: LabelScene) -> Iterator[None]:
    """Let others send traces all the while."""
    done = threading.Event()

    def send() -> None:
        for number in count():
            if done.wait(0.1):
                return
            scene.send([a_trace(f"busy-{number}", at=60)])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()


def _evidence(scene: LabelScene) -> set[str]:
    """Return the ids of all feedback that label events rest on."""
    events = scene.written() if scene.witness.table("labels") else []
    return {one.feedback_id for event in events for one in event.evidence if one.feedback_id}
