"""A position knows the leader epoch of the record below it, and is asked for with it."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError
from prometheus_client import CollectorRegistry

from lake.ledger import SourcePartition
from lake.table_log import NO_EPOCH, epoch_app, epoch_at_app
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import FatalError
from stream.adoption import Adoption
from stream.owned_partition import OwnedPartition
from stream.ranges import OpenRange
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    TOPIC,
    append,
    commit_context,
    make_lake,
    open_lake,
)
from tests.stream.kit import Recorder, make_observer, take_over
from tests.stream.loop_kit import Loop, Message

TRUNCATED = KafkaError(
    KafkaError._AUTO_OFFSET_RESET,
    "log truncation detected at offset 3 (leader epoch 2): broker end offset is 1 (offset leader "
    "epoch 1), reset to INVALID: Broker: Offset out of range",
)


@pytest.fixture
def partition_loop(tmp_path: Path, monkeypatch: Any) -> Loop:
    """A worker that has partition 0."""
    loop = Loop(make_lake(tmp_path), monkeypatch)
    loop.assign(0)
    return loop


def batch(*offsets: int, epoch: int | None) -> list[Message]:
    """Return records of partition 0 that were written under one leader."""
    return [Message(0, offset, epoch=epoch) for offset in offsets]


def flush(loop: Loop) -> None:
    """Let what is read come into the lake."""
    loop.turn(seconds=10)
    loop.turn()


def kept(lake: Lake, source: SourcePartition = SOURCE) -> tuple[int | None, int | None]:
    """Return what the primary table has of the epoch, and of which position."""
    table = lake.table("feedback")
    table.refresh()
    return table.txn_version(epoch_app(source)), table.txn_version(epoch_at_app(source))


def test_the_epoch_of_the_last_record_is_kept_and_asked_with(
    partition_loop: Loop, tmp_path: Path
) -> None:
    """In the commit that moves the position, and in its ledger."""
    partition_loop.turn([*batch(0, 1, epoch=1), *batch(2, epoch=2)])
    flush(partition_loop)
    assert kept(partition_loop.lake) == (2, 3)
    ranges = [
        item for one in partition_loop.lake.table("feedback").ledger() for item in one.entry.ranges
    ]
    assert [(item.end, item.epoch) for item in ranges if item.end] == [(3, 2)]
    later = take_over(open_lake(tmp_path)).take([SOURCE])[0]
    assert later[0].range.epoch == 2
    partition_loop.worker.kafka.reposition(partition_loop.worker.assignment.owned.values())
    assert (partition_loop.client.at, partition_loop.client.epochs) == ({SOURCE: 3}, {SOURCE: 2})


def test_the_next_flush_has_an_epoch_of_its_own(partition_loop: Loop) -> None:
    """Also if it is the same one."""
    for offset, epoch in ((0, 4), (1, 4), (2, 5)):
        partition_loop.turn(batch(offset, epoch=epoch))
        flush(partition_loop)
        assert kept(partition_loop.lake) == (epoch, offset + 1)


@pytest.mark.parametrize("epoch", [None, -1])
def test_brokers_that_give_none(partition_loop: Loop, epoch: int | None) -> None:
    """Nothing is kept, and nothing is asked."""
    partition_loop.turn(batch(0, epoch=epoch))
    flush(partition_loop)
    assert kept(partition_loop.lake) == (None, None)
    partition_loop.worker.kafka.reposition(partition_loop.worker.assignment.owned.values())
    assert partition_loop.client.epochs == {SOURCE: None}


def test_an_epoch_is_that_of_the_offset_before_the_position() -> None:
    """Offsets that hold no record may be of a later one, which the client does not show."""
    reading = OpenRange(SOURCE, 0, 0)
    reading.read([0, 1])
    reading.set_epoch(1, 7)
    assert reading.epoch == 7
    reading.set_epoch(0, 6)  # an old message, handed out again
    assert reading.epoch == 7
    reading.skip_to(2, "absent")
    assert reading.epoch == 7
    reading.skip_to(4, "absent")
    assert reading.epoch is None
    reading.read([4])
    reading.set_epoch(4, 8)
    assert reading.seal().epoch == 8
    assert reading.epoch == 8
    reading.read([5])
    assert reading.epoch is None


def test_an_epoch_of_another_position_says_nothing(partition_loop: Loop, tmp_path: Path) -> None:
    """A version that keeps none has moved the position on meanwhile."""
    partition_loop.turn(batch(0, 1, 2, epoch=2))
    flush(partition_loop)
    lake = open_lake(tmp_path)
    append(lake.table("quarantine"), 3, 6)
    append(lake.table("feedback"), 3, 6)
    taken = take_over(open_lake(tmp_path)).take([SOURCE])[0]
    assert (taken[0].range.next, taken[0].range.epoch) == (6, None)


def test_who_adopts_a_topic_forgets_the_epochs_of_the_one_before(
    partition_loop: Loop, tmp_path: Path
) -> None:
    """Also where the position stays the number that it was."""
    partition_loop.turn(batch(0, 1, 2, epoch=9))
    flush(partition_loop)
    lake, tokens = open_lake(tmp_path), count(100)
    adoption = Adoption(
        primary=lake.table("feedback"),
        quarantine=lake.table("quarantine"),
        audit=lake.table("redactions"),
        labels=lake.table("labels"),
        context=commit_context(now_us=lambda: 1, new_token=lambda: next(tokens)),
    )
    adoption.run(HERE, {SOURCE: 3})
    assert kept(open_lake(tmp_path)) == (9, NO_EPOCH)
    assert take_over(open_lake(tmp_path)).take([SOURCE])[0][0].range.epoch is None


def test_a_log_that_was_cut_and_filled_again_stops_the_worker(partition_loop: Loop) -> None:
    """Offsets alone look well: the topic ends far beyond the position."""
    partition_loop.turn(batch(0, 1, 2, epoch=2))
    flush(partition_loop)
    with pytest.raises(FatalError, match=rf"position is 3, but .* cut below it.*--topic {TOPIC}"):
        partition_loop.turn([Message(0, -1, problem=TRUNCATED)])


def test_another_reset_is_gone_on_from(partition_loop: Loop) -> None:
    """A broker that has not caught up yet says that an offset is out of range, and later not."""
    partition_loop.turn(batch(0, 1, 2, epoch=2))
    flush(partition_loop)
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "fetch failed: Broker: Offset out of range")
    partition_loop.turn([Message(0, -1, problem=error)])
    assert partition_loop.client.at == {SOURCE: 3}


def test_positions_without_an_epoch_are_said_once() -> None:
    """They are those of earlier versions."""
    log = Recorder()
    observer = make_observer(CollectorRegistry(), log)
    young = OwnedPartition(OpenRange(OTHER, 0, 0), 0, 0, None)
    known = OwnedPartition(OpenRange(SOURCE, 5, 5, epoch=0), 5, 5, None)
    bare = OwnedPartition(OpenRange(SOURCE, 5, 5), 5, 5, None)
    observer.assigned([young, known])
    assert "positions_without_epoch" not in log.names
    for _ in range(3):
        observer.assigned([bare])
    assert log.names.count("positions_without_epoch") == 1


def test_verify_says_which_ranges_are_of_which_epoch(partition_loop: Loop) -> None:
    """In order, each with the offset that it reaches to; a range without one says nothing."""
    for offset, epoch in ((0, 4), (1, 4), (2, None), (3, 7)):
        partition_loop.turn(batch(offset, epoch=epoch))
        flush(partition_loop)
    (proof,) = verify_lake(partition_loop.lake, deep=True).partitions
    assert proof.epochs == ((4, 2), (7, 4))
    assert proof.to_json()["epochs"] == [[4, 2], [7, 4]]
