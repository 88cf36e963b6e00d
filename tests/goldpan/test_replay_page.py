"""The commands of docs/replay.md, run as they stand there."""

import json
import re
from pathlib import Path

from goldpan.demo.broker import EmbeddedBroker
from goldpan.demo.traffic import load_shipped_conversations, make_feedback, make_traces
from goldpan.demo.wire_formats import encode_json
from lake.config import LakeSettings
from lake.tables import Lake
from tests.architecture.source import ROOT
from tests.servers.worker import call_goldpan, run_goldpan, settings

PAGE = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
COLUMNS = ("_partition", "_offset", "trace_id", "_schema", "_policy", "started_at")
START = 1_790_000_000_000_000


def filled_broker() -> EmbeddedBroker:
    """Return a broker with some conversations and the feedback on them."""
    broker = EmbeddedBroker()
    for conversation in load_shipped_conversations()[:3]:
        traces = make_traces(conversation, started_at=START)
        for record in traces:
            value = encode_json(record)
            broker.send("llm.traces", record["trace_id"], value, lambda _p, _o: None)
        for record in make_feedback(conversation, traces):
            broker.send(
                "llm.feedback", record["trace_id"], encode_json(record), lambda _p, _o: None
            )
    broker.flush()
    return broker


def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    """One after the other, on the embedded broker; the difference is told by its exit code."""
    broker = filled_broker()
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    block = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert block
    codes = []
    for line in block[1].splitlines():
        done = run_goldpan(env, *line.partition(" #")[0].split()[1:])
        codes.append(done.returncode)
        assert "goldpan:" not in done.stderr, done.stderr
    assert codes == [0, 0, 1, 0, 0, 0]
    del broker


def test_stored_rows_are_redacted_again(tmp_path: Path) -> None:
    """From the lake alone: the stricter policy holds for each row, and each is there once."""
    broker = filled_broker()
    policy = tmp_path / "strict.yaml"
    policy.write_text("name: x\nentities: {EMAIL_ADDRESS: {}, USER_ID: {}}\nnames: {model: none}\n")
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    before = Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"])).table("traces").read(COLUMNS)
    command = ("stream", "replay", "--topic=llm.traces", "--from=0", "--from-lake", "--json")
    done = run_goldpan(env, *command, f"--policy={policy}")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert call_goldpan(env, "replay", "promote", said["name"]).returncode == 0
    after = Lake(LakeSettings(uri=env["GOLDPAN_LAKE__URI"])).table("traces").read(COLUMNS)
    assert (
        set(after["_policy"].to_pylist()) == {said["policy"]} != set(before["_policy"].to_pylist())
    )
    keys = [(name, "ascending") for name in COLUMNS[:2]]
    unchanged = ["trace_id", "_partition", "_offset", "_schema", "started_at"]
    assert after.sort_by(keys).select(unchanged) == before.sort_by(keys).select(unchanged)
    assert call_goldpan(env, "lake", "verify", "--deep").returncode == 0
    del broker
