"""Copies of one span with times that cannot be: the copy with valid times counts."""

from itertools import permutations

import pytest

from tests.otel.make_spans import SECOND, START, assemble, chat, span

FAR = 5_000_000_000 * SECOND


@pytest.mark.parametrize(
    "times",
    [{"start_ns": 5}, {"start_ns": 5, "end_ns": 9}, {"start_ns": FAR, "end_ns": FAR + 1},
     {"end_ns": FAR}, {"start_ns": 0, "end_ns": FAR}],
)  # fmt: skip
def test_a_copy_with_bad_times_changes_nothing_of_a_good_one(times: dict[str, int]) -> None:
    """Neither its times nor its answer count, in any order."""
    good = chat(2, 1, answer="right")
    bad = chat(2, 1, answer="wrong", **times)
    expected = assemble(span(1), good).row
    for order in permutations((span(1), good, bad)):
        assert assemble(*order).row == expected


def test_a_root_that_is_sent_again_from_1970_keeps_its_time() -> None:
    """Its trace keeps its row."""
    row = assemble(span(1), span(1, start_ns=1, end_ns=2), chat(2, 1)).row
    assert row is not None
    assert (row["started_at"], row["latency_ms"]) == ((START + SECOND) // 1000, 500.0)
