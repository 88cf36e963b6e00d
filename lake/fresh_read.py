"""Reads a table as it is now."""

from collections.abc import Callable
from typing import TypeVar

from lake.retry import Retry
from lake.tables import Lake, Table

ResultT = TypeVar("ResultT")


def read_fresh(lake: Lake, name: str, retry: Retry, read: Callable[[Table], ResultT]) -> ResultT:
    """Return what ``read`` reads of the newest version of a table; raises as `Retry.call`.

    The table is opened, refreshed and read again after an error, so ``read`` must have no effect
    beyond its result.
    """

    def step() -> ResultT:
        table = lake.table(name)
        table.refresh()
        return read(table)

    return retry.call(f"reading table {name}", step)
