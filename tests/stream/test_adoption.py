"""A person has said that another topic is the right one now."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lake.ledger import Incarnation
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import FencedError
from stream.adoption import AdoptedPartition, Adoption
from tests.lake.kit import (
    OTHER,
    SOURCE,
    TOPIC,
    append,
    commit_context,
    make_lake,
    set_aside,
)
from tests.stream.kit import take_over

ANEW = Incarnation("cluster", "topic-2")
NOW = 1_793_500_000_000_000
TABLES = ("quarantine", "redactions", "labels", "feedback")


@pytest.fixture
def half_flushed_lake(tmp_path: Path) -> Lake:
    """Ten records of one partition; quarantine is five ahead, with one of them."""
    lake = make_lake(tmp_path)
    set_aside(lake, None, 10, {3})
    append(lake.table("feedback"), None, 10, quarantined={3})
    set_aside(lake, 10, 15, {12}, token=2)
    return lake


def adoption(lake: Lake, *, now_us: int = NOW, tokens: Iterator[int] | None = None) -> Adoption:
    """Return an adoption at a time; it fails where ``tokens`` end."""
    tokens = tokens or count(500)
    return Adoption(
        primary=lake.table("feedback"),
        quarantine=lake.table("quarantine"),
        audit=lake.table("redactions"),
        labels=lake.table("labels"),
        context=commit_context(now_us=lambda: now_us, new_token=lambda: next(tokens)),
    )


def test_every_table_goes_on_where_the_new_topic_begins(half_flushed_lake: Lake) -> None:
    """A worker then takes the new topic over, and nothing of the old one is held."""
    moved = adoption(half_flushed_lake).run(ANEW, {SOURCE: 2, OTHER: 0})
    assert moved == [AdoptedPartition(SOURCE, 10, 2), AdoptedPartition(OTHER, None, 0)]
    for name in TABLES:
        table = half_flushed_lake.table(name)
        table.refresh()
        assert table.positions([SOURCE, OTHER]) == {SOURCE: 2, OTHER: 0}
        assert table.incarnation_version(TOPIC) == ANEW.version()
    taken, _ = take_over(half_flushed_lake, incarnation=ANEW).take([SOURCE])
    assert (taken[0].range.next, taken[0].in_quarantine) == (2, {})
    assert verify_lake(half_flushed_lake, deep=True).problems == []


def test_a_stopped_worker_of_the_old_topic_cannot_write(half_flushed_lake: Lake) -> None:
    """Not even where its numbers come back."""
    adoption(half_flushed_lake).run(ANEW, {SOURCE: 10})
    with pytest.raises(FencedError):
        append(half_flushed_lake.table("feedback"), 10, 12, token=9)


def test_half_an_adoption_stops_workers_until_it_is_run_again(half_flushed_lake: Lake) -> None:
    """It died after its first table."""
    with pytest.raises(StopIteration):
        adoption(half_flushed_lake, tokens=iter([500])).run(ANEW, {SOURCE: 0})
    for incarnation in (ANEW, Incarnation("cluster", "topic-1")):
        with pytest.raises(Exception, match="adopt"):
            take_over(half_flushed_lake, incarnation=incarnation).check([TOPIC])
    adoption(half_flushed_lake, now_us=NOW + 1).run(ANEW, {SOURCE: 0})
    assert take_over(half_flushed_lake, incarnation=ANEW).check([TOPIC]) == {TOPIC: ANEW}
    assert verify_lake(half_flushed_lake, deep=True).problems == []


def test_adopting_twice_changes_nothing_but_the_time(half_flushed_lake: Lake) -> None:
    """The second time all positions are where they should be."""
    adoption(half_flushed_lake).run(ANEW, {SOURCE: 0})
    assert adoption(half_flushed_lake, now_us=NOW + 1).run(ANEW, {SOURCE: 0}) == [
        AdoptedPartition(SOURCE, 0, 0)
    ]
    assert verify_lake(half_flushed_lake, deep=True).problems == []
