"""A past range is replayed under another policy beside live workers, diffed, and promoted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.failpoints import FlushStep
from stream.replay.steps import ReplayStep
from tests.faults.scene import Scene
from tests.faults.traffic import SHORT_LIMIT
from tests.kill_harness import KILLED
from tests.make.records import person
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.s3 import S3
from tests.servers.worker import run_goldpan

SPAN = range(5, 40)
"""The offsets that are replayed, of each partition."""
STRICTER = {"stream__max_record_bytes": SHORT_LIMIT}
"""Sets long records aside that the live workers had stored."""
FLUSH_STEPS = (
    FlushStep.QUARANTINE_WRITTEN,
    FlushStep.PRIMARY_WRITTEN,
    FlushStep.QUARANTINE_COMMITTED,
    FlushStep.AUDIT_COMMITTED,
    FlushStep.PRIMARY_COMMITTED,
)
Place = tuple[int, int]


@pytest.fixture
def policies(tmp_path: Path) -> tuple[Path, Path]:
    """The policy of the live workers, which knows e-mail only, and one that knows telephones too.

    Both do without the model for names, which takes seconds to load.
    """
    files = tmp_path / "lax.yaml", tmp_path / "strict.yaml"
    for file, more in zip(files, ("", "  PHONE_NUMBER: {}\n"), strict=True):
        file.write_text(
            f"name: {file.stem}\nentities:\n  EMAIL_ADDRESS: {{}}\n{more}names: {{model: none}}\n"
        )
    return files


@pytest.fixture
def lax_scene(scene: Scene, policies: tuple[Path, Path]) -> Scene:
    """A scene whose workers have the lax policy."""
    scene.more = {"redact__policy": str(policies[0])}
    return scene


def rows(scene: Scene, table: str) -> dict[Place, dict[str, Any]]:
    """The rows of traces in a table by partition and offset; each is there once."""
    found = scene.witness.rows(table).to_pylist()
    mine = [row for row in found if row["_topic"] == scene.traces_topic]
    told = {(row["_partition"], row["_offset"]): row for row in mine}
    assert len(told) == len(mine)
    return told


def replay(scene: Scene, policy: Path, **more: object) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment of the replay."""
    bounds = (f"--from={SPAN.start}", f"--to={SPAN.stop}", f"--topic={scene.traces_topic}")
    return ["stream", "replay", f"--policy={policy}", *bounds], scene.env(**more)


def run(command: list[str], env: dict[str, str], code: int = 0) -> dict[str, Any]:
    """Run a command to its end; return what it says."""
    done = run_goldpan(env, *command, "--json")
    assert done.returncode == code, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def assert_replaced(
    scene: Scene, before: dict[Place, dict[str, Any]], policy: str, spans: list[dict[str, int]]
) -> None:
    """The range is there once under the new policy; what was stored outside of it is untouched."""
    span = {(s["partition"], offset) for s in spans for offset in range(s["from"], s["to"])}
    assert len(span) == len(SPAN) * scene.partitions
    stored, aside = rows(scene, "traces"), rows(scene, "quarantine")
    assert not stored.keys() & aside.keys()
    under = {at: row["_policy"] for at, row in {**stored, **aside}.items()}
    assert {at for at in span if under[at] == policy} == span
    assert policy not in {under[at] for at in under.keys() - span}
    assert {at: row for at, row in stored.items() if at in before.keys() - span} == {
        at: row for at, row in before.items() if at not in span
    }
    assert {at for at, row in before.items() if at in span} > stored.keys() & span  # long ones went


@pytest.mark.parametrize(
    "lives",
    [
        (1, (), (ReplayStep.SWAPPED,)),
        pytest.param((2, FLUSH_STEPS[2:3], list(ReplayStep)), marks=pytest.mark.chaos),
    ],
    ids=["short", "long"],
)
def test_beside_live_workers_on_s3(
    kafka: Kafka,
    s3: S3,
    start_worker: StartWorker,
    policies: tuple[Path, Path],
    lives: tuple[int, Sequence[FlushStep], Sequence[ReplayStep]],
) -> None:
    """Staged, compared, promoted in several lives; the workers never stop.

    ``lives``: how many workers, where the replay dies, where its promotion dies.
    """
    workers, deaths, crashes = lives
    lax, strict = policies
    lake = s3.new_lake()
    scene = Scene(kafka, lake, start_worker, outside=s3.env(), more={"redact__policy": str(lax)})
    scene.produce(120)
    live = scene.start("--workers", str(workers), name="live")
    live.wait_until(scene.all_in, what="done with the past")
    before = rows(scene, "traces")

    command, env = replay(scene, strict, **STRICTER)
    for death in deaths:
        dying = {**env, "GOLDPAN_STREAM__FAIL_AT": str(death)}
        assert run_goldpan(dying, *command).returncode == KILLED
        scene.produce(20)
    said = run(command, env)
    name = said["name"]
    assert rows(scene, "traces").items() >= before.items()

    difference = run(["replay", "diff", name], env, code=1)
    assert difference["findings"]["PHONE_NUMBER"]["after"] > 0
    assert difference["findings"]["PHONE_NUMBER"]["before"] == 0
    assert difference["rows"]["changed"] > 0
    assert difference["rows"]["gone"] > 0
    assert difference["rows"]["kept"] == difference["rows"]["withheld"] == 0
    assert not any(person(i).phone in json.dumps(difference) for i in range(120))

    for step in crashes:
        dying = {**env, "GOLDPAN_STREAM__FAIL_AT": str(step)}
        assert run_goldpan(dying, "replay", "promote", name).returncode == KILLED
        scene.produce(10)
    run(["replay", "promote", name], env)
    scene.produce(10)
    live.wait_until(scene.all_in, what="done with what came meanwhile")
    scene.assert_exactly_once()
    assert_replaced(scene, before, said["policy"], said["partitions"])
    run(["replay", "abandon", name], env)
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    left = s3.client().list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/replays".lstrip("/"))
    assert left.get("Contents", []) == []
    live.sigterm()
    live.finish()


@pytest.mark.chaos
@pytest.mark.parametrize("step", FLUSH_STEPS)
def test_a_replay_that_is_killed_goes_on(
    lax_scene: Scene, policies: tuple[Path, Path], step: FlushStep
) -> None:
    """At each step of its flushes; in the end it promotes what one that lived would have."""
    lax_scene.produce(120)
    lax_scene.catch_up()
    before = rows(lax_scene, "traces")
    command, env = replay(lax_scene, policies[1], **STRICTER)
    dying = {**env, "GOLDPAN_STREAM__FAIL_AT": str(step)}
    assert run_goldpan(dying, *command).returncode == KILLED
    said = run(command, env)
    run(["replay", "promote", said["name"]], env)
    lax_scene.assert_exactly_once()
    assert_replaced(lax_scene, before, said["policy"], said["partitions"])


@pytest.mark.chaos
def test_a_promotion_that_is_killed_goes_on(lax_scene: Scene, policies: tuple[Path, Path]) -> None:
    """At every step, one after the other, while a worker brings in more."""
    lax_scene.produce(120)
    lax_scene.catch_up()
    before = rows(lax_scene, "traces")
    worker = lax_scene.start()
    command, env = replay(lax_scene, policies[1], **STRICTER)
    said = run(command, env)
    for step in ReplayStep:
        dying = {**env, "GOLDPAN_STREAM__FAIL_AT": str(step)}
        done = run_goldpan(dying, "replay", "promote", said["name"])
        assert done.returncode == KILLED, (step, done.stderr)
        lax_scene.produce(10)
    run(["replay", "promote", said["name"]], env)
    worker.wait_until(lax_scene.all_in)
    lax_scene.assert_exactly_once()
    assert_replaced(lax_scene, before, said["policy"], said["partitions"])
