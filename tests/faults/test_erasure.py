"""A person is erased beside a running worker, and stays away when topics are read again."""

import base64
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command
from goldpan.demo.broker import EmbeddedBroker
from lake.verify import verify_lake
from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import Pseudonyms
from tests.architecture.source import ROOT
from tests.batch.kit import open_lake
from tests.edges.search import marks_in_folder
from tests.servers.fixtures import StartWorker
from tests.servers.worker import TEST_KEY, run_goldpan, settings

PAGE = (ROOT / "docs/erasure.md").read_text(encoding="utf-8")
PERSON, NICKNAME = "u-1042", "Quetzalina"
MAKER = Pseudonyms(Keys.derive(base64.b64decode(TEST_KEY)))
OWN = [f"mia-trace-{n}" for n in range(6)]
WORDS = [PERSON, NICKNAME, MAKER.token("USER_ID", PERSON), *OWN, "mias-word"]
SEAL = base64.b64encode(bytes(32)).decode()
POLICY = "name: x\nentities: {EMAIL_ADDRESS: {}, USER_ID: {}}\nnames: {model: none}\n"
START = 1_790_000_000_000_000
SPEC = """\
name: support
description: Everything.
seed: 1
window: {from: 2026-09-01, to: 2026-10-31}
size: 60
redaction_policies: any
labels: {accept: [pass, fail, unknown, none]}
near_duplicates: null
"""


def trace(trace_id: str, user: str, n: int, text: str, **more: Any) -> dict[str, Any]:
    """A trace as a producer sends it."""
    message = {"role": "user", "content": text}
    fields = {"app": "shop", "environment": "test", "status": "ok", "messages": [message]}
    at = START + n * 3_600_000_000
    return {"trace_id": trace_id, "user_id": user, "started_at": at, **fields, **more}


def feedback(feedback_id: str, trace_id: str, user: str, **more: Any) -> dict[str, Any]:
    """A word about a trace."""
    said = {"kind": "thumbs", "value": -1.0, "actor": "end_user", "occurred_at": START + 10**9}
    return {"feedback_id": feedback_id, "trace_id": trace_id, "user_id": user, **said, **more}


def persons_records() -> list[tuple[str, dict[str, Any]]]:
    """All that the person, and those who name the person, send; one cannot be stored."""
    found = [
        ("llm.traces", trace(one, PERSON, n * 9, f"{NICKNAME} here, {PERSON}."))
        for n, one in enumerate(OWN)
    ]
    found[0][1]["status"] = "bogus"
    return [
        *found,
        ("llm.feedback", feedback("mias-word-1", OWN[1], PERSON, comment=NICKNAME)),
        ("llm.feedback", feedback("mias-word-2", "t01", PERSON, comment=NICKNAME)),
    ]


def others(first: int, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Traces of others with some feedback."""
    numbers = range(first, first + count)
    traces = [trace(f"t{n:02}", f"other-{n % 4}", n, f"Question {n}") for n in numbers]
    said = [feedback(f"f{n}", f"t{n:02}", f"other-{n % 4}") for n in numbers if n % 3 == 1]
    return [("llm.traces", one) for one in traces] + [("llm.feedback", one) for one in said]


def send(broker: EmbeddedBroker, records: list[tuple[str, dict[str, Any]]]) -> None:
    """Put records on their topics."""
    for topic, record in records:
        broker.send(topic, record["trace_id"], json.dumps(record).encode(), lambda _p, _o: None)
    broker.flush()


@pytest.fixture
def env(tmp_path: Path) -> Callable[[EmbeddedBroker], dict[str, str]]:
    """Settings with a light policy that gives placeholders, and sealed payloads."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "spec.yaml").write_text(SPEC)

    def made(broker: EmbeddedBroker) -> dict[str, str]:
        return settings(
            broker.address,
            tmp_path / "lake",
            redact__policy=tmp_path / "policy.yaml",
            redact__seal_key=SEAL,
            stream__flush_seconds=0.3,
        )

    return made


@pytest.fixture
def called(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command that must end well, and return what it printed.

    In this process, but for the worker and replays: the libraries take a while to load.
    """

    def run(env: dict[str, str], *arguments: str) -> str:
        if arguments[0] == "stream":
            done = run_goldpan(env, *arguments)
            assert done.returncode == 0, (arguments, done.stderr)
            return done.stdout
        capsys.readouterr()
        with monkeypatch.context() as patched:
            for name, value in env.items():
                patched.setenv(name, value)
            code = run_command(arguments)
        said = capsys.readouterr()
        assert code == 0, (arguments, said.err)
        return said.out

    return run


def test_erased_beside_a_running_worker_and_kept_out(
    tmp_path: Path,
    env: Callable[[EmbeddedBroker], dict[str, str]],
    called: Callable[..., str],
    start_worker: StartWorker,
) -> None:
    """From tables, quarantine, labels and releases; the topic read again brings nobody back."""
    broker, lake = EmbeddedBroker(), tmp_path / "lake"
    here = env(broker)
    send(broker, [*others(0, 20), *persons_records()])
    called(here, "stream", "run", "--until-caught-up")
    called(here, "labels", "reconcile")
    called(here, "release", "build", str(tmp_path / "spec.yaml"))
    sealed = {PERSON, OWN[0]}
    assert set(WORDS) - sealed <= {word for word in WORDS if marks_in_folder(lake, [word])}

    # Each in a group of its own: positions are in the tables, and nobody waits for the one before.
    worker = start_worker({**here, "GOLDPAN_KAFKA__GROUP_ID": "running"})
    send(broker, others(20, 10))
    commands_of_the_page(here, tmp_path, called)
    assert marks_in_folder(lake, WORDS) == []
    called(here, "release", "verify", "support@latest")
    called(here, "release", "verify", "support@1.0.0")

    send(broker, [*persons_records(), *others(30, 10)])
    worker.wait_until(lambda: rows(lake, "traces") >= 40)
    assert worker.alive
    worker.sigterm()
    worker.finish()
    called({**here, "GOLDPAN_KAFKA__GROUP_ID": "next"}, "stream", "run", "--until-caught-up")
    assert marks_in_folder(lake, WORDS) == []
    report = verify_lake(open_lake(lake), deep=True)
    assert report.problems == []
    assert sum(one.erased for one in report.partitions) == 8
    assert sum(one.dropped for one in report.partitions) >= 7

    staged = json.loads(
        called(
            here, "stream", "replay", "--topic=llm.traces", "--from=0", "--to=9999999999", "--json"
        )
    )
    called(here, "replay", "promote", staged["name"])
    assert marks_in_folder(lake, WORDS) == []
    assert verify_lake(open_lake(lake), deep=True).problems == []
    del broker


def rows(lake: Path, name: str) -> int:
    """How many rows a table has."""
    return int(open_lake(lake).table(name).facts().rows)


def commands_of_the_page(env: dict[str, str], folder: Path, called: Callable[..., str]) -> None:
    """Run the commands of docs/erasure.md as they stand there."""
    block = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert block
    for line in block[1].splitlines():
        words = shlex.split(line.partition(" #")[0])
        called(env, *(str(folder / w) if w.startswith("lake/") else w for w in words[1:]))


@pytest.mark.chaos
def test_a_replay_that_was_staged_before_can_be_promoted(
    tmp_path: Path, env: Callable[[EmbeddedBroker], dict[str, str]], called: Callable[..., str]
) -> None:
    """The erasure has been in its tables as well; what is promoted is of others."""
    broker, lake = EmbeddedBroker(), tmp_path / "lake"
    here = env(broker)
    send(broker, [*others(0, 20), *persons_records()])
    called(here, "stream", "run", "--until-caught-up")
    again = ("stream", "replay", "--topic=llm.traces", "--from=0", "--to=9999999999", "--json")
    staged = json.loads(called(here, *again))
    erased = json.loads(called(here, "erase", "--subject", PERSON, "--json"))
    assert any(name.startswith("replays/") for name in erased["receipt"]["tables"])
    assert marks_in_folder(lake, WORDS) == []
    called(here, "replay", "promote", staged["name"])
    assert marks_in_folder(lake, WORDS) == []
    assert verify_lake(open_lake(lake), deep=True).problems == []
    assert json.loads(called(here, "erase", "--subject", PERSON, "--json"))["again"]
    del broker
