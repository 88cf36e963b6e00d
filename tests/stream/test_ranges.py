"""Whatever offsets come, the counts add up."""

from hypothesis import given
from hypothesis import strategies as st

from lake.ledger import SourcePartition
from stream.ranges import WHOLE_RECORD, OpenRange

SOURCE = SourcePartition("t", 0)
OFFSETS = st.sets(st.integers(0, 60), max_size=40)


@given(
    start=st.integers(0, 10),
    found=OFFSETS,
    in_quarantine=OFFSETS,
    cuts=OFFSETS,
    end=st.integers(0, 70),
)
def test_the_laws_hold_for_any_offsets(
    start: int, found: set[int], in_quarantine: set[int], cuts: set[int], end: int
) -> None:
    """Holes, batches, seals and records that only quarantine has: consumed + skipped = offsets."""
    reading = OpenRange(
        SOURCE, start, start, in_quarantine=dict.fromkeys(in_quarantine, WHOLE_RECORD)
    )
    batch: list[int] = []
    sealed = []
    offsets = [offset for offset in sorted(found) if offset >= start]
    for offset in offsets:
        batch.append(offset)
        if offset in cuts:
            take(reading, batch)
            batch = []
            sealed.append(reading.seal())
    take(reading, batch)
    reading.skip_to(end, "absent")
    sealed.append(reading.seal())
    assert [item.broken_laws() for item in sealed] == [[] for _ in sealed]
    assert [item.start for item in sealed] == [start, *(item.end for item in sealed[:-1])]
    last = sealed[-1].end
    assert last == max([start, end, *(offset + 1 for offset in offsets)])
    kept = {offset for offset in in_quarantine if start <= offset < last}
    assert sum(item.consumed for item in sealed) == len(kept | set(offsets))
    assert sum(item.quarantined for item in sealed) == len(kept)


def take(reading: OpenRange, batch: list[int]) -> None:
    """Count a batch as the intake does."""
    aside = len(reading.in_quarantine.keys() & set(batch))
    reading.read(batch)
    reading.found += len(batch)
    reading.quarantined += aside
    reading.stored += len(batch) - aside


@given(OFFSETS)
def test_first_and_last_are_records_that_exist(found: set[int]) -> None:
    """A range says between which records it lies, or that there is none."""
    reading = OpenRange(SOURCE, 0, 0)
    reading.read(sorted(found))
    reading.skip_to(100, "absent")
    sealed = reading.seal()
    assert (sealed.first, sealed.last) == (min(found, default=None), max(found, default=None))
    assert not reading.moved


def test_skipping_backwards_changes_nothing() -> None:
    """An end that was passed already is no news."""
    reading = OpenRange(SOURCE, 5, 5)
    reading.read([5, 6])
    reading.skip_to(3, "absent")
    assert (reading.next, sum(reading.skipped.values())) == (7, 0)
