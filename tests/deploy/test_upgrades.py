"""The upgrade notes of docs/deploy.md, done with real workers."""

import base64
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from schemas.contract import CONTRACTS, Avsc, schema_fingerprint
from tests.architecture.source import ROOT
from tests.make.records import encode_json, trace
from tests.make.wire import single_object
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import unique
from tests.servers.mock_kafka import MockKafka
from tests.servers.topic_io import Record
from tests.servers.worker import Worker, run_goldpan, settings

COLUMNS = ["trace_id", "user_id", "_policy"]
POLICY = "extends: strict\nname: stricter\nentities: {ORGANIZATION: {operator: mask}}\n"


def _rows(lake: Path) -> dict[str, tuple[str, str]]:
    """The pseudonym and the policy of each stored trace."""
    if not (lake / "traces").exists():
        return {}
    found = DeltaTable(str(lake / "traces")).to_pyarrow_table(columns=COLUMNS).to_pylist()
    return {row["trace_id"]: (row["user_id"], row["_policy"]) for row in found}


def _produce(kafka: MockKafka, names: Sequence[str]) -> None:
    records = [trace(i) | {"trace_id": name, "user_id": "mia"} for i, name in enumerate(names)]
    kafka.produce("llm.traces", [Record(r["trace_id"].encode(), encode_json(r)) for r in records])


def _wait(worker: Worker, lake: Path, names: Sequence[str]) -> None:
    def there() -> bool:
        time.sleep(0.5)
        return set(names) <= set(_rows(lake))

    worker.wait_until(there, what="done with its records")


@pytest.mark.chaos
def test_a_new_policy_a_new_key_and_the_way_back(
    mock_kafka: MockKafka, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Rolled forward and back, no record is lost or doubled, and each row says what it is under.

    The old worker runs, the new one with another policy and key joins, the old one ends; later
    the old settings come back. One person has one pseudonym under each key, and the same again.
    """
    lake, policy = tmp_path / "lake", tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    old = settings(mock_kafka, lake, kafka__group_id=unique("rolled"), redact__policy="strict")
    new = old | {
        "GOLDPAN_REDACT__POLICY": str(policy),
        "GOLDPAN_REDACT__KEY": base64.b64encode(bytes(range(32, 64))).decode(),
        "GOLDPAN_REDACT__KEY_ID": "k2",
        "GOLDPAN_REDACT__FORMER_KEYS": json.dumps({"k1": old["GOLDPAN_REDACT__KEY"]}),
    }
    before, meanwhile, after = ([f"{part}-{i}" for i in range(8)] for part in "abc")

    first = start_worker(old, name="old")
    _produce(mock_kafka, before)
    _wait(first, lake, before)
    second = start_worker(new, name="new")
    second.wait_for_log("worker_started")
    first.sigterm()
    first.finish()
    _produce(mock_kafka, meanwhile)
    _wait(second, lake, meanwhile)
    second.sigterm()
    second.finish()
    _produce(mock_kafka, after)
    start_worker(old, "--until-caught-up", name="back").finish()

    rows = _rows(lake)
    assert sorted(rows) == sorted([*before, *meanwhile, *after])
    under_old, under_new = ({rows[name] for name in names} for names in (before, meanwhile))
    assert {rows[name] for name in after} == under_old
    ((old_name, old_policy),), ((new_name, new_policy),) = under_old, under_new
    assert old_name.startswith("k1:")
    assert new_name.startswith("k2:")
    assert old_name.partition(":")[2] != new_name.partition(":")[2]
    assert old_policy != new_policy
    proof = run_goldpan({"GOLDPAN_LAKE__URI": str(lake)}, "lake", "verify", "--deep")
    assert proof.returncode == 0, proof.stdout

    # With the former key an erasure finds her under both; a worker that lacks a key stops.
    done = run_goldpan(new, "erase", "run", "--subject", "mia", "--json")
    assert done.returncode == 0, done.stderr
    assert _rows(lake) == {}
    _produce(mock_kafka, ["d-0"])
    without = {k: v for k, v in new.items() if k != "GOLDPAN_REDACT__FORMER_KEYS"}
    start_worker(new, "--until-caught-up", name="kept").finish()
    assert (
        run_goldpan(without | _another_key(), "stream", "run", "--until-caught-up").returncode == 3
    )


def _another_key() -> dict[str, str]:
    key = base64.b64encode(bytes(range(64, 96))).decode()
    return {"GOLDPAN_REDACT__KEY": key, "GOLDPAN_REDACT__KEY_ID": "k3"}


ROOMS = ("goldpan", "stream", "batch", "labels", "redact", "lake", "decode", "schemas")
FIELD = {
    "name": "channel",
    "type": ["null", "string"],
    "default": None,
    "pii": "keep",
    "doc": "Where the user was met.",
}


def _later_version(folder: Path) -> tuple[dict[str, str], Avsc]:
    """A copy of goldpan whose traces have one more field: how to run it, and their schema."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    schema = folder / "schemas" / "avro" / "trace.avsc"
    avsc = json.loads(schema.read_text())
    avsc["fields"].append(FIELD)
    schema.write_text(json.dumps(avsc))
    records = folder / "schemas" / "records.py"
    before, mark, after = records.read_text().partition("\n\n\nclass Feedback(")
    records.write_text(f"{before}\n    channel: str | None = None{mark}{after}")
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}, avsc


def _send(kafka: MockKafka, names: Sequence[str], avsc: Avsc | None, **more: Any) -> None:
    """Produce traces in single-object Avro of a schema, or as JSON."""
    records = [trace(i) | {"trace_id": name, **more} for i, name in enumerate(names)]
    values = [encode_json(r) if avsc is None else single_object(_whole(r), avsc) for r in records]
    kafka.produce("llm.traces", [Record(n.encode(), v) for n, v in zip(names, values, strict=True)])


def _whole(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"channel": None, **record}


def _columns(lake: Path, *names: str) -> dict[str, tuple[Any, ...]]:
    columns = ["trace_id", *names]
    found = DeltaTable(str(lake / "traces")).to_pyarrow_table(columns=columns).to_pylist()
    return {row["trace_id"]: tuple(row[name] for name in names) for row in found}


@pytest.mark.chaos
def test_a_new_field_of_the_contract(
    mock_kafka: MockKafka, start_worker: StartWorker, tmp_path: Path
) -> None:
    """Columns first, beside a worker of before; then goldpan, then producers; and the way back.

    Both versions run in one group, both schemas are read, no record is lost or doubled, and what
    stands in the new column is not lost to a version that does not know it.
    """
    lake = tmp_path / "lake"
    old = settings(mock_kafka, lake, kafka__group_id=unique("grown"), redact__policy="strict")
    how, avsc = _later_version(tmp_path / "later")
    new, before = {**old, **how}, CONTRACTS["trace"].avro
    a, b, c, d, e, f, g, h = ([f"{part}-{i}" for i in range(8)] for part in "abcdefgh")

    first = start_worker(old, name="old")
    _send(mock_kafka, a, before)
    _wait(first, lake, a)
    refused = run_goldpan(new, "stream", "run", "--until-caught-up")
    assert refused.returncode == 3
    assert "goldpan lake upgrade" in refused.stderr
    added = run_goldpan(new, "lake", "upgrade", "--json")
    assert json.loads(added.stdout)["added"] == {"traces": ["channel"]}
    _send(mock_kafka, b, before)
    _wait(first, lake, b)
    second = start_worker(new, name="new")
    second.wait_for_log("worker_started")
    _send(mock_kafka, c, before)
    _wait(first, lake, c)
    first.sigterm()
    first.finish()
    _send(mock_kafka, d, avsc, channel="voice")
    _send(mock_kafka, e, None, channel="chat")
    _send(mock_kafka, f, before)
    _wait(second, lake, [*d, *e, *f])
    second.sigterm()
    second.finish()
    _send(mock_kafka, g, before)
    _send(mock_kafka, h, None, channel="mail")
    start_worker(old, "--until-caught-up", name="back").finish()

    told = run_goldpan(old, "lake", "compact", "--settled-days", "0")
    assert told.returncode == 3
    assert "this version of goldpan does not know (channel)" in told.stderr
    assert run_goldpan(new, "lake", "compact", "--settled-days", "0").returncode == 0
    assert not set(h) & set(_columns(lake))
    assert run_goldpan(new, "quarantine", "redrive", "--topic", "llm.traces").returncode == 0

    rows = _columns(lake, "channel", "_schema")
    assert sorted(rows) == sorted([*a, *b, *c, *d, *e, *f, *g, *h])
    channels = {name: channel for name, (channel, _) in rows.items() if channel is not None}
    voice, chat, mail = (dict.fromkeys(*one) for one in ((d, "voice"), (e, "chat"), (h, "mail")))
    assert channels == {**voice, **chat, **mail}
    assert {rows[name][1] for name in (*a, *b, *c, *f, *g)} == {schema_fingerprint(before)}
    assert {rows[name][1] for name in d} == {schema_fingerprint(avsc)}
    for version in (old, new):
        proof = run_goldpan(version, "lake", "verify", "--deep")
        assert proof.returncode == 0, proof.stdout
