"""The lake changes while traces are assembled: the rows in force are as if it had not."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from batch.compaction import compact_batches, plan_compaction
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, LedgerEntry
from lake.live_files import LiveFile, list_live_files, read_file_rows, rewrite_rows
from lake.rewrite import replace_files
from lake.table_commit import TableCommit
from lake.tables import Table
from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.crypto.subjects import marks_of_traces
from tests.assembly.test_disturbances import LONG_TERM, make_traces, rows_at_once, undisturbed
from tests.assembly.world import StageInTest, World
from tests.lake.kit import open_lake
from tests.otel.make_spans import TRACE, chat, span
from tests.redact.kit import KEYS

TRACES = 6
Change = Callable[[World], None]


def compact_spans(world: World) -> None:
    """Rewrite the files of ``otel_spans`` as fewer."""
    table = open_lake(world.folder).table("otel_spans")
    batches = plan_compaction(table, before=date(2100, 1, 1))
    assert batches
    assert all(done.bytes for done in compact_batches(table, batches, world.context()))


def expire_log(world: World) -> None:
    """Remove the commits of ``otel_spans`` that its checkpoint stands for, all but the newest."""
    table = open_lake(world.folder).table("otel_spans")
    table.refresh()
    table.checkpoint()
    newest = table.handle.version()
    log = world.folder.rglob("otel_spans/_delta_log/*.json")
    expired = [file for file in log if file.stem.isdecimal() and int(file.stem) < newest]
    assert len(expired) > 1
    for file in expired:
        file.unlink()


def optimise_by_delta_rs(world: World) -> None:
    """Rewrite the files as somebody does who knows the table only as a Delta table."""
    (folder,) = {path.parent.parent for path in world.folder.rglob("otel_spans/_delta_log/*.json")}
    DeltaTable(folder).optimize.compact()


def compact_and_expire(world: World) -> None:
    """Both."""
    compact_spans(world)
    expire_log(world)


def run(world: World, change: Change, at: int, *, restart: bool) -> StageInTest:
    """Let traces arrive in two halves, with a change of the lake after some of them."""
    stage = world.stage(terms=LONG_TERM)
    for number, trace in enumerate(make_traces(TRACES)):
        world.arrive(*trace[:1])
        stage.wait(3 if number % 2 else 40)
        if number == at:
            for item in trace[1:]:
                world.arrive(item)
            change(world)
            if restart:
                stage = world.stage(terms=LONG_TERM)
            continue
        world.arrive(*trace[1:], after=1)
    stage.finish()
    return stage


@pytest.mark.parametrize("change", [compact_spans, optimise_by_delta_rs])
def test_a_rewrite_mixes_rows_on_both_sides_of_a_shards_mark(
    tmp_path: Path, change: Change
) -> None:
    """What a shard has not seen is open, although its mark is above other rows of the file."""
    world, other = World(tmp_path), "ab" * 16
    stage = world.stage()
    world.arrive(span(1))
    stage.wait(0)
    assert len({*stage.stage.writer.sequences.marks.values()}) == 2
    world.arrive(chat(2, 1))
    world.arrive(chat(3, 1, trace_id=other))
    change(world)
    stage.finish()
    assert {row["trace_id"]: row["incomplete"] for row in world.rows()} == {
        TRACE: [],
        other: ["root_missing"],
    }
    assert stage.reports.rebuilds == ["start", "rewritten"]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    "change", [compact_spans, expire_log, compact_and_expire, optimise_by_delta_rs]
)
def test_files_are_rewritten_and_the_log_expires(
    tmp_path: Path, change: Change, *, restart: bool
) -> None:
    """Under a stage that runs, and before one that starts: it reads the table instead."""
    world = World(tmp_path / "changed")
    stage = run(world, change, 5, restart=restart)
    assert restart or stage.reports.rebuilds == ["start", "rewritten"]
    assert world.in_force() == undisturbed(TRACES)
    world.check_sequences()


@pytest.mark.parametrize("change", [compact_spans, expire_log, compact_and_expire])
def test_a_stage_that_has_read_nothing_yet_finds_everything(tmp_path: Path, change: Change) -> None:
    """All versions are above its mark, and the log no longer says which rows they brought."""
    world = World(tmp_path / "changed")
    for trace in make_traces(TRACES):
        world.arrive(*trace)
    change(world)
    world.stage().finish()
    assert world.in_force() == undisturbed(TRACES)
    world.check_sequences()


@dataclass
class ErasedTraces:
    """The tombstones of a lake; an erasure adds one."""

    newest: int = 0
    kept_out: ErasureFilter = NO_ERASURES
    next: list[str] = field(default_factory=list)

    def reload(self) -> bool:
        """Take in what was erased."""
        if not self.next:
            return False
        stone = SimpleNamespace(
            number=1,
            until_us=2**62,
            subjects={},
            traces=marks_of_traces([KEYS], self.next),
            feedback={},
        )
        self.newest, self.kept_out, self.next = 1, ErasureFilter([stone], [KEYS]), []
        return True


def remove_rows(world: World, table: Table, file: LiveFile, trace_id: str) -> None:
    """Write a file again without the rows of a trace, if it has any."""
    context, rows = world.context(), read_file_rows(table, file)
    kept = rows.filter(pc.not_equal(rows.rows["trace_id"], trace_id))
    if len(kept) == len(rows):
        return
    new = [rewrite_rows(table, kept, instead_of=[file], retry=context.retry)] if len(kept) else []
    entry = LedgerEntry(EntryKind.ERASE, [])
    commit = TableCommit(
        entry=entry, token=context.new_token(), removes=[file], adds=new, same_rows=False
    )
    replace_files(table, commit, context)


def erase(world: World, trace_id: str, *, purge_first: bool) -> None:
    """Erase a trace as the command does: the fence, then its rows."""
    lake = open_lake(world.folder)

    def purge() -> None:
        for name in ("otel_spans", "traces"):
            table = lake.table(name)
            table.refresh()
            for file in list_live_files(table):
                remove_rows(world, table, file, trace_id)

    if purge_first:
        purge()
    ERASURE_FENCE.raise_to(lake.table("traces"), 1, world.context())
    if not purge_first:
        purge()


@pytest.mark.parametrize("purge_first", [False, True])
@pytest.mark.parametrize("assembled", [False, True])
def test_somebody_is_erased(tmp_path: Path, *, assembled: bool, purge_first: bool) -> None:
    """No row of theirs is written after that; those of all others are as ever."""
    world, traces = World(tmp_path / "changed"), make_traces(TRACES)
    erased = traces[2][0].trace_id
    tombstones = ErasedTraces()
    stage = world.stage(terms=LONG_TERM, tombstones=tombstones)
    for trace in traces[:4]:
        world.arrive(*trace)
    stage.wait(40 if assembled else 1)
    tombstones.next.append(erased)
    erase(world, erased, purge_first=purge_first)
    world.arrive(*traces[2])  # a worker that has not heard of it yet stores them once more
    for trace in traces[4:]:
        world.arrive(*trace, after=1)
    stage.finish()
    assert "fenced" in stage.reports.rebuilds
    others = [trace for number, trace in enumerate(traces) if number != 2]
    assert world.in_force() == rows_at_once(tmp_path / "plain", others)
