"""The commands of docs/replay.md, run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

from goldpan.demo.broker import Broker
from goldpan.demo.framing import as_json
from goldpan.demo.traffic import feedback_of, shipped_conversations, traces_of
from tests.architecture.source import ROOT
from tests.servers.worker import environment, run_goldpan, settings

PAGE = (ROOT / "docs/replay.md").read_text(encoding="utf-8")
START = 1_790_000_000_000_000


def test_the_commands_of_the_page_run(tmp_path: Path) -> None:
    """One after the other, on the embedded broker; the difference is told by its exit code."""
    broker = Broker()
    for conversation in shipped_conversations()[:3]:
        traces = traces_of(conversation, started_at=START)
        for record in traces:
            value = as_json(record)
            broker.send("llm.traces", record["trace_id"], value, lambda _p, _o: None)
        for record in feedback_of(conversation, traces):
            broker.send("llm.feedback", record["trace_id"], as_json(record), lambda _p, _o: None)
    broker.flush()
    env = settings(broker.address, tmp_path / "lake")
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    block = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert block
    codes = []
    for line in block[1].splitlines():
        command = line.partition(" #")[0].replace("goldpan", f"{sys.executable} -m goldpan", 1)
        done = subprocess.run(
            command.split(), env=environment(env), capture_output=True, text=True, check=False
        )
        codes.append(done.returncode)
        assert "goldpan:" not in done.stderr, done.stderr
    assert codes == [0, 0, 1, 0, 0, 0]
    del broker
