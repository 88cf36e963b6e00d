"""Tables are made once, opened only if they fit, and described truly."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import Popen
from threading import Barrier

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lake.config import LakeSettings
from lake.location import LakeLocation
from lake.schema_check import check_schema
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import LEDGER_KEY
from lake.tables import Lake
from schemas.arrow import TABLES
from schemas.errors import FatalError, UsageError
from tests.lake.kit import append, make_lake, offsets, open_lake

ROOT = Path(__file__).parents[2]
MAKE = """
import sys
from lake.config import LakeSettings
from lake.tables import Lake
Lake(LakeSettings(uri=sys.argv[1])).init()
"""


def test_tables_are_made_once(tmp_path: Path) -> None:
    """The second time there is nothing to make, and nothing is lost."""
    lake = open_lake(tmp_path)
    assert set(lake.init()) == set(TABLE_LAYOUTS)
    append(lake.table("feedback"), None, 3)
    assert open_lake(tmp_path).init() == []
    assert open_lake(tmp_path).table("feedback").facts().rows == 3


def test_many_processes_may_make_them_at_once(tmp_path: Path) -> None:
    """Workers that start together find one set of tables."""
    command = [sys.executable, "-c", MAKE, str(tmp_path / "lake")]
    started = [Popen(command, cwd=ROOT) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert open_lake(tmp_path).init() == []


@pytest.mark.parametrize("_round", range(5))
def test_who_comes_second_finds_the_tables_made(tmp_path: Path, _round: int) -> None:
    """Of four that begin at the same moment each ends well, and the tables can be used.

    delta-rs may write the same metadata twice, which changes nothing.
    """
    gate = Barrier(4)

    def make() -> list[str]:
        lake = open_lake(tmp_path)
        gate.wait()
        return lake.init()

    with ThreadPoolExecutor(4) as pool:
        made = [started.result() for started in [pool.submit(make) for _ in range(4)]]
    assert {name for names in made for name in names} == set(TABLE_LAYOUTS)
    append(open_lake(tmp_path).table("feedback"), None, 3)
    assert open_lake(tmp_path).init() == []
    assert offsets(open_lake(tmp_path).table("feedback")) == [0, 1, 2]


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message says which table, where, and how it is made."""
    with pytest.raises(FatalError, match=r"no table traces at .*lake/traces: .*goldpan lake init"):
        open_lake(tmp_path).table("traces")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.remove(s.get_field_index("kind")), "lacks kind"),
        (lambda s: s.append(pa.field("mood", pa.string(), nullable=False)), "has unknown mood"),
        (
            lambda s: s.set(s.get_field_index("value"), pa.field("value", pa.string())),
            "has another type for value",
        ),
    ],
)
def test_a_table_of_another_schema_is_refused(tmp_path: Path, change: "object", says: str) -> None:
    """The columns that do not fit are named."""
    schema = change(TABLES["feedback"].arrow)  # type: ignore[operator]
    handle = DeltaTable.create(str(tmp_path / "t"), schema, partition_by=["event_date"])
    with pytest.raises(FatalError, match=f"feedback.*{says}"):
        check_schema("feedback", handle, TABLES["feedback"].arrow)


def test_a_table_that_is_divided_otherwise_is_refused(tmp_path: Path) -> None:
    """Files would go to folders that the table does not know."""
    handle = DeltaTable.create(str(tmp_path / "t"), TABLES["feedback"].arrow)
    with pytest.raises(FatalError, match="is partitioned by nothing"):
        check_schema("feedback", handle, TABLES["feedback"].arrow)


def test_positions_never_expire(tmp_path: Path) -> None:
    """Delta would forget them after a while if told to."""
    for table in make_lake(tmp_path).tables():
        settings = table.handle.metadata().configuration
        assert "delta.setTransactionRetentionDuration" not in settings
        assert settings["delta.enableExpiredLogCleanup"] == "false"


def test_a_checkpoint_keeps_positions_and_proof(tmp_path: Path) -> None:
    """A worker that starts from a checkpoint finds what the log said."""
    table = make_lake(tmp_path).table("feedback")
    append(table, None, 3)
    append(table, 3, 5, token=2)
    table.refresh()
    table.checkpoint()
    again = open_lake(tmp_path).table("feedback")
    assert again.txn_version("llm.feedback/0") == 5
    assert [logged.entry.ranges[0].end for logged in again.ledger()] == [3, 5]


@pytest.mark.parametrize(
    ("uri", "table"),
    [
        ("s3://bucket/some/where/", "s3://bucket/some/where/traces"),
        ("s3://bucket", "s3://bucket/traces"),
        ("file:///var/my%20lake", "/var/my lake/traces"),
        ("/var/lake", "/var/lake/traces"),
    ],
)
def test_where_a_table_lies(uri: str, table: str) -> None:
    """Below the root, in a folder or in a bucket."""
    assert LakeLocation(uri).table_uri("traces") == table


def test_other_places_are_refused() -> None:
    """The message names the setting and what it may be."""
    with pytest.raises(UsageError, match="GOLDPAN_LAKE__URI: gs:// is not supported"):
        LakeLocation("gs://bucket/lake").table_uri("traces")


def test_an_s3_server_without_tls_has_to_be_named_so() -> None:
    """Only an http:// endpoint switches plain HTTP on."""
    plain = LakeLocation("s3://b/l", "http://minio:9000").table_options()
    assert (plain["aws_endpoint"], plain["aws_allow_http"]) == ("http://minio:9000", "true")
    assert "aws_allow_http" not in LakeLocation("s3://b/l", "https://minio:9000").table_options()
    assert LakeLocation("/var/lake").table_options() == {}


def test_a_lake_takes_settings(tmp_path: Path) -> None:
    """A relative folder is one below the current one."""
    assert Lake(LakeSettings(uri="somewhere")).location.folder == Path.cwd() / "somewhere"


def test_what_commits_say_is_read_as_far_back_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many commits are read at a time; a log is not read to its beginning for nothing."""
    table = make_lake(tmp_path).table("feedback")
    for number, start in enumerate([None, 2, 4, 6, 8]):
        append(table, start, (start or 0) + 2, token=number)
    table.refresh()
    every = table.commit_metadata(LEDGER_KEY)
    monkeypatch.setattr("lake.tables.FIRST_COMMITS", 2)
    assert table.commit_metadata(LEDGER_KEY) == every
    assert [version for version, _ in every] == [1, 2, 3, 4, 5]
    assert [version for version, _ in table.commit_metadata(LEDGER_KEY, since_ms=2**62)] == [4, 5]
    for after in range(-1, 7):
        assert table.commit_metadata(LEDGER_KEY, after=after) == every[max(after, 0) :]
