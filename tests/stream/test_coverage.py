"""What the topics hold beside the proof: a lag is told, and only what is gone is a loss."""

import pytest

from lake.ledger import SourcePartition
from lake.verify_ranges import PartitionProof
from stream.coverage import PartitionCoverage, compare_coverage

SOURCE, OTHER = SourcePartition("t", 0), SourcePartition("t", 1)


def held(low: int, high: int, begun: int | None, position: int | None) -> PartitionCoverage:
    """Return a partition that Kafka holds from ``low`` to ``high``."""
    return PartitionCoverage(SOURCE, low, high, begun, position)


@pytest.mark.parametrize(
    ("one", "behind", "before", "lost"),
    [
        (held(0, 100, 0, 100), 0, 0, 0),
        (held(0, 100, 0, 60), 40, 0, 0),
        (held(0, 100, 30, 60), 40, 30, 0),
        (held(50, 100, 30, 60), 40, 0, 0),
        (held(70, 100, 0, 60), 30, 0, 10),
        (held(100, 100, 0, 60), 0, 0, 40),
        (held(20, 100, None, None), 80, 0, 0),
        (held(100, 100, None, None), 0, 0, 0),
    ],
)
def test_figures(one: PartitionCoverage, behind: int, before: int, lost: int) -> None:
    """Behind is what is still there, lost what is not; where nothing was begun nothing is lost."""
    assert (one.unread, one.before, one.lost) == (behind, before, lost)
    assert bool(one.problems) == bool(lost)


def test_topic_that_was_truncated_is_a_problem() -> None:
    """What is written there next would be taken for read already."""
    (problem,) = held(0, 90, 0, 100).problems
    assert "t/0: the position is 100, but the topic ends at 90" in problem


def test_partitions_are_those_of_kafka() -> None:
    """One that was never begun is listed; offsets of another incarnation compare with nothing."""
    proof = PartitionProof("t", 0, 0, 10, begun=4)
    lows, highs = {SOURCE: 2}, {OTHER: 7, SOURCE: 20}
    young = PartitionCoverage(OTHER, 0, 7, young=True)
    assert compare_coverage([proof], lows, highs) == [held(2, 20, 4, 10), young]
    assert compare_coverage([proof], lows, highs, ["t"]) == [
        held(2, 20, None, None),
        PartitionCoverage(OTHER, 0, 7),
    ]


def test_a_young_partition_whose_first_records_are_gone_has_lost_them() -> None:
    """It was added after the lake had begun with its topic, and nobody has read it."""
    (one,) = compare_coverage([PartitionProof("t", 0, 0, 10)], {OTHER: 5}, {OTHER: 7})
    assert (one.unread, one.before, one.lost) == (2, 0, 5)
    assert "t/1: Kafka deleted the records from offset 0 to 4" in one.problems[0]
