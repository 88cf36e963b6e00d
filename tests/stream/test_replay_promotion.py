"""A replay takes the place of the rows of its range, once, whatever happens on the way."""

from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from lake.commit import commit
from lake.fences import ERASURE_FENCE
from lake.ledger import EntryKind, LedgerEntry, SourceRange
from lake.live_files import list_live_files, read_file_rows, rewrite_rows
from lake.quarantine import QuarantineFilter
from lake.rewrite import replace_files
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from lake.tables import Lake
from lake.tombstones import Tombstone, open_tombstones
from lake.tombstones import put_tombstone as storing
from lake.verify import verify_lake
from schemas.errors import FatalError, FencedError, UsageError
from stream.replay.abandon import abandon_replay
from stream.replay.repository import ReplayState
from stream.replay.steps import ReplayStep
from tests.lake.kit import (
    HERE,
    SOURCE,
    START,
    TOPIC,
    append,
    commit_context,
    make_lake,
    offsets,
    open_lake,
    patience,
    put,
    rows,
    span,
)
from tests.stream.redrives import kafka, redrive
from tests.stream.replays import (
    LATER,
    NOW,
    NOW_BAD,
    RANGE,
    STEPS,
    TOKENS,
    compact,
    filled_lake,
    ingested,
    promotion,
    rewrite,
    stage,
    staging,
)


@pytest.fixture
def live_lake(tmp_path: Path) -> Lake:
    """Twelve records of one partition, in two flushes, and five of another; some set aside."""
    return filled_lake(tmp_path)


class CrashError(Exception):
    """The process dies here."""


def assert_promoted(lake: Lake) -> None:
    """The rows of the range are the staged ones, all others are as they were, the laws hold."""
    stored, aside = ingested(lake, "feedback"), ingested(lake, "quarantine")
    assert {o for p, o in stored if p == 0} == set(range(12)) - {2} - NOW_BAD
    assert {o for p, o in aside if p == 0} == {2} | NOW_BAD
    assert {o for p, o in stored if p == 1} == {0, 1, 3, 4}
    new = {at for at, when in {**stored, **aside}.items() if when == LATER}
    assert new == {(0, offset) for offset in RANGE}
    assert verify_lake(lake, deep=True).problems == []


def test_the_range_is_swapped_in(live_lake: Lake, tmp_path: Path) -> None:
    """Rows change, come out of quarantine, and go there; nothing else is touched."""
    stage(tmp_path)
    assert staging(tmp_path).progress("r1").state is ReplayState.STAGED
    promotion(tmp_path).run()
    assert_promoted(live_lake)
    assert staging(tmp_path).progress("r1").state is ReplayState.PROMOTED
    report = {p.partition: p for p in verify_lake(live_lake).partitions}
    assert (report[0].stored, report[0].quarantined) == (9, 3)


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_and_run_again(
    live_lake: Lake, tmp_path: Path, step: ReplayStep, nth: int
) -> None:
    """The same command goes on and comes to the same end; nothing is ever in neither table."""
    stage(tmp_path)
    left = [nth]

    def crash(reached: ReplayStep) -> None:
        if reached is step:
            left[0] -= 1
            if not left[0]:
                raise CrashError

    if nth == 1 or step is ReplayStep.FILE_REMOVED:
        with pytest.raises(CrashError):
            promotion(tmp_path, crash).run()
        everywhere = {*ingested(live_lake, "feedback"), *ingested(live_lake, "quarantine")}
        assert everywhere == {*((0, o) for o in range(12)), *((1, o) for o in range(5))}
    promotion(tmp_path, crash).run()
    assert_promoted(live_lake)


def test_what_kafka_had_lost_stays_as_it_is(live_lake: Lake, tmp_path: Path) -> None:
    """Records that could not be read again keep their old rows, in whichever table they are."""
    stage(tmp_path, absent={4, 5, 7})
    promotion(tmp_path).run()
    stored, aside = ingested(live_lake, "feedback"), ingested(live_lake, "quarantine")
    assert stored[0, 4] == aside[0, 5] == aside[0, 7] == START
    assert stored[0, 3] == aside[0, 6] == LATER
    assert verify_lake(live_lake, deep=True).problems == []


def test_who_was_erased_does_not_come_back(live_lake: Lake, tmp_path: Path) -> None:
    """A record that is in no live table any more is left out, although the replay has it."""
    stage(tmp_path)
    rewrite(live_lake, "feedback", lambda rows: pc.not_equal(rows["_offset"], 8))
    promotion(tmp_path).run()
    assert (0, 8) not in {**ingested(live_lake, "feedback"), **ingested(live_lake, "quarantine")}
    assert ingested(live_lake, "feedback")[0, 3] == LATER


@pytest.mark.parametrize("step", [ReplayStep.ASIDE_WRITTEN, ReplayStep.PRIMARY_WRITTEN])
def test_a_table_that_is_compacted_meanwhile_is_looked_at_again(
    live_lake: Lake, tmp_path: Path, step: ReplayStep
) -> None:
    """The files that were to be replaced are others by now; the end is the same."""
    stage(tmp_path)
    left = [1]
    table = "quarantine" if step is ReplayStep.ASIDE_WRITTEN else "feedback"

    def meanwhile(reached: ReplayStep) -> None:
        if reached is step and left:
            left.pop()
            compact(live_lake, table)

    promotion(tmp_path, meanwhile).run()
    assert left == []
    assert_promoted(live_lake)


def test_who_is_erased_meanwhile_does_not_come_back(live_lake: Lake, tmp_path: Path) -> None:
    """Erased after the new files were written, and before they were committed."""
    stage(tmp_path)
    left = [1]

    def erase(reached: ReplayStep) -> None:
        if reached is ReplayStep.PRIMARY_WRITTEN and left:
            left.pop()
            rewrite(live_lake, "feedback", lambda rows: pc.not_equal(rows["_offset"], 8))

    promotion(tmp_path, erase).run()
    assert (0, 8) not in {**ingested(live_lake, "feedback"), **ingested(live_lake, "quarantine")}


def test_what_quarantine_loses_meanwhile_stays_where_it_was(
    live_lake: Lake, tmp_path: Path
) -> None:
    """Its row expires between two steps: the record must not leave its table as well."""
    stage(tmp_path)

    def expire(step: ReplayStep) -> None:
        if step is ReplayStep.BROUGHT_IN:
            rewrite(live_lake, "quarantine", lambda rows: pc.not_equal(rows["_offset"], 6))

    promotion(tmp_path, expire).run()
    assert ingested(live_lake, "feedback")[0, 6] == START
    assert ingested(live_lake, "feedback")[0, 3] == LATER


@pytest.mark.parametrize("step", list(STEPS))
def test_a_re_drive_keeps_off(live_lake: Lake, tmp_path: Path, step: ReplayStep) -> None:
    """Tried at any step of a promotion, a redrive changes nothing that the promotion decides."""
    stage(tmp_path)
    tried: list[str] = []

    def drive(reached: ReplayStep) -> None:
        if reached is step and not tried:
            tried.append("tried")
            try:
                redrive(open_lake(tmp_path), bad=lambda _p, offset: offset in NOW_BAD).run(
                    QuarantineFilter(TOPIC)
                )
            except FatalError as error:
                tried.append(str(error))

    promotion(tmp_path, drive).run()
    assert tried
    in_the_midst = {ReplayStep.BROUGHT_IN, ReplayStep.PRIMARY_WRITTEN, ReplayStep.SWAPPED}
    assert (len(tried) == 2) == (step in in_the_midst)
    live_lake.table("quarantine").refresh()
    assert verify_lake(live_lake, deep=True).problems == []
    everywhere = {**ingested(live_lake, "feedback"), **ingested(live_lake, "quarantine")}
    assert len(everywhere) == 17
    assert {at for at, when in everywhere.items() if when == LATER} >= {(0, o) for o in RANGE} - {
        (0, 7)
    }


def test_a_re_drive_that_began_before_is_fenced(live_lake: Lake, tmp_path: Path) -> None:
    """It has looked at quarantine, then the promotion moved records; it takes nothing out."""
    stage(tmp_path)

    def meanwhile(topic: str, wanted: Any) -> Any:
        promotion(tmp_path).run()
        return kafka(topic, wanted)

    with pytest.raises(FencedError):
        redrive(live_lake, fetch=meanwhile).run(QuarantineFilter(TOPIC, partition=0, offset=5))
    assert_promoted(live_lake)


def test_a_re_drive_between_whose_commits_a_promotion_falls(
    live_lake: Lake, tmp_path: Path
) -> None:
    """It has stored a record that the replay sets aside; it must not take it out of quarantine."""
    stage(tmp_path)

    def crash(step: ReplayStep) -> None:
        if step is ReplayStep.BROUGHT_IN:
            raise CrashError

    def begin(topic: str, wanted: Any) -> Any:
        with pytest.raises(CrashError):
            promotion(tmp_path, crash).run()
        return kafka(topic, wanted)

    def finish(_step: str) -> None:
        promotion(tmp_path).run()

    step = redrive(live_lake, fetch=begin, reached=finish)
    with pytest.raises(FencedError):
        step.run(QuarantineFilter(TOPIC, partition=0, offset=5))
    assert_promoted(live_lake)


def test_a_re_drive_that_died_must_end_first(live_lake: Lake, tmp_path: Path) -> None:
    """Its record is in two places; a promotion would not know which one is meant."""
    stage(tmp_path)

    def crash(_step: str) -> None:
        raise CrashError

    with pytest.raises(CrashError):
        redrive(live_lake, reached=crash).run(QuarantineFilter(TOPIC, partition=0, offset=5))
    with pytest.raises(FatalError, match="redrive"):
        promotion(tmp_path).run()


def test_of_two_replays_one_waits(live_lake: Lake, tmp_path: Path) -> None:
    """While one is half promoted, another of the topic is refused; afterwards it goes."""
    stage(tmp_path)
    stage(tmp_path, name="r2")

    def crash(step: ReplayStep) -> None:
        if step is ReplayStep.BROUGHT_IN:
            raise CrashError

    with pytest.raises(CrashError):
        promotion(tmp_path, crash).run()
    with pytest.raises(FatalError, match="another replay"):
        promotion(tmp_path, name="r2").run()
    promotion(tmp_path).run()
    promotion(tmp_path, name="r2").run()
    assert_promoted(live_lake)


def test_a_replay_that_is_not_complete_is_refused(live_lake: Lake, tmp_path: Path) -> None:
    """Promoting it would be a mixture; it can still be abandoned."""
    stage(tmp_path, upto=6)
    assert staging(tmp_path).progress("r1").read == 3
    with pytest.raises(UsageError, match="3 of 6"):
        promotion(tmp_path).run()


@pytest.mark.parametrize("step", [None, ReplayStep.DECIDED, ReplayStep.FILE_REMOVED])
def test_abandoning_leaves_nothing(
    live_lake: Lake, tmp_path: Path, step: ReplayStep | None
) -> None:
    """Also when it is killed and run again; meanwhile nobody promotes it."""
    before = set((tmp_path / "lake").rglob("*"))
    stage(tmp_path)

    def crash(reached: ReplayStep) -> None:
        if reached is step:
            raise CrashError

    if step is not None:
        with pytest.raises(CrashError):
            abandon_replay(staging(tmp_path), "r1", retry=patience(), reached=crash)
        assert staging(tmp_path).all() == [("r1", None)]
        with pytest.raises(UsageError, match="abandoned"):
            promotion(tmp_path).run()
    abandon_replay(staging(tmp_path), "r1", retry=patience(), reached=lambda _step: None)
    assert set((tmp_path / "lake").rglob("*")) == before
    assert staging(tmp_path).all() == []
    assert offsets(live_lake.table("feedback")) == [0, 1, 3, 4, 6, 8, 9, 10, 11]


def test_what_is_half_promoted_cannot_be_abandoned(live_lake: Lake, tmp_path: Path) -> None:
    """Its promotion must come to its end; then the record of it can go."""
    stage(tmp_path)

    def crash(step: ReplayStep) -> None:
        if step is ReplayStep.SWAPPED:
            raise CrashError

    with pytest.raises(CrashError):
        promotion(tmp_path, crash).run()
    assert any("replay promote" in problem for problem in verify_lake(live_lake).problems)
    with pytest.raises(UsageError, match="promotion of r1 has begun"):
        abandon_replay(staging(tmp_path), "r1", retry=patience(), reached=lambda _step: None)
    promotion(tmp_path).run()
    abandon_replay(staging(tmp_path), "r1", retry=patience(), reached=lambda _step: None)
    assert staging(tmp_path).all() == []
    assert_promoted(live_lake)


def test_a_sealed_payload_is_not_given_for_a_row_without_one(tmp_path: Path) -> None:
    """A record that stays in quarantine keeps the payload that can be tried again one day."""
    lake, bad = make_lake(tmp_path), {5, 6}
    table = lake.table("quarantine")
    sealed = rows(
        [(0, o) for o in sorted(bad)],
        table="quarantine",
        sealed_payload=b"sealed",
        sealed_key_id="s1",
    )
    item = span(0, 12, consumed=2, quarantined=2, stored=0)
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(EntryKind.FLUSH, [item], {TOPIC: HERE}),
            token=1,
            moves=[Move(position_app(SOURCE), None, 12)],
            adds=put(table, [sealed], item),
        ),
        commit_context(),
    )
    append(lake.table("feedback"), None, 12, quarantined=bad)
    stage(tmp_path, now_bad={4, 5})
    promotion(tmp_path).run()
    stored, aside = ingested(lake, "feedback"), ingested(lake, "quarantine")
    assert aside == {(0, 4): LATER, (0, 5): START}
    assert stored[0, 6] == LATER
    assert verify_lake(lake, deep=True).problems == []


def erase(folder: Path, offset: int, *places: Lake) -> None:
    """Put a tombstone, fence tables, and take the row at an offset out of them."""
    store = open_tombstones(open_lake(folder).location)
    number = storing(store, lambda n: Tombstone(n, NOW)).number
    for place in places:
        for name in ("feedback", "quarantine"):
            table = place.table(name)
            ERASURE_FENCE.raise_to(table, number, commit_context())
            for file in list_live_files(table):
                rows_of = read_file_rows(table, file)
                mine = pc.and_(
                    pc.equal(rows_of.rows["_partition"], 0),
                    pc.equal(rows_of.rows["_offset"], offset),
                )
                left = rows_of.filter(pc.invert(mine))
                if len(left) == file.rows:
                    continue
                gone = SourceRange(TOPIC, 0, 0, 0, stored=file.rows - len(left))
                new = [rewrite_rows(table, left, instead_of=[file], retry=patience())]
                entry = LedgerEntry(EntryKind.ERASE, [gone])
                wanted = TableCommit(
                    entry=entry, token=next(TOKENS), removes=[file], adds=new if len(left) else []
                )
                replace_files(table, wanted, commit_context())


def test_nobody_comes_back_by_what_was_staged_before(live_lake: Lake, tmp_path: Path) -> None:
    """A replay that an erasure has gone through is promoted without the rows that were erased."""
    stage(tmp_path)
    erase(tmp_path, 4, open_lake(tmp_path), staging(tmp_path).lake("r1"))
    promotion(tmp_path).run()

    assert 4 not in offsets(live_lake.table("feedback"))
    assert 4 not in offsets(live_lake.table("quarantine"))
    assert verify_lake(live_lake, deep=True).problems == []


def test_staged_tables_that_an_erasure_missed_are_not_promoted(
    live_lake: Lake, tmp_path: Path
) -> None:
    """What was staged while somebody was erased may hold them: the command says what to do."""
    stage(tmp_path)
    erase(tmp_path, 4, open_lake(tmp_path))

    with pytest.raises(UsageError, match="goldpan erase"):
        promotion(tmp_path).run()
    assert staging(tmp_path).fate("r1") is None
    live_lake.table("feedback").refresh()
    assert live_lake.table("feedback").txn_version("#replay/1") is None


@pytest.mark.parametrize(
    "step", [s for s in STEPS if s not in {ReplayStep.FILE_REMOVED, ReplayStep.FILES_REMOVED}]
)
def test_erasure_at_each_step_of_a_promotion(
    live_lake: Lake, tmp_path: Path, step: ReplayStep
) -> None:
    """Somebody who is erased while a replay is promoted is gone at its end, and nobody else is."""
    stage(tmp_path)
    left = [4]

    def meddle(reached: ReplayStep) -> None:
        while reached is step and left:
            erase(tmp_path, left.pop(), open_lake(tmp_path), staging(tmp_path).lake("r1"))

    promotion(tmp_path, meddle).run()

    assert set(offsets(live_lake.table("feedback"))) == set(range(12)) - {2, 4} - NOW_BAD
    assert 4 not in offsets(live_lake.table("quarantine"))
    assert verify_lake(live_lake, deep=True).problems == []
