"""The audit of redaction tells of each stored record once, whenever a worker dies."""

from pathlib import Path

import pytest

from redact.pipeline.audit import chain_hash
from stream.failpoints import FlushStep
from tests.faults.scene import Scene
from tests.kill_harness import KILLED

COMMITS = (FlushStep.QUARANTINE_COMMITTED, FlushStep.AUDIT_COMMITTED, FlushStep.PRIMARY_COMMITTED)
OUTSIDE_THE_CHAIN = {"previous", "chain", "event_date", "_schema"}


@pytest.mark.parametrize("step", COMMITS)
def test_killed_between_commits(scene: Scene, step: FlushStep, tmp_path: Path) -> None:
    """No row of the audit is missing or doubled after a crash, and its chain holds."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: mails\nentities:\n  EMAIL_ADDRESS: {}\nnames: {model: none}\n")
    scene.more = {"redact__policy": str(policy)}
    scene.produce(60)
    worker = scene.start(stream__fail_at=str(step))
    assert worker.wait() == KILLED, worker.tail()
    scene.produce(20)
    scene.catch_up()
    scene.assert_exactly_once()
    told = scene.witness.coordinates("redactions")
    stored = scene.witness.coordinates("traces") + scene.witness.coordinates("feedback")
    assert told == stored
    _assert_chained(scene.witness.rows("redactions").to_pylist())


def _assert_chained(rows: list[dict[str, object]]) -> None:
    """Each row hashes to its own link; each link but a first is that of a row before."""
    links = {row["chain"] for row in rows}
    began = [row for row in rows if row["previous"] not in links]
    assert len(links) == len(rows)
    assert 0 < len(began) < len(rows)
    for row in rows:
        told = {k: v for k, v in row.items() if k not in OUTSIDE_THE_CHAIN}
        micros = round(told["_ingested_at"].timestamp() * 1_000_000)  # type: ignore[attr-defined]
        assert chain_hash({**told, "_ingested_at": micros}, str(row["previous"])) == row["chain"]
