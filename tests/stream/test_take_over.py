"""Where a worker goes on reading is what the tables say, and nothing else."""

import pytest

from lake.ledger import Incarnation, SourcePartition
from lake.tables import Lake
from schemas.errors import FatalError
from tests.lake.kit import OTHER, SOURCE, TOPIC, append
from tests.stream.kit import take_over

ANEW = Incarnation("cluster", "topic-2")


@pytest.mark.parametrize(("start", "offset"), [("earliest", 7), ("latest", 50)])
def test_without_a_position_the_setting_says_where_to_begin(
    empty_lake: Lake, start: str, offset: int
) -> None:
    """`earliest` is the first record that Kafka still has, `latest` the end."""
    taken, _ = take_over(empty_lake, start=start, watermarks=(7, 50)).take([SOURCE])
    assert taken[0].range.next == offset


def test_a_position_wins_over_the_setting(empty_lake: Lake) -> None:
    """A worker that starts again goes on where the table ends, even with `latest`."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    taken, _ = take_over(empty_lake, start="latest").take([SOURCE])
    assert taken[0].range.next == 10


def test_a_partition_that_was_added_later_is_read_from_its_first_record(empty_lake: Lake) -> None:
    """The setting says where to begin with a topic, and that has been done: nothing is skipped."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    taken, _ = take_over(empty_lake, start="latest").take([OTHER])
    assert [item.range.next for item in taken] == [0]


def test_what_quarantine_is_ahead_with_is_held(empty_lake: Lake) -> None:
    """After a crash between the commits, the offsets that are set aside already are known."""
    append(empty_lake.table("quarantine"), None, 10, quarantined={0, 1, 2, 3, 4, 6, 8, 9})
    taken, _ = take_over(empty_lake).take([SOURCE])
    assert (taken[0].range.next, taken[0].quarantine, set(taken[0].in_quarantine)) == (
        0,
        10,
        {5, 7},
    )


def test_a_position_beyond_the_topic_stops_the_worker(empty_lake: Lake) -> None:
    """A topic that was truncated is a person's business."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    with pytest.raises(FatalError, match=r"position is 10, but the topic ends at 9.*adopt"):
        take_over(empty_lake, watermarks=(0, 9)).take([SOURCE])


def test_a_position_beyond_the_topic_is_no_end_reached(empty_lake: Lake) -> None:
    """Who only asks whether all is done is told, before any partition is given to it."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    asked = take_over(empty_lake)
    asked.check([SOURCE.topic])
    asked.check_ends({SOURCE: 10, OTHER: 100})
    with pytest.raises(FatalError, match=r"position is 10, but the topic ends at 9.*adopt"):
        asked.check_ends({SOURCE: 9})


def test_what_is_empty_and_never_begun_is_nothing_to_reach(empty_lake: Lake) -> None:
    """A partition counts if Kafka has records of it, or had some; or the tables a position."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    asked = take_over(empty_lake)
    asked.check([SOURCE.topic])
    assert asked.to_reach({SOURCE: (20, 20), OTHER: (0, 0)}) == {SOURCE: 20}
    assert asked.to_reach({SOURCE: (20, 20), OTHER: (7, 7)}) == {SOURCE: 20, OTHER: 7}
    assert asked.to_reach({SOURCE: (0, 10), OTHER: (7, 8)}) == {SOURCE: 10, OTHER: 8}


def test_lost_records_stop_the_worker(empty_lake: Lake) -> None:
    """Retention that was faster than the worker is not passed over in silence."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    with pytest.raises(FatalError, match="deleted the records from offset 10 to 19"):
        take_over(empty_lake, watermarks=(20, 90)).take([SOURCE])


def test_lost_records_are_skipped_if_the_setting_says_so(empty_lake: Lake) -> None:
    """The gap is told to whoever watches, and counted under its rule."""
    append(empty_lake.table("quarantine"), None, 10)
    append(empty_lake.table("feedback"), None, 10)
    lost: list[tuple[SourcePartition, int, int]] = []
    took = take_over(empty_lake, watermarks=(20, 90), on_lost_offsets="skip", lost=lost)
    taken, _ = took.take([SOURCE])
    assert lost == [(SOURCE, 10, 20)]
    sealed = taken[0].range.seal()
    assert (sealed.start, sealed.end, sealed.skipped) == (10, 20, {"retention": 10})
    assert sealed.broken_laws() == []


@pytest.mark.parametrize("table", ["feedback", "quarantine"])
def test_another_topic_of_the_same_name_stops_the_worker(empty_lake: Lake, table: str) -> None:
    """Also if a worker died after the first commit of all, which is that to quarantine."""
    append(empty_lake.table(table), None, 10)
    with pytest.raises(FatalError, match=f"adopt --topic {TOPIC}"):
        take_over(empty_lake, incarnation=ANEW).take([SOURCE])


def test_new_partitions_of_another_topic_stop_the_worker_too(empty_lake: Lake) -> None:
    """A worker that owns none of the old positions does not make the new topic the right one."""
    append(empty_lake.table("feedback"), None, 10)
    with pytest.raises(FatalError, match="adopt"):
        take_over(empty_lake, incarnation=ANEW).take([OTHER])
    with pytest.raises(FatalError, match="adopt"):
        take_over(empty_lake, incarnation=ANEW).check([TOPIC])
