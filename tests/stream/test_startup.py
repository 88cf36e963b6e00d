"""Whether a worker makes a lake: only where it may, and never without a word."""

import json
import shutil
import time
from pathlib import Path

import pytest

from lake.config import LakeSettings
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.errors import FatalError
from stream.startup import create_missing_tables, log_created_tables
from tests.servers.mock_kafka import MockKafka
from tests.servers.worker import run_goldpan, settings
from tests.tampering.scene import make


class Said:
    """A log that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def info(self, event: str, **fields: object) -> None:
        """Remember."""
        del fields
        self.events.append(("info", event))

    def warning(self, event: str, **fields: object) -> None:
        """Remember."""
        del fields
        self.events.append(("warning", event))

    def error(self, event: str, **fields: object) -> None:
        """Remember."""
        del fields
        self.events.append(("error", event))


def made(folder: Path, create: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Return which tables a worker makes there, and what it logs of it."""
    where, said = LakeSettings.model_validate({"uri": str(folder), "create": create}), Said()
    tables = create_missing_tables(Lake(where), where)
    log_created_tables(tables, where, said)
    return tables, said.events


def test_a_new_lake_is_made_where_that_is_set_and_said_loudly(tmp_path: Path) -> None:
    """As a warning, once; a table that was missing is another thing than a lake that was."""
    assert made(tmp_path / "lake", "if_missing") == (
        list(TABLE_LAYOUTS),
        [("warning", "lake_made")],
    )
    assert made(tmp_path / "lake", "if_missing") == ([], [])
    shutil.rmtree(tmp_path / "lake" / "reviews")
    assert made(tmp_path / "lake", "if_missing") == (["reviews"], [("warning", "tables_made")])


def test_an_address_with_a_typing_error_is_not_a_new_lake(tmp_path: Path) -> None:
    """With `never` the sentence says where it looked and what to do, and nothing is made."""
    with pytest.raises(FatalError, match=r"no table traces at .*lkae.*goldpan lake init"):
        made(tmp_path / "lkae", "never")
    assert list(tmp_path.iterdir()) == []


def test_a_lake_of_which_a_table_is_gone_is_not_mended_in_passing(tmp_path: Path) -> None:
    """With `never` a missing table stops the worker too."""
    made(tmp_path / "lake", "if_missing")
    assert made(tmp_path / "lake", "never") == ([], [])
    shutil.rmtree(tmp_path / "lake" / "labels")
    with pytest.raises(FatalError, match="no table labels"):
        made(tmp_path / "lake", "never")
    assert not (tmp_path / "lake" / "labels").exists()


def test_a_table_that_is_gone_from_a_lake_in_use_is_not_made_by_a_worker(tmp_path: Path) -> None:
    """Where it may make tables, too: what the table held would be gone without a word."""
    make(tmp_path / "lake")
    shutil.rmtree(tmp_path / "lake" / "redactions")
    with pytest.raises(FatalError, match=r"no table redactions .* holds rows that were committed"):
        made(tmp_path / "lake", "if_missing")
    assert not (tmp_path / "lake" / "redactions").exists()


def test_the_time_of_making_stays_what_it_is(tmp_path: Path) -> None:
    """It is that of the lake, not of the process: workers that start later show it too."""
    made(tmp_path / "lake", "if_missing")
    found = {Lake(LakeSettings(uri=str(tmp_path / "lake"))).created_ms() for _ in range(2)}
    (made_ms,) = found
    assert abs(made_ms / 1000 - time.time()) < 600


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_worker_that_may_make_no_lake_ends(
    workers: str, mock_kafka: MockKafka, tmp_path: Path
) -> None:
    """One process or several: exit code 3, one sentence, no folder; after `lake init` it runs."""
    mock_kafka.produce("llm.traces", [])
    mock_kafka.produce("llm.feedback", [])
    env = settings(mock_kafka, tmp_path / "lake", lake__create="never", labels__policy="off")
    run = ("stream", "run", "--until-caught-up", "--workers", workers)
    done = run_goldpan(env, *run)
    assert done.returncode == 3
    assert "there is no table traces" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "lake").exists()
    if workers == "1":
        assert run_goldpan(env, "lake", "init").returncode == 0
        assert run_goldpan(env, *run).returncode == 0


def test_a_worker_says_that_it_made_a_lake(mock_kafka: MockKafka, tmp_path: Path) -> None:
    """On one's own machine, with no setting, the first run makes it, and warns."""
    mock_kafka.produce("llm.traces", [])
    mock_kafka.produce("llm.feedback", [])
    env = settings(mock_kafka, tmp_path / "lake", labels__policy="off")
    done = run_goldpan(env, "stream", "run", "--until-caught-up")
    (said,) = [e for e in map(json.loads, done.stderr.splitlines()) if e["event"] == "lake_made"]
    assert (said["level"], said["uri"]) == ("warning", str(tmp_path / "lake"))
