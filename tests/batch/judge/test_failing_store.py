"""A store that fails, or hides what it did: nothing is lost, doubled, or paid for again."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import DeltaError

from schemas.arrow import JUDGEMENTS_TABLE
from tests.batch.judge.world import World, asked, claims, stored
from tests.batch.kit import new_lake

ROWS = 40


class FailingHandle:
    """The handle of a table of which a part of the commits and refreshes fail.

    Of failed commits, about half have landed.
    """

    def __init__(self, real: Any, seed: int) -> None:
        self._real, self._random = real, random.Random(seed)  # noqa: S311 - a test
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def update_incremental(self) -> None:
        """Refresh, or fail."""
        self._fail(0.2)
        self._real.update_incremental()

    def create_write_transaction(self, *args: Any, **more: Any) -> None:
        """Commit, and fail before it or after it."""
        self._fail(0.25)
        self._real.create_write_transaction(*args, **more)
        self._fail(0.25)

    def _fail(self, share: float) -> None:
        if self._random.random() < share:
            self.failed += 1
            raise DeltaError("503 Slow Down")


@pytest.mark.parametrize(
    "seed", [1, 2, *(pytest.param(n, marks=pytest.mark.chaos) for n in range(3, 60))]
)
def test_a_store_that_fails_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    """Each row has one judgement, each question was asked and claimed once."""
    lake = new_lake(tmp_path / "lake", [asked(number) for number in range(ROWS)])
    table = lake.table(JUDGEMENTS_TABLE)
    failing = FailingHandle(table.handle, seed)
    table.handle = failing  # type: ignore[assignment]
    world = World(lake)
    report = world.run()
    assert failing.failed
    table.handle = failing._real
    assert (report.counts.passed, report.judged) == (ROWS, ROWS)
    assert Counter(j.trace_id for j in stored(lake)) == {f"t{n:04}": 1 for n in range(ROWS)}
    assert len(world.server.asked) == len(claims(lake)) == ROWS
