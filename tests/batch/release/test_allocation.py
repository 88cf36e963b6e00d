"""Rows are allocated to strata as the spec says, whatever the strata are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.release.sampling.allocation import Stratum, allocate_rows
from batch.release.sampling.spec import AllocationRule
from schemas.errors import UsageError


def strata(*sizes: tuple[int, int]) -> list[Stratum]:
    """Strata named s0, s1, … with these traces and cells; every second one holds errors."""
    return [
        Stratum(f"s{i}", {"status": "error" if i % 2 else "ok"}, traces, cells)
        for i, (traces, cells) in enumerate(sizes)
    ]


SIZES = st.lists(
    st.integers(1, 500).flatmap(lambda cells: st.tuples(st.integers(cells, 9000), st.just(cells))),
    min_size=1,
    max_size=12,
)


@given(
    SIZES,
    st.integers(1, 2000),
    st.integers(1, 20),
    st.sampled_from(["proportional", "equal", "error_biased"]),
)
def test_sum_floor_and_ceiling_hold(
    sizes: list[tuple[int, int]], size: int, floor: int, by: str
) -> None:
    """The sum is the size, or all rows; no stratum is below its floor or above its cells."""
    found = strata(*sizes)
    rule = AllocationRule.model_validate({"by": by, "floor": floor})
    lows = {s.text: min(floor, s.cells) for s in found}
    if sum(lows.values()) > size:
        with pytest.raises(UsageError, match="raise `size`"):
            allocate_rows(found, size, rule)
        return
    counts = allocate_rows(found, size, rule)
    assert sum(counts.values()) == min(size, sum(s.cells for s in found))
    assert all(lows[s.text] <= counts[s.text] <= s.cells for s in found)


def test_shares_follow_the_rule() -> None:
    """Proportional follows production, equal is even, error_biased counts errors several times."""
    found = strata((9000, 900), (1000, 900))
    assert allocate_rows(found, 100, AllocationRule()) == {"s0": 90, "s1": 10}
    assert allocate_rows(found, 100, AllocationRule(by="equal")) == {"s0": 50, "s1": 50}
    biased = allocate_rows(found, 100, AllocationRule(by="error_biased", error_factor=9))
    assert biased == {"s0": 50, "s1": 50}


def test_small_strata_leave_their_rest_to_others() -> None:
    """A stratum with fewer cells than its share gives all, and the size is still reached."""
    found = strata((5000, 3), (5000, 900))
    assert allocate_rows(found, 100, AllocationRule()) == {"s0": 3, "s1": 97}
