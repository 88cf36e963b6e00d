"""The benchmark of releases: its lake holds what it says, and it finds versions that differ."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from batch.assembled_rows import has_assembled_rows
from benchmarks import release_lake
from benchmarks.release import DifferentReleaseError, Figures, Measurement, measure
from benchmarks.release_lake import LakeShape, Origin, make
from lake.commit import commit
from lake.config import LakeSettings
from lake.snapshot import open_snapshot
from lake.table_commit import CommitContext, TableCommit
from lake.tables import Lake, Table

ROOT = Path(__file__).parents[3]


def _made(folder: Path, shape: LakeShape) -> Lake:
    lake = Lake(LakeSettings(uri=str(folder)))
    make(lake, shape)
    return lake


def _traces(lake: Lake) -> pa.Table:
    return open_snapshot(lake, "traces").dataset().to_table()


@pytest.mark.parametrize("origin", list(Origin))
def test_a_lake_has_each_trace_once_but_for_those_assembled_again(
    tmp_path: Path, origin: Origin
) -> None:
    """Every id differs, and coordinates do too; a fifth has a label."""
    lake = _made(tmp_path, LakeShape(1_000, 4, origin, has_hex_ids=True))
    rows = _traces(lake)
    again = {Origin.RECORDS: 0, Origin.SPANS: 20, Origin.BOTH: 20}[origin]
    assert len(rows) == 1_000 + again
    assert pc.count_distinct(rows["trace_id"]).as_py() == 1_000
    assert pc.all(pc.match_substring_regex(rows["trace_id"], "^[0-9a-f]{32}$")).as_py()
    assert pc.count_distinct(rows["session_id"]).as_py() == 250
    assert len(set(zip(*(rows[c].to_pylist() for c in ("_topic", "_offset")), strict=True))) == len(
        rows
    )
    assert has_assembled_rows(open_snapshot(lake, "traces")) == (origin is not Origin.RECORDS)
    labels = open_snapshot(lake, "labels").dataset().to_table()
    assert set(labels["trace_id"].to_pylist()) < set(rows["trace_id"].to_pylist())
    assert len(labels) == 200


def test_a_lake_that_was_begun_is_made_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the same rows as one that was made at once, and none is doubled."""
    monkeypatch.setattr(release_lake, "BLOCK", 100)
    shape = LakeShape(600, 3, Origin.BOTH)
    at_once = _traces(_made(tmp_path / "at once", shape))
    left = iter(range(5))

    def dying(table: Table, change: TableCommit, context: CommitContext) -> bool:
        if next(left, None) is None:
            raise InterruptedError
        return commit(table, change, context)

    with monkeypatch.context() as patch:
        patch.setattr(release_lake, "commit", dying)
        with pytest.raises(InterruptedError):
            _made(tmp_path / "begun", shape)
    begun = _traces(Lake(LakeSettings(uri=str(tmp_path / "begun"))))
    ended = _traces(_made(tmp_path / "begun", shape))
    assert len(begun) < len(at_once)
    order = [("_topic", "ascending"), ("_offset", "ascending")]
    assert ended.sort_by(order) == at_once.sort_by(order)


def test_a_measurement_is_of_the_version_that_was_asked_for(tmp_path: Path) -> None:
    """It runs in a process of its own, and says how much memory and which bytes it took."""
    _made(tmp_path, LakeShape(2_000, 2))
    figures = Measurement(LakeSettings(uri=str(tmp_path)), 2, 256, 1).run(ROOT)
    assert figures["version"] == str(ROOT)
    assert figures["rows"] == 500  # one of each conversation
    assert figures["cpu"] > 0
    assert figures["peak"] > figures["read"] > 0
    assert figures["spilled"] < 2**20


@dataclass(frozen=True, slots=True)
class _Drafted(Measurement):
    """A measurement whose drafts are given."""

    drafts: tuple[str, ...] = ()

    def run(self, version: Path) -> Figures:
        index = int(version.name)
        hashed = self.drafts[index]
        return {"rows": 1, "cpu": index, "read": 0, "spilled": 0, "peak": 0, "version": "",
                "hash": hashed}  # fmt: skip


def test_versions_that_draft_different_releases_are_told() -> None:
    """Then no ratio is given; equal ones have their figures by version."""
    versions = [Path("0"), Path("1")]
    settings = LakeSettings(uri="lake")
    figures = measure(_Drafted(settings, 3, 1024, 1, drafts=("a", "a")), versions, 2)
    assert [[row["cpu"] for row in own] for own in figures] == [[0, 0], [1, 1]]
    with pytest.raises(DifferentReleaseError, match="3 days"):
        measure(_Drafted(settings, 3, 1024, 1, drafts=("a", "b")), versions, 2)
