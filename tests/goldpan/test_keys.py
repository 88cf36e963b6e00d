"""A key is not its name: another secret under the same name is refused wherever it is used."""

import base64
import json
from itertools import product
from pathlib import Path

import pytest

from goldpan import key_check
from goldpan.demo.traffic import load_shipped_conversations, make_traces
from goldpan.demo.wire_formats import encode_json
from goldpan.settings import load_settings
from lake.key_checks import KeyCheck, matches_key_check, put_key_check
from lake.objects import FolderStore
from redact.crypto.keys import Keys, SealKey
from schemas.errors import FatalError, UsageError
from tests.batch.erase.world import PERSON, SEAL, new_world
from tests.batch.kit import open_lake
from tests.servers.in_process import Run, runner, work_in
from tests.servers.mock_kafka import MockKafka
from tests.servers.worker import TEST_KEY, run_goldpan, settings
from tests.short_versions import short

OTHER = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def run_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan in this process on a lake of which the keys were never put down."""
    new_world(tmp_path / "lake")
    work_in(tmp_path, monkeypatch)

    return runner(capsys)


COMMANDS = [
    ["erase", "run", "--subject", PERSON],
    ["erase", "run", "--subject", PERSON, "--dry-run"],
    ["review", "next", "--reviewer", "ann"],
    ["stream", "replay", "--topic", "llm.traces", "--from", "0"],
    ["lake", "verify"],
    ["release", "build", "spec.yaml"],
    ["gate", "gate.yaml", "--candidate", "out.jsonl"],
]


@pytest.mark.parametrize(
    ("key", "known"),
    short(list(product(["KEY", "SEAL_KEY"], [True, False])), [("KEY", True), ("SEAL_KEY", False)]),
)
def test_every_command_refuses_another_key_of_the_same_name(
    key: str, known: bool, run_keys: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its check value, or, in a lake that has none, from what rows were made with it."""
    if known:
        key_check.refuse_wrong_keys(load_settings(), open_lake("lake"), remember=True)
    (tmp_path / "spec.yaml").write_text(
        "name: a\nwindow: {from: 2026-01-01, to: 2027-01-01}\nsize: 1\nseed: 1\n"
        "redaction_policies: any\n"
    )
    gate = "gate: g\nrelease: a@1\nrequire: {error_rate: {at_most: 0.1}}\n"
    (tmp_path / "gate.yaml").write_text(gate)
    monkeypatch.setenv(f"GOLDPAN_REDACT__{key}", OTHER)
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for command in COMMANDS:
        with monkeypatch.context() as patch:
            if "replay" in command:  # the labels of this lake are those of a policy of the tests
                patch.setenv("GOLDPAN_LABELS__POLICY", "off")
            done = run_keys(*command)
        assert done.returncode == 2, (command, done.stderr)
        start = f"goldpan: GOLDPAN_REDACT__{key} differs from this lake's key"
        assert done.stderr.startswith(start)
        assert f"GOLDPAN_REDACT__{key}_ID" in done.stderr
        assert OTHER not in done.stderr
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


def test_the_key_of_the_lake_goes_on_working(run_keys: Run) -> None:
    """Nothing is refused that fits, whether its check value is there or not."""
    assert run_keys("erase", "run", "--subject", PERSON, "--dry-run").returncode == 0
    key_check.refuse_wrong_keys(load_settings(), open_lake("lake"), remember=True)
    for _ in range(2):
        assert run_keys("erase", "run", "--subject", PERSON, "--dry-run").returncode == 0


@pytest.mark.usefixtures("run_keys")
def test_a_former_key_that_is_another_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rotation the key of before has its name still; a mixed-up one would find nobody."""
    key_check.refuse_wrong_keys(load_settings(), open_lake("lake"), remember=True)
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", OTHER)
    monkeypatch.setenv("GOLDPAN_REDACT__KEY_ID", "k2")
    monkeypatch.setenv("GOLDPAN_REDACT__FORMER_KEYS", json.dumps({"k1": TEST_KEY}))
    key_check.refuse_wrong_keys(load_settings(), open_lake("lake"), remember=True)
    monkeypatch.setenv("GOLDPAN_REDACT__FORMER_KEYS", json.dumps({"k1": OTHER}))
    with pytest.raises(UsageError, match="GOLDPAN_REDACT__FORMER_KEYS differs from"):
        key_check.refuse_wrong_keys(load_settings(), open_lake("lake"))


def test_verify_says_which_keys_the_rows_need(run_keys: Run) -> None:
    """By purpose and name; those that only rows speak of too, with how often they stand there."""
    assert "keys" not in json.loads(run_keys("lake", "verify", "--json").stdout)
    key_check.refuse_wrong_keys(load_settings(), open_lake("lake"), remember=True)
    (plain, deep) = (
        json.loads(run_keys("lake", "verify", *more, "--json").stdout)["keys"]
        for more in ((), ("--deep",))
    )
    assert [(one["purpose"], one["key_id"], one["known"], one["rows"]) for one in plain] == [
        ("redaction", "k1", True, None),
        ("sealing", SEAL.key_id, True, None),
    ]
    assert {(one["purpose"], one["key_id"]) for one in deep} >= {
        ("redaction", "k1"),
        ("sealing", SEAL.key_id),
    }
    assert all(one["rows"] > 0 for one in deep)
    assert "key k1 (redaction), used in" in run_keys("lake", "verify", "--deep").stdout


def test_a_check_value_is_put_down_once(tmp_path: Path) -> None:
    """Of two that are the first to use a name, one has it; the other is told."""
    files = FolderStore(tmp_path)
    one, two = (KeyCheck("redaction", "k1", digits * 32) for digits in "ab")
    assert matches_key_check(files, one) is None
    assert put_key_check(files, one)
    assert put_key_check(files, one)
    assert not put_key_check(files, two)
    assert (matches_key_check(files, one), matches_key_check(files, two)) == (True, False)
    for damaged in (b"", b"{}", b"[1]", two.to_json().replace(b"k1", b"k2")):
        (tmp_path / one.file).write_bytes(damaged)
        with pytest.raises(FatalError):
            matches_key_check(files, one)


def test_a_check_value_is_of_the_secret_and_gives_nothing_of_it() -> None:
    """Another secret or another purpose has another one; none holds a derived key."""
    secrets = [bytes(range(32)), bytes(32)]
    made = [Keys.derive(secret) for secret in secrets]
    checks = [key_check.make_key_check(one).check for one in made]
    checks += [key_check.make_seal_key_check(SealKey("k1", secret)).check for secret in secrets]
    assert len(set(checks)) == 4
    held = {value.hex() for one in made for value in (one.pseudonym, one.erasure, one.receipt)}
    assert not any(check in value for check in checks for value in held)


def test_a_worker_with_another_secret_stops_before_it_reads(
    mock_kafka: MockKafka, tmp_path: Path
) -> None:
    """The first worker puts its key down; a pod with another one under the same name is refused."""
    traces = make_traces(load_shipped_conversations()[0], started_at=1_790_000_000_000_000)[:3]
    mock_kafka.produce("llm.traces", [(one["trace_id"], encode_json(one)) for one in traces])
    mock_kafka.produce("llm.feedback", [])
    env = settings(mock_kafka, tmp_path / "lake", labels__policy="off")
    worker = ("stream", "run", "--until-caught-up")
    done = run_goldpan(env, *worker)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lake" / "keys" / "redaction.k1.json").exists()
    mock_kafka.produce("llm.traces", [(one["trace_id"], encode_json(one)) for one in traces])
    other = run_goldpan({**env, "GOLDPAN_REDACT__KEY": OTHER}, *worker)
    assert other.returncode == 2
    assert "GOLDPAN_REDACT__KEY differs from this lake's key" in other.stderr
    rotated = {"GOLDPAN_REDACT__KEY": OTHER, "GOLDPAN_REDACT__KEY_ID": "k2"}
    rotated |= {"GOLDPAN_REDACT__FORMER_KEYS": json.dumps({"k1": TEST_KEY})}
    done = run_goldpan({**env, **rotated}, *worker)
    assert done.returncode == 0, done.stderr
