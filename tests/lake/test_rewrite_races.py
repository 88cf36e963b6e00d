"""Files are replaced by several processes at once, and over a network that loses answers."""

import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import boto3
import pytest

from lake.config import LakeSettings
from lake.quarantine import remove_quarantined
from lake.tables import Lake
from tests.lake.kit import TOPIC, append, commit_context, make_lake, offsets
from tests.lake.racer import ROUNDS
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3

ROOT = Path(__file__).parents[2]
END = 3 * ROUNDS


def started(module: str, *arguments: str, **environment: str) -> "Popen[bytes]":
    """Start a process of the tests."""
    command = [sys.executable, "-m", f"tests.lake.{module}", *arguments]
    return Popen(command, cwd=ROOT, stdout=PIPE, env={**os.environ, **environment})


def told(process: "Popen[bytes]") -> list[int]:
    """Return the numbers that a process wrote in the end."""
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    return [int(number) for number in output.split()]


def test_two_who_compact_while_another_appends(tmp_path: Path) -> None:
    """No row is lost, none is there twice, and in the end there are few files."""
    lake = make_lake(tmp_path)
    worker = started("racer", str(tmp_path), "1")
    others = [started("rewriter", str(tmp_path / "lake"), str(END)) for _ in range(2)]
    assert told(worker) == [ROUNDS]
    won = [told(process)[0] for process in others]
    table = lake.table("feedback")
    assert offsets(table) == list(range(END))
    assert len(table.active_files()) < ROUNDS
    assert sum(won) > 0
    said = [entry for entry in table.handle.history() if "goldpan.rewrite" in entry]
    assert len(said) == sum(won)
    assert len({entry["goldpan.rewrite"] for entry in said}) == sum(won)


@pytest.fixture
def lake_on_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake of its own on S3."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    lake = Lake(LakeSettings(uri=s3.new_lake(), s3_endpoint_url=s3.endpoint))
    lake.init()
    return lake


def test_records_are_taken_out_of_a_quarantine_on_s3(lake_on_s3: Lake) -> None:
    """The files that hold them are found there as in a folder."""
    table = lake_on_s3.table("quarantine")
    append(table, None, 3)
    append(table, 3, 6, token=2)
    taken = remove_quarantined(
        table, TOPIC, [(0, 1, None), (0, 9, None)], commit_context(new_token=lambda: 1)
    )
    assert taken == 1
    assert offsets(table) == [0, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", [Fault.DROP_REPLY, Fault.ERROR_500_AFTER, Fault.ERROR_503])
def test_a_lost_answer_is_settled_on_s3(s3: S3, lake_on_s3: Lake, fault: Fault) -> None:
    """The commit is made once, whether the request or its answer was lost."""
    table = lake_on_s3.table("feedback")
    append(table, None, 3)
    append(table, 3, 6, token=2)
    with FaultyS3(s3.endpoint) as proxy:
        proxy.inject(fault, "PUT", r"/feedback/_delta_log/\d+\.json", times=5)
        numbers = told(started("rewriter", lake_on_s3.location.uri, "6", **s3.env(proxy.endpoint)))
    assert numbers[:2] == [1, 0]
    assert numbers[2] > 0
    assert offsets(table) == list(range(6))
    assert len(table.active_files()) == 1
    said = [entry for entry in table.handle.history() if "goldpan.rewrite" in entry]
    assert len(said) == 1
