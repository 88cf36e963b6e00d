"""A worker is alive while its loop turns, and while it starts."""

import pytest

from stream.health import STUCK_SECONDS, WorkerHealth

BOOTED = 46_372.0
"""What the clock showed at the start: such clocks begin when the machine does."""


@pytest.mark.parametrize("turns", [False, True])
def test_a_worker_that_starts_is_alive_until_it_is_stuck(turns: bool) -> None:
    """Before the first turn the start counts; a machine's uptime is no time without a turn."""
    now = BOOTED
    health = WorkerHealth(lambda: now)
    assert health.live() is None
    if turns:
        now += STUCK_SECONDS
        health.turned(now)
    now += STUCK_SECONDS - 1
    assert health.live() is None
    now += 1
    assert health.live() == f"the loop has not run for {STUCK_SECONDS:.0f} s"
