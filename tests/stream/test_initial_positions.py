"""Where a worker begins is known to the next one, also if nothing was flushed in between."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lake.ledger import SourcePartition
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import FatalError
from stream.initial_positions import InitialPositions
from stream.take_over import TakeOver
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    TOPIC,
    append,
    commit_context,
    make_lake,
    open_lake,
    set_aside,
)
from tests.lake.test_commit import Meddled
from tests.stream.kit import take_over

TOKENS = count(1000)


def worker(lake: Lake, **more: Any) -> TakeOver:
    """Return what a worker takes partitions over with."""
    beginning = InitialPositions(
        primary={TOPIC: lake.table("feedback")},
        quarantine=lake.table("quarantine"),
        context=commit_context(new_token=lambda: next(TOKENS)),
    )
    return replace(take_over(lake, **more), initial=beginning)


def starts(taken: TakeOver) -> list[int]:
    """Take both partitions over; return where reading begins."""
    return [item.range.next for item in taken.take([SOURCE, OTHER])[0]]


def test_the_end_is_that_of_the_first_time(empty_lake: Lake, tmp_path: Path) -> None:
    """A worker that begins at the end and dies before its first flush has said where it was."""
    assert starts(worker(empty_lake, start="latest", watermarks=(0, 50))) == [50, 50]
    later = worker(open_lake(tmp_path), start="latest", watermarks=(0, 90))
    assert starts(later) == [50, 50]


def test_what_retention_takes_away_after_the_first_time_is_told(empty_lake: Lake) -> None:
    """A worker was there when the records were: that it did not get to them is no secret."""
    assert starts(worker(empty_lake, watermarks=(7, 50))) == [7, 7]
    with pytest.raises(FatalError, match="deleted the records from offset 7 to 29"):
        starts(worker(empty_lake, watermarks=(30, 90)))


def test_it_is_written_once(empty_lake: Lake) -> None:
    """A second worker, and a second look, make no commit."""
    starts(worker(empty_lake, start="latest"))
    versions = []
    for _ in range(2):
        starts(worker(empty_lake, start="latest"))
        tables = [empty_lake.table(name) for name in ("feedback", "quarantine")]
        versions.append([table.handle.version() for table in tables])
    assert versions == [[1, 1], [1, 1]]


def test_verify_knows_what_it_means(empty_lake: Lake) -> None:
    """A beginning is a range of nothing, and what is flushed next follows it."""
    starts(worker(empty_lake, start="latest", watermarks=(0, 50)))
    report = verify_lake(empty_lake, deep=True)
    assert report.problems == []
    assert [(p.start, p.end, p.consumed) for p in report.partitions] == [(50, 50, 0)] * 2
    set_aside(empty_lake, 50, 60, {52})
    append(empty_lake.table("feedback"), 50, 60, quarantined={52})
    assert verify_lake(empty_lake, deep=True).problems == []


def test_of_two_at_once_the_first_word_holds(empty_lake: Lake, tmp_path: Path) -> None:
    """The other reads what the first has written, whichever table they meet at."""
    for name in ("quarantine", "feedback"):
        folder = tmp_path / name
        mine, other = make_lake(folder), open_lake(folder)
        table = mine.table(name)
        faster = worker(other, start="latest", watermarks=(0, 50))

        def begin(faster: TakeOver = faster) -> None:
            starts(faster)

        table.handle = Meddled(table.handle, before=begin)  # type: ignore[assignment]
        assert starts(worker(mine, start="latest", watermarks=(0, 60))) == [50, 50]
        assert verify_lake(mine, deep=True).problems == []


def test_one_that_died_half_way_is_gone_on_from(empty_lake: Lake) -> None:
    """Quarantine has a start and the primary table has none: nothing was read yet."""

    class DiedError(Exception):
        """The process ends here."""

    def die() -> None:
        raise DiedError

    table = empty_lake.table("feedback")
    real = table.handle
    table.handle = Meddled(real, before=die)  # type: ignore[assignment]
    with pytest.raises(DiedError):
        starts(worker(empty_lake, start="latest", watermarks=(0, 50)))
    table.handle = real
    assert starts(worker(empty_lake, start="latest", watermarks=(0, 60))) == [60, 60]
    assert verify_lake(empty_lake, deep=True).problems == []


def test_only_partitions_without_a_position_get_one(empty_lake: Lake) -> None:
    """What has been read of another partition stays where it is."""
    set_aside(empty_lake, None, 10, {3})
    append(empty_lake.table("feedback"), None, 10, quarantined={3})
    assert starts(worker(empty_lake, start="latest", watermarks=(0, 50))) == [10, 0]
    assert SourcePartition(TOPIC, 0) == SOURCE
    assert empty_lake.table("feedback").incarnation_version(TOPIC) == HERE.version()


def test_a_topic_is_begun_as_a_whole(empty_lake: Lake, tmp_path: Path) -> None:
    """A worker that got one partition says where the others begin, before anybody has them."""
    first = replace(
        worker(empty_lake, start="latest", watermarks=(0, 50)),
        partitions=lambda _topic: [SOURCE, OTHER],
    )
    assert [item.range.next for item in first.take([SOURCE])[0]] == [50]
    later = worker(open_lake(tmp_path), start="latest", watermarks=(0, 90))
    assert [item.range.next for item in later.take([OTHER])[0]] == [50]
    table = empty_lake.table("feedback")
    table.refresh()
    assert table.handle.version() == 1  # one commit for all of them


def test_a_young_partition_that_lost_its_first_records_is_no_secret(empty_lake: Lake) -> None:
    """It was added and retention was faster: that is a loss, not where the partition begins."""
    starts(worker(empty_lake, start="latest", watermarks=(0, 50)))
    young = SourcePartition(TOPIC, 2)
    with pytest.raises(FatalError, match="deleted the records from offset 0 to 6"):
        worker(empty_lake, start="latest", watermarks=(7, 50)).take([young])
