"""A lake, a staged replay of part of it, its promotion, and programs that rewrite tables."""

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lake.config import LakeSettings
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import concat_rows, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.table_commit import TableCommit
from lake.tables import Lake
from stream.replay.plan import ReplayPlan
from stream.replay.promotion import Promotion, PromotionContext
from stream.replay.replay_range import ReplaySpan
from stream.replay.repository import ReplayRepository
from stream.replay.steps import ReplayStep
from tests.lake.copies import make_once
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    append,
    commit_context,
    make_lake,
    open_lake,
    patience,
    set_aside,
)

TOKENS = count(10_000)
LATER = START + timedelta(hours=1)
"""When the replay staged its rows: they are told from the live ones by it."""
BAD, NOW_BAD = {2, 5, 7}, {5, 6}
"""Offsets of partition 0 that are in quarantine, and those that the replay sets aside."""
RANGE = range(3, 9)


NOW = int((START + timedelta(hours=2)).timestamp()) * 1_000_000
OF_LABELS = (
    ReplayStep.TRACES_NOTED,
    ReplayStep.LABELS_FENCED,
    ReplayStep.LABELS_WRITTEN,
    ReplayStep.LABELS_REPLACED,
)
STEPS = [step for step in ReplayStep if step not in {ReplayStep.AUDIT_COMMITTED, *OF_LABELS}]


def filled_lake(folder: Path) -> Lake:
    """Twelve records of one partition, in two flushes, and five of another; some set aside."""
    make_once(folder, "twelve and five", fill_lake)
    return open_lake(folder)


def fill_lake(folder: Path) -> None:
    """Make that lake anew, for a test that changes how its rows are made."""
    lake = make_lake(folder)
    for source, start, end, bad in (
        (SOURCE, None, 6, BAD & set(range(6))),
        (SOURCE, 6, 12, BAD & set(range(6, 12))),
        (OTHER, None, 5, {2}),
    ):
        set_aside(lake, start, end, bad, source=source, token=end)
        append(lake.table("feedback"), start, end, source=source, quarantined=bad, token=end)


def staging(folder: Path) -> ReplayRepository:
    """Return the replays of the lake, with handles of its own."""
    return ReplayRepository(LakeSettings(uri=str(folder / "lake")), open_lake(folder))


def stage(
    folder: Path,
    *,
    name: str = "r1",
    upto: int | None = None,
    absent: Iterable[int] = (),
    now_bad: Collection[int] = frozenset(NOW_BAD),
) -> ReplayPlan:
    """Stage a replay of offsets 3 to 8 of partition 0; ``absent`` are gone from Kafka."""
    spans = [ReplaySpan(SOURCE.partition, RANGE.start, RANGE.stop)]
    plan = ReplayPlan(name, next(TOKENS), TOPIC, "feedback", "p2", False, "x", HERE, None, spans, 0)
    plan = staging(folder).begin(plan)
    tables, end = staging(folder).lake(name), upto or RANGE.stop
    gone, bad = set(absent), set(now_bad) & set(RANGE)
    set_aside(
        tables, None, RANGE.start, set(), token=1, ingested_at=LATER
    )  # the positions where it begins
    append(tables.table("feedback"), None, RANGE.start, quarantined=range(RANGE.start), token=1)
    set_aside(tables, RANGE.start, end, bad - gone, token=2, ingested_at=LATER)
    append(
        tables.table("feedback"),
        RANGE.start,
        end,
        quarantined=bad | gone,
        token=2,
        ingested_at=LATER,
    )
    return plan


def promotion(
    folder: Path, reached: Callable[[ReplayStep], None] = lambda _step: None, name: str = "r1"
) -> Promotion:
    """Return what promotes the replay."""
    means = PromotionContext(
        commit_context(now_us=lambda: NOW, new_token=lambda: next(TOKENS)),
        reached,
        lambda *_told: None,
    )
    return Promotion(staging(folder), name, means)


def ingested(lake: Lake, table: str) -> dict[tuple[int, int], Any]:
    """Return when each row of a table was ingested, by partition and offset; each is there once."""
    lake.table(table).refresh()
    found = lake.table(table).read(["_partition", "_offset", "_ingested_at"]).to_pylist()
    told = {(row["_partition"], row["_offset"]): row["_ingested_at"] for row in found}
    assert len(told) == len(found)
    return told


def rewrite(lake: Lake, name: str, keep: Callable[[pa.Table], Any]) -> None:
    """Replace all files of a table by one that holds the rows to keep, as another program would."""
    table = lake.table(name)
    table.refresh()
    old = list_live_files(table)
    if not old:
        return
    rows = concat_rows([read_file_rows(table, file) for file in old])
    left = rows.filter(keep(rows.rows))
    new = [rewrite_rows(table, left, instead_of=old, retry=patience())]
    same = len(left) == len(rows)
    entry = LedgerEntry(EntryKind.REPLAY, [])
    wanted = TableCommit(entry=entry, token=next(TOKENS), removes=old, adds=new, same_rows=same)
    replace_files(table, wanted, commit_context())


def compact(lake: Lake, table: str) -> None:
    """Make one file of all files of a table."""
    rewrite(lake, table, lambda rows: pc.is_valid(rows["_offset"]))
