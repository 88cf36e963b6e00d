"""Labels of a past range are decided anew by a command, from the lake alone."""

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command as run_here
from lake.config import LakeSettings
from lake.tables import Lake
from lake.verify import verify_lake
from tests.architecture.source import ROOT
from tests.goldpan.test_replay_page import filled_broker
from tests.servers.ports import free_port
from tests.servers.worker import Worker, run_goldpan, settings

PAGE = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
DAYS = "--days=2026-09-20..2026-09-24"
REPLAY = ("stream", "replay", "--topic=llm.traces", "--labels-only")
POLICY = "extends: chat_support\nname: mine\nversion: 3\nbase_rate: {mean: 0.01}\n"


@pytest.fixture
def stored(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """The environment of a lake that holds some conversations, and a second label policy."""
    broker = filled_broker()
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    policy = tmp_path / "mine.yaml"
    policy.write_text(POLICY)
    del broker
    return env, policy


def run(env: dict[str, str], *command: str, code: int = 0) -> Any:
    """Run a command; return what it says."""
    done = run_goldpan(env, *command, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if code < 2 else done.stderr


def in_force(env: dict[str, str]) -> dict[str, str]:
    """Return the policy of the label in force of each trace."""
    labels = Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"])).table("labels")
    rows = labels.read(["trace_id", "revision", "policy_version"]).sort_by("revision").to_pylist()
    return {row["trace_id"]: row["policy_version"] for row in rows}


def test_a_past_range_is_labelled_anew(stored: tuple[dict[str, str], Path]) -> None:
    """Kafka is gone; compared by its exit code, promoted, and nothing but labels has changed."""
    env, policy = stored
    lake = Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"]))
    versions = {name: lake.table(name).handle.version() for name in ("traces", "quarantine")}
    before = in_force(env)
    told = PAGE.partition("```console\ngoldpan stream replay")[2]
    (line,) = (line for line in told.splitlines() if "--labels-only --label-policy" in line)
    command = line.replace("2026-10-01..2026-10-31", DAYS[7:]).replace("two.yaml", str(policy))
    said = run(env, *command.split()[1:], "--name=mine")
    assert (said["policy"], said["labels_only"]) == (None, True)
    assert in_force(env) == before
    difference = run(env, "replay", "diff", "mine", code=1)
    assert difference["labels"]["changes"]["policy_version"] == len(before) > 0
    assert {sum(row["traces"] for row in difference["labels"]["confusion"])} >= {len(before)}
    assert "rows" not in difference
    run(env, "replay", "promote", "mine")
    after = in_force(env)
    assert after.keys() == before.keys()
    assert set(after.values()) == {said["label_policy"]}
    fresh = Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"]))
    assert {name: fresh.table(name).handle.version() for name in versions} == versions
    assert verify_lake(fresh, deep=True).problems == []
    assert run(env, "replay", "list")["replays"][0]["state"] == "promoted"
    # The version stands for this policy from now on.
    policy.write_text(POLICY.replace("0.01", "0.02"))
    told = run(env, *REPLAY, DAYS, f"--label-policy={policy}", code=2)
    assert "raise `version`" in told


@pytest.mark.parametrize(
    "more",
    [
        (DAYS, "--policy=strict"),
        (DAYS, "--from-lake"),
        ("--days=2020-01-01",),
        ("--from=0", "--to=2026-09-24"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path,
    more: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one sentence, with exit code 2, before anything is written."""
    env = settings("localhost:1", tmp_path / "lake")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"])).init()
    assert run_here([*REPLAY, *more]) == 2
    told = capsys.readouterr().err
    assert told.startswith("goldpan: ")
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "lake" / "replays").exists()


def test_a_replay_serves_metrics_where_a_port_is_set(tmp_path: Path) -> None:
    """How much is read, and of how much, while it runs."""
    broker = filled_broker()
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    port = free_port()
    env["GOLDPAN_METRICS__PORT"] = str(port)
    command = ("stream", "replay")
    slow = ("--topic=llm.traces", "--from=0", "--records-per-second=4")
    replay = Worker(env, slow, folder=tmp_path, command=command)

    def shown() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    read = 'goldpan_replay_records_total{outcome="read",topic="llm.traces"}'
    replay.wait_until(lambda: f"{read} " in shown() and f"{read} 0.0" not in shown())
    text = shown()
    for wanted in ("replay_offsets{", "replay_offsets_per_second{", "replay_seconds_left{"):
        assert f"goldpan_{wanted}" in text
    replay.sigkill()
    del broker
