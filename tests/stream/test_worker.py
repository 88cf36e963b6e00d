"""The loop's answers to what a real Kafka seldom does: errors, late batches, holds."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from lake.tables import Lake
from schemas.errors import FatalError, FencedError, RetryableError
from stream.backoff import BACKOFF_SECONDS
from tests.lake.kit import OTHER, SOURCE, append, offsets, open_lake, set_aside
from tests.stream.loop_kit import Loop, Message, records

AWAY = Message(problem=KafkaError(KafkaError._ALL_BROKERS_DOWN))


@pytest.fixture
def buffered_loop(empty_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """A worker that owns one partition, of which it has read three records."""
    loop = Loop(empty_lake, monkeypatch)
    loop.assign(0)
    loop.turn(records(0, 1, 2))
    return loop


def stored(lake: Lake, partition: int = 0) -> list[int]:
    """Return the offsets that are in the table."""
    return offsets(lake.table("feedback"), OTHER if partition else SOURCE)


def test_a_buffer_is_flushed_when_it_is_old(buffered_loop: Loop, empty_lake: Lake) -> None:
    """And the group's offsets follow, for lag tools."""
    assert stored(empty_lake) == []
    buffered_loop.turn(seconds=5)
    buffered_loop.turn()
    assert stored(empty_lake) == [0, 1, 2]
    assert buffered_loop.client.committed == {SOURCE: 3}


@pytest.mark.parametrize("code", [KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE])
def test_offsets_that_kafka_does_not_know_bring_it_back_to_the_table(
    buffered_loop: Loop, empty_lake: Lake, code: int
) -> None:
    """What was read and not flushed is dropped, and read again from the table's position."""
    buffered_loop.turn(seconds=5)
    buffered_loop.turn(records(3, 4))
    buffered_loop.turn([*records(5), Message(problem=KafkaError(code)), *records(6)])
    assert buffered_loop.next_offsets() == {0: 3}
    assert buffered_loop.client.at == {SOURCE: 3}
    buffered_loop.turn(records(3, 4, 5), seconds=5)
    buffered_loop.turn(seconds=5)
    buffered_loop.turn()
    assert stored(empty_lake) == [0, 1, 2, 3, 4, 5]


def test_an_error_that_the_client_cannot_mend_ends_the_worker(buffered_loop: Loop) -> None:
    """With a sentence that says what to do."""
    fatal = KafkaError(KafkaError._FENCED, "fenced", True)
    with pytest.raises(FatalError, match="restart the worker"):
        buffered_loop.turn([Message(problem=fatal)])


def test_an_error_that_only_a_person_can_mend_ends_the_worker(buffered_loop: Loop) -> None:
    """A permission that is missing, say."""
    buffered_loop.cluster.verdict = FatalError("is not allowed to")
    with pytest.raises(FatalError, match="is not allowed to"):
        buffered_loop.turn([AWAY])


def test_an_error_that_passes_is_told_and_costs_nothing(buffered_loop: Loop) -> None:
    """The records beside it in the batch are taken."""
    buffered_loop.turn([*records(3), AWAY, *records(4)])
    assert buffered_loop.next_offsets() == {0: 5}
    assert "kafka_error" in buffered_loop.observer.names


def test_records_from_before_a_rebalance_are_not_taken(buffered_loop: Loop) -> None:
    """The client may still hand out what it had fetched: the positions are what counts."""
    buffered_loop.worker.on_assign(buffered_loop.client, [])
    buffered_loop.client.at = {}
    buffered_loop.turn(records(7, 8))
    assert buffered_loop.next_offsets() == {0: 3}
    assert buffered_loop.client.at == {SOURCE: 3}


def test_records_of_others_are_passed_over(buffered_loop: Loop) -> None:
    """Of a partition that was never given to this worker."""
    buffered_loop.turn(records(0, 1, partition=1))
    assert buffered_loop.next_offsets() == {0: 3}


class Undecided:
    """A schema registry that does not answer, for a while."""

    def __init__(self, loop: Loop) -> None:
        self.silent = True
        loop.bad = self

    def __call__(self, _partition: int, _offset: int) -> bool:
        """Decide about a record."""
        if self.silent:
            raise RetryableError("the registry does not answer")
        return False


def test_what_cannot_be_decided_is_read_again_later(buffered_loop: Loop, empty_lake: Lake) -> None:
    """Reading pauses for a moment; nothing is counted twice, and nothing is passed over."""
    registry = Undecided(buffered_loop)
    buffered_loop.turn(records(3, 4))
    assert (buffered_loop.next_offsets(), buffered_loop.client.at) == ({0: 3}, {SOURCE: 3})
    assert buffered_loop.client.paused
    registry.silent = False
    buffered_loop.turn(seconds=BACKOFF_SECONDS)
    assert not buffered_loop.client.paused
    buffered_loop.turn(records(3, 4))
    buffered_loop.turn(seconds=5)
    buffered_loop.turn()
    assert stored(empty_lake) == [0, 1, 2, 3, 4]
    assert buffered_loop.observer.names.count("recovered") == 1


def test_what_stays_undecided_ends_the_worker(buffered_loop: Loop) -> None:
    """After the time that the settings allow, counted from the first failure."""
    Undecided(buffered_loop)
    buffered_loop.turn(records(3))
    buffered_loop.turn(records(3), seconds=buffered_loop.retry_seconds)
    with pytest.raises(FatalError, match="still failing after 60 s"):
        buffered_loop.turn(records(3), seconds=1)


def test_the_end_of_a_partition_waits_for_what_comes_before_it(buffered_loop: Loop) -> None:
    """A partition is not at its end while records before that are undecided."""
    registry = Undecided(buffered_loop)
    end = Message(0, 4, KafkaError(KafkaError._PARTITION_EOF))
    buffered_loop.turn([*records(3), end])
    assert not buffered_loop.worker.assignment.owned[SOURCE].at_end
    registry.silent = False
    buffered_loop.turn([*records(3), end], seconds=BACKOFF_SECONDS)
    assert buffered_loop.worker.assignment.owned[SOURCE].at_end


def test_another_owner_makes_it_start_over(
    buffered_loop: Loop, empty_lake: Lake, tmp_path: Path
) -> None:
    """A fenced flush is dropped, and reading goes on from where the other one is."""
    other = open_lake(tmp_path)
    set_aside(other, None, 2, {1}, token=99)
    append(other.table("feedback"), None, 2, token=99, quarantined={1})
    buffered_loop.turn(seconds=5)
    buffered_loop.turn()
    assert "fenced" in buffered_loop.observer.names
    assert buffered_loop.client.at == {SOURCE: 2}
    assert stored(empty_lake) == [0]


def test_a_flush_that_fails_for_good_ends_the_worker(buffered_loop: Loop) -> None:
    """Its error is raised where the loop turns."""
    buffered_loop.flusher.fails.append(FatalError("the lake is gone"))
    buffered_loop.turn(seconds=5)
    with pytest.raises(FatalError, match="the lake is gone"):
        buffered_loop.turn()


def test_what_is_taken_away_is_flushed_first(buffered_loop: Loop, empty_lake: Lake) -> None:
    """The next owner need not read it again."""
    buffered_loop.revoke(0)
    assert stored(empty_lake) == [0, 1, 2]
    assert (buffered_loop.next_offsets(), buffered_loop.client.at) == ({}, {})


def test_what_could_not_be_flushed_in_time_is_left_to_the_next_owner(
    buffered_loop: Loop, empty_lake: Lake
) -> None:
    """What is kept of other partitions is read again too: they shared the flush."""
    buffered_loop.assign(1)
    buffered_loop.turn(records(0, 1, partition=1))
    buffered_loop.flusher.hanging = True
    buffered_loop.tick = 1.0
    buffered_loop.revoke(0)
    assert stored(empty_lake) == []
    assert buffered_loop.next_offsets() == {1: 0}
    assert "abandoned" in buffered_loop.observer.names


def test_a_fenced_flush_while_partitions_are_taken_away_drops_the_rest(buffered_loop: Loop) -> None:
    """It is told, and all that is kept is read again from the tables."""
    buffered_loop.flusher.fails.append(FencedError("another worker"))
    buffered_loop.revoke(0)
    assert "fenced" in buffered_loop.observer.names
    assert buffered_loop.worker.flushes.bytes() == 0


def test_memory_that_is_short_pauses_reading_and_flushes(
    buffered_loop: Loop, empty_lake: Lake
) -> None:
    """And reading goes on once there is room again."""
    buffered_loop.resident = buffered_loop.gate.budget.ceiling
    buffered_loop.patch.setattr(
        type(buffered_loop.gate.budget), "least_flush", property(lambda _self: 0)
    )
    buffered_loop.turn(records(3))
    assert buffered_loop.client.paused
    buffered_loop.turn()
    buffered_loop.turn()
    assert stored(empty_lake) == [0, 1, 2, 3]
    assert not buffered_loop.client.paused
