"""A trace of any size takes bounded memory, and what is left out depends on its spans only."""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from otel.span_selection import ItemKey, SpanSelection


@dataclass(frozen=True)
class Item:
    """A span: its start, id and size."""

    start: int
    name: str
    size: int


def key_of(item: Item) -> ItemKey:
    """Return the place of an item."""
    return item.start, item.name, str(item.size).encode()


def select(items: list[Item], **limits: Any) -> SpanSelection[Item]:
    """Return the selection of items in the order given."""
    selection: SpanSelection[Item] = SpanSelection(key_of, **limits)
    for item in items:
        selection.add(item, item.size)
    return selection


ITEMS = st.lists(
    st.builds(Item, st.integers(0, 6), st.sampled_from("abc"), st.integers(1, 9)), max_size=30
)


@given(items=ITEMS, data=st.data())
def test_order_and_copies_change_nothing(items: list[Item], data: st.DataObject) -> None:
    """Whatever the order and the number of copies, the same items are kept and the cut is known."""
    copies = data.draw(st.lists(st.sampled_from(items), max_size=10)) if items else []
    shuffled = data.draw(st.permutations([*items, *copies]))
    limits = {"max_items": 8, "max_bytes": 40}
    once, again = select(items, **limits), select(shuffled, **limits)
    assert set(once) == set(again)
    assert once.cut == again.cut == (set(once) != set(items))


@given(items=ITEMS)
def test_no_more_than_the_limits_is_kept(items: list[Item]) -> None:
    """The number and the size of the items that are kept are bounded."""
    kept = list(select(items, max_items=8, max_bytes=40))
    if len(items) > 4:
        assert len(set(kept)) <= 8
        assert sum(item.size for item in set(kept)) <= 40


def test_both_ends_of_a_long_trace_are_kept() -> None:
    """The first spans hold the question and the last ones the answer."""
    items = [Item(at, "s", 1) for at in range(1_000)]
    selection = select(items, max_items=10)
    assert [item.start for item in selection] == [0, 1, 2, 3, 4, 995, 996, 997, 998, 999]
    assert selection.cut


def test_a_million_spans_take_the_memory_of_the_limit() -> None:
    """Nothing is held but what is kept."""
    selection: SpanSelection[Item] = SpanSelection(key_of, max_items=100)
    for at in range(1_000_000):
        selection.add(Item(at * 7919 % 1_000_000, "s", 10), 10)
    assert len(list(selection)) == 100
    assert next(iter(selection)).start == 0
    assert selection.cut
