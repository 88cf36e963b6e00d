"""The upgrade notes of docs/deploy.md, done with real workers."""

import base64
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.make.records import encode_json, trace
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
