"""What was set aside can be brought in later, once, whatever happens on the way."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from lake.fences import ERASURE_FENCE
from lake.ledger import Incarnation
from lake.quarantine import QuarantineFilter
from lake.tables import Lake
from lake.tombstones import Tombstone, open_tombstones, put_tombstone
from lake.verify import verify_lake
from redact.crypto.subjects import feedback_mark
from schemas.errors import FatalError, FencedError
from schemas.record_batches import RawRecord
from stream.adoption import Adoption
from stream.redrive import RedriveResult
from tests.lake.kit import (
    OTHER,
    SOURCE,
    START,
    TOPIC,
    append,
    commit_context,
    offsets,
    open_lake,
    set_aside,
)
from tests.redact.kit import KEYS
from tests.stream.redrives import (
    NOW,
    TOKENS,
    Coordinates,
    CrashError,
    kafka,
    quarantined_offsets,
    redrive,
)

ANEW = Incarnation("cluster", "topic-2")


def test_what_passes_now_moves_to_its_table(quarantined_lake: Lake) -> None:
    """What still fails stays, what nobody has any more stays; the laws hold."""
    done = redrive(quarantined_lake, bad=lambda _partition, offset: offset == 5).run(
        QuarantineFilter(TOPIC)
    )
    assert done == RedriveResult(tried=4, stored=2, already=0, gone=1, still={"not_json": 1})
    assert quarantined_offsets(quarantined_lake) == ([5, 7], [])
    assert offsets(quarantined_lake.table("feedback")) == [0, 1, 2, 3, 4, 6, 8, 9]
    assert verify_lake(quarantined_lake, deep=True).problems == []


def test_a_filter_says_which(quarantined_lake: Lake) -> None:
    """Only the records that match are tried."""
    assert redrive(quarantined_lake).run(QuarantineFilter(TOPIC, partition=0, offset=2)).stored == 1
    assert quarantined_offsets(quarantined_lake) == ([5, 7], [2])


def test_a_dry_run_changes_nothing(quarantined_lake: Lake) -> None:
    """It only tells what would become of the records."""
    assert redrive(quarantined_lake).run(QuarantineFilter(TOPIC), dry_run=True).stored == 3
    assert quarantined_offsets(quarantined_lake) == ([2, 5, 7], [2])
    assert verify_lake(quarantined_lake, deep=True).problems == []


def test_twice_is_once(quarantined_lake: Lake) -> None:
    """The second run finds nothing that could be brought in."""
    redrive(quarantined_lake).run(QuarantineFilter(TOPIC))
    assert redrive(quarantined_lake).run(QuarantineFilter(TOPIC)) == RedriveResult(
        tried=1, stored=0, already=0, gone=1
    )
    assert verify_lake(quarantined_lake, deep=True).problems == []


def test_a_crash_between_its_two_commits_is_mended_by_the_next_run(quarantined_lake: Lake) -> None:
    """Meanwhile `lake verify` says what is wrong and what to do."""

    def crash(_step: str) -> None:
        raise CrashError

    with pytest.raises(CrashError):
        redrive(quarantined_lake, reached=crash).run(QuarantineFilter(TOPIC))
    assert any("redrive` again" in problem for problem in verify_lake(quarantined_lake).problems)
    done = redrive(quarantined_lake).run(QuarantineFilter(TOPIC))
    assert (done.stored, done.already) == (3, 3)
    assert quarantined_offsets(quarantined_lake) == ([7], [])
    assert verify_lake(quarantined_lake, deep=True).problems == []


def test_of_two_at_once_one_is_fenced(quarantined_lake: Lake, tmp_path: Path) -> None:
    """The other run has committed first; nothing is doubled."""
    other = open_lake(tmp_path)

    def meanwhile(topic: str, wanted: Sequence[Coordinates]) -> Mapping[Coordinates, RawRecord]:
        redrive(other).run(QuarantineFilter(TOPIC))
        return kafka(topic, wanted)

    with pytest.raises(FencedError):
        redrive(quarantined_lake, fetch=meanwhile).run(QuarantineFilter(TOPIC))
    assert quarantined_offsets(quarantined_lake) == ([7], [])
    assert verify_lake(quarantined_lake, deep=True).problems == []


def test_what_a_worker_is_busy_with_is_left_alone(quarantined_lake: Lake) -> None:
    """Quarantine is ahead of the primary table: a worker reads these records just now."""
    set_aside(quarantined_lake, 10, 20, {15})
    done = redrive(quarantined_lake).run(QuarantineFilter(TOPIC))
    assert (done.tried, done.waiting) == (4, 1)
    assert quarantined_offsets(quarantined_lake)[0] == [7, 15]


def test_records_of_another_topic_of_the_same_name_are_not_fetched(quarantined_lake: Lake) -> None:
    """Kafka would give other records at the same coordinates."""
    with pytest.raises(FatalError, match="adopt"):
        redrive(quarantined_lake, incarnation=ANEW).run(QuarantineFilter(TOPIC))


def test_after_an_adoption_the_old_records_stay_where_they_are(quarantined_lake: Lake) -> None:
    """Also those at coordinates where the new topic has a record, set aside or stored."""
    adopt(quarantined_lake)
    later = START + timedelta(hours=1)
    set_aside(quarantined_lake, 0, 6, {5}, ingested_at=later, incarnation=ANEW)
    append(
        quarantined_lake.table("feedback"),
        0,
        6,
        token=9,
        quarantined={5},
        ingested_at=later,
        incarnations={TOPIC: ANEW},
    )
    assert verify_lake(quarantined_lake, deep=True).problems == []
    done = redrive(quarantined_lake, incarnation=ANEW).run(QuarantineFilter(TOPIC))
    assert (done.stored, done.already) == (1, 0)
    assert quarantined_offsets(quarantined_lake) == ([2, 5, 7], [2])
    assert offsets(quarantined_lake.table("feedback")).count(5) == 1
    assert verify_lake(quarantined_lake, deep=True).problems == []


def adopt(quarantined_lake: Lake) -> None:
    """Go on with another topic, from its beginning."""
    Adoption(
        primary=quarantined_lake.table("feedback"),
        quarantine=quarantined_lake.table("quarantine"),
        audit=quarantined_lake.table("redactions"),
        labels=quarantined_lake.table("labels"),
        context=commit_context(now_us=lambda: NOW - 1, new_token=lambda: next(TOKENS)),
    ).run(ANEW, {SOURCE: 0, OTHER: 0})


def erase(quarantined_lake: Lake, offset: int, *, fenced: bool = True) -> None:
    """Put a tombstone of the feedback at an offset, and fence both tables."""
    marks = {KEYS.name: [feedback_mark(KEYS, f"f-0-{offset}")]}
    store = open_tombstones(quarantined_lake.location)
    number = put_tombstone(store, lambda n: Tombstone(n, 0, feedback=marks)).number
    for name in ("feedback", "quarantine") if fenced else ():
        ERASURE_FENCE.raise_to(quarantined_lake.table(name), number, commit_context())


def test_erased_persons_leave_quarantine_for_nowhere(quarantined_lake: Lake) -> None:
    """A record that was sealed when its person was erased is told when it is opened, and goes."""
    erase(quarantined_lake, 5)
    found = redrive(quarantined_lake).run(QuarantineFilter(topic=TOPIC))

    assert (found.tried, found.stored, found.erased, found.gone) == (4, 2, 1, 1)
    assert offsets(quarantined_lake.table("feedback")) == [0, 1, 2, 3, 4, 6, 8, 9]
    assert offsets(quarantined_lake.table("quarantine")) == [7]
    report = verify_lake(quarantined_lake, deep=True)
    assert report.ok, report.problems
    assert sum(proof.erased for proof in report.partitions) == 1
    assert redrive(quarantined_lake).run(QuarantineFilter(topic=TOPIC)).erased == 0


def test_erasure_in_the_middle_of_a_redrive(quarantined_lake: Lake, tmp_path: Path) -> None:
    """A redrive that had opened a record before its person was erased is fenced, begins anew."""
    other, erased = open_lake(tmp_path), [5]

    def fetch(topic: str, wanted: Sequence[Coordinates]) -> Mapping[Coordinates, RawRecord]:
        found = kafka(topic, wanted)
        while erased:
            erase(other, erased.pop())
        return found

    found = redrive(quarantined_lake, fetch=fetch).run(QuarantineFilter(topic=TOPIC))

    assert (found.stored, found.erased) == (2, 1)
    assert 5 not in offsets(quarantined_lake.table("feedback"))
    assert offsets(quarantined_lake.table("quarantine")) == [7]
    assert verify_lake(quarantined_lake, deep=True).ok
