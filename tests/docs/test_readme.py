"""The first page: its records, its ten lines of Python and its commands, run as they stand.

The commands on the lake of the demo are run by `tests/goldpan/test_demo.py`, which has that lake.
"""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from goldpan.demo.broker import EmbeddedBroker
from tests.docs.pages import Block, code_blocks
from tests.servers.worker import environment, run_goldpan, settings

BLOCKS = code_blocks("README.md")
TOKEN = re.compile(r"(?<=:)[a-z0-9]{12}\b")
TIMES = {"started_at", "occurred_at"}
SPEC = """\
name: shop
window: {{from: {day}, to: {next}}}
size: 1
strata: [label]
allocation: {{by: proportional}}
redaction_policies: any
seed: 1
"""


def _block(language: str, word: str) -> Block:
    """Return the one block of a language that holds a word."""
    [block] = [b for b in BLOCKS if b.language == language and word in b.text]
    return block


def _settings(broker: EmbeddedBroker, **more: object) -> dict[str, str]:
    return settings(broker.address, "lake", redact__policy=None, **more)


def _shown(value: Any, pattern: Any) -> Any:
    """Return a value with the keys of a pattern only, as a page shows a part of it."""
    if isinstance(pattern, dict):
        return {key: _shown(value[key], pattern[key]) for key in pattern}
    if isinstance(pattern, list):
        return [_shown(v, p) for v, p in zip(value, pattern, strict=True)]
    return TOKEN.sub("…", value) if isinstance(value, str) else value


def test_what_goes_in_comes_out_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two records as they are sent become the row that is shown, but for keys and times."""
    monkeypatch.chdir(tmp_path)
    now = datetime.now(UTC).replace(microsecond=0)
    trace, feedback, row = (
        json.loads(b.text) | {key: now.isoformat() for key in TIMES & json.loads(b.text).keys()}
        for b in BLOCKS
        if b.language == "json"
    )
    feedback["occurred_at"] = (now + timedelta(seconds=20)).isoformat()
    broker = EmbeddedBroker()
    for topic, record in (("llm.traces", trace), ("llm.feedback", feedback)):
        broker.send(topic, record["trace_id"], json.dumps(record).encode(), lambda _p, _o: None)
    broker.flush()
    env = _settings(broker)
    assert run_goldpan(env, "stream", "run", "--until-caught-up").returncode == 0
    tomorrow = now.date() + timedelta(days=1)
    Path("shop.yaml").write_text(SPEC.format(day=now.date(), next=tomorrow))
    for command in (
        ("release", "build", "shop.yaml"),
        ("release", "export", "shop@latest", "--to", "jsonl", "--out", "export"),
    ):
        done = run_goldpan(env, *command)
        assert done.returncode == 0, done.stderr
    exported = json.loads(Path("export/shop.jsonl").read_text())
    pattern = {key: value for key, value in row.items() if key not in TIMES}
    assert _shown(exported, pattern) == _shown(pattern, pattern)
    del broker


def test_ten_lines_of_python_on_ones_own_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Send, read, prove, look: every line of the section, one after the other."""
    monkeypatch.chdir(tmp_path)
    broker = EmbeddedBroker()
    exports = _block("sh", "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS")
    keys = re.findall(r"^export (\w+)=(\S+)", exports.text, re.MULTILINE)
    assert [name for name, _ in keys] == [
        "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS",
        "GOLDPAN_LAKE__URI",
        "GOLDPAN_REDACT__KEY",
    ]
    env = _settings(broker, lake__uri=dict(keys)["GOLDPAN_LAKE__URI"])
    send = _block("python", "Producer")
    assert len(list(filter(None, send.text.splitlines()))) == 10
    _run_python(send.text.replace("localhost:9092", broker.address))
    for line in _block("sh", "lake verify --kafka").text.splitlines():
        done = run_goldpan(env, *line.partition("#")[0].split()[1:])
        assert done.returncode == 0, done.stderr
    printed = _run_python(_block("python", "DeltaTable").text)
    assert "'label': 'fail'" in printed
    del broker


def _run_python(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text],
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
