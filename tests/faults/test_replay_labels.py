"""A past range is redacted and labelled anew beside live workers: each trace has its one label."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from labels.decision import events_in_force
from schemas.records import LabelEvent
from stream.replay.steps import ReplayLabelStep, ReplayStep
from tests.faults.labelled import LabelScene
from tests.kill_harness import KILLED
from tests.labels.kit import feedback, trace
from tests.make.records import person
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import run_goldpan

PAST, LATER = range(40), range(40, 60)
"""The traces that the replay is about, and those that came after them."""
OF_LABELS = (ReplayStep.LABELS_FENCED, ReplayStep.LABELS_WRITTEN, ReplayStep.LABELS_REPLACED)


@pytest.fixture
def rules(tmp_path: Path) -> dict[str, Path]:
    """Two redaction policies, the first of which lets telephones through, and two label policies.

    All do without the model for names, which takes seconds to load.
    """
    files = {name: tmp_path / f"{name}.yaml" for name in ("lax", "strict", "one", "two")}
    for name, more in (("lax", ""), ("strict", "  PHONE_NUMBER: {}\n")):
        text = f"name: {name}\nentities:\n  EMAIL_ADDRESS: {{}}\n{more}names: {{model: none}}\n"
        files[name].write_text(text)
    for name, more in (("one", "version: 1"), ("two", "version: 2\nbase_rate: {mean: 0.02}")):
        files[name].write_text(f"extends: chat_support\nname: test\n{more}\n")
    return files


@pytest.fixture
def replay_label_scene(
    kafka: Kafka, tmp_path: Path, start_worker: StartWorker, rules: dict[str, Path]
) -> LabelScene:
    """Topics and a lake, whose workers have the first policies."""
    more = {"redact__policy": str(rules["lax"]), "labels__policy": str(rules["one"])}
    return LabelScene(kafka, tmp_path / "lake", start_worker, more=more)


def talk(scene: LabelScene, numbers: Sequence[int]) -> None:
    """Produce traces, and on every other a thumbs down and a correction with a telephone in it."""
    said = []
    for i in numbers[::2]:
        text = {"corrected_response": f"Call {person(i).phone} about {i}."}
        said.append(feedback(f"word-{i}", f"trace-{i}", at=i + 30))
        edit = {"kind": "edit", "value": None, "actor": "agent", **text}
        said.append(feedback(f"edit-{i}", f"trace-{i}", at=i + 60, **edit))
    scene.send(said)
    scene.send([trace(f"trace-{i}", at=i) for i in numbers])


def labelled(scene: LabelScene, numbers: Sequence[int]) -> bool:
    """Whether each of the traces that were talked about has a label that rests on all of it."""
    found = events_in_force(scene.written())
    mine = [found.get(f"trace-{i}") for i in numbers[::2]]
    return all(one is not None and len(one.evidence) >= 2 for one in mine)


def run(env: dict[str, str], *command: str, code: int = 0) -> dict[str, Any]:
    """Run a command to its end; return what it says."""
    done = run_goldpan(env, *command, "--json")
    assert done.returncode == code, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def killed(env: dict[str, str], step: StrEnum, *command: str) -> None:
    """Let a command die at a step."""
    done = run_goldpan({**env, "GOLDPAN_STREAM__FAIL_AT": str(step)}, *command)
    assert done.returncode == KILLED, (step, done.stderr)


def texts_in_files(lake: Path, table: str) -> Iterator[str]:
    """Yield what the files of a table hold, as bytes and as rows, after a vacuum."""
    DeltaTable(str(lake / table)).vacuum(0, enforce_retention_duration=False, dry_run=False)
    files = [file for file in (lake / table).rglob("*") if file.is_file()]
    assert any(file.suffix == ".parquet" for file in files)
    for file in files:
        yield file.read_bytes().decode("latin-1")
        if file.suffix == ".parquet":
            yield json.dumps(pq.ParquetFile(file).read().to_pylist(), default=str)


def events_of(found: Sequence[LabelEvent], numbers: Sequence[int]) -> set[str]:
    """Return the ids of the events of some traces."""
    wanted = {f"trace-{i}" for i in numbers}
    return {event.label_event_id for event in found if event.trace_id in wanted}


@pytest.mark.parametrize(
    ("staging", "crashes"),
    [
        ([ReplayLabelStep.LABELS_STAGED], [ReplayStep.LABELS_FENCED]),
        pytest.param([*ReplayLabelStep], [*ReplayStep], marks=pytest.mark.chaos),
    ],
    ids=["short", "long"],
)
def test_beside_live_workers(
    replay_label_scene: LabelScene,
    rules: dict[str, Path],
    staging: Sequence[ReplayLabelStep],
    crashes: Sequence[ReplayStep],
) -> None:
    """Staged, compared and promoted in several lives; people go on talking about the past."""
    talk(replay_label_scene, PAST)
    time.sleep(0.2)
    until = datetime.now(UTC)
    time.sleep(0.2)
    talk(replay_label_scene, LATER)
    live = replay_label_scene.start(name="live")
    live.wait_until(replay_label_scene.all_in, what="done with the past")
    live.wait_until(
        lambda: labelled(replay_label_scene, [*PAST, *LATER]), what="done with the labels"
    )
    before = replay_label_scene.written()
    assert any(person(0).phone in (event.expected_response or "") for event in before)

    env = replay_label_scene.env()
    replay = (
        "stream",
        "replay",
        f"--topic={replay_label_scene.feedback_topic}",
        "--from=0",
        f"--to={until.isoformat()}",
        f"--policy={rules['strict']}",
        f"--label-policy={rules['two']}",
        "--name=past",
    )
    for step in staging:
        killed(env, step, *replay)
    run(env, *replay)
    assert {event.label_event_id for event in replay_label_scene.written()} == {
        e.label_event_id for e in before
    }

    difference = run(env, "replay", "diff", "past", code=1)
    labels = difference["labels"]
    assert (labels["changed"], labels["gone"]) == (len(PAST[::2]), 0)
    assert labels["changes"]["expected_response"] == len(PAST[::2])
    assert labels["changes"]["policy_version"] == len(PAST[::2])
    assert labels["label_policy"].startswith("test/2-")
    assert not any(person(i).phone in json.dumps(difference) for i in PAST)

    replay_label_scene.send([feedback(f"more-{i}", f"trace-{i}", at=i + 90) for i in PAST[:20:2]])
    for crash in crashes:
        killed(env, crash, "replay", "promote", "past")
    run(env, "replay", "promote", "past")
    replay_label_scene.send([feedback(f"last-{i}", f"trace-{i}", at=i + 99) for i in PAST[:20:2]])
    live.wait_until(replay_label_scene.all_in, what="done with what was said meanwhile")
    live.sigterm()
    live.finish()

    replay_label_scene.assert_exactly_once()
    found = replay_label_scene.written()
    for i in PAST[::2]:
        mine = [event for event in found if event.trace_id == f"trace-{i}"]
        first = events_in_force(mine)[f"trace-{i}"]
        assert first.policy_version == labels["label_policy"]
        assert "<PHONE_NUMBER:" in (first.expected_response or "")
    assert events_of(found, LATER) == events_of(before, LATER)
    lake = Path(str(replay_label_scene.lake))
    for table in ("labels", "feedback"):
        texts = "".join(texts_in_files(lake, table))
        assert not any(person(i).phone in texts for i in PAST[::2]), table
        assert person(LATER[0]).phone in texts
    run(env, "replay", "abandon", "past")
    assert not (lake / "replays").exists()


@pytest.mark.chaos
def test_what_is_abandoned_leaves_nothing(
    replay_label_scene: LabelScene, rules: dict[str, Path]
) -> None:
    """No file, and no version of the label policy: another may take its number."""
    talk(replay_label_scene, PAST)
    replay_label_scene.catch_up()
    lake = Path(str(replay_label_scene.lake))
    before = {file for file in lake.rglob("*") if file.is_file()}
    env = replay_label_scene.env()
    replay = (
        "stream",
        "replay",
        f"--topic={replay_label_scene.traces_topic}",
        "--from=0",
        "--labels-only",
    )
    for step in ReplayLabelStep:
        killed(env, step, *replay, f"--label-policy={rules['two']}", "--name=past")
    run(env, *replay, f"--label-policy={rules['two']}", "--name=past")
    run(env, "replay", "diff", "past", code=1)
    run(env, "replay", "abandon", "past")
    assert {file for file in lake.rglob("*") if file.is_file()} == before
    shutil.copy(rules["one"], rules["two"])
    rules["two"].write_text(rules["two"].read_text().replace("version: 1", "version: 2"))
    run(env, *replay, f"--label-policy={rules['two']}", "--name=past")
    for crash in (ReplayStep.TRACES_NOTED, *OF_LABELS, ReplayStep.FILES_REMOVED):
        killed(env, crash, "replay", "promote", "past")
    run(env, "replay", "promote", "past")
    versions = {
        event.policy_version for event in events_in_force(replay_label_scene.written()).values()
    }
    assert {version[:7] for version in versions} == {"test/2-"}
    replay_label_scene.assert_exactly_once()
