"""Divides a count of many ids into passes over parts of them, so that it fits into memory.

An engine keeps a row in memory for each id or cell that it counts. In a pass it counts those of one
part of the hashes. Each pass reads the columns again, which takes less than to write what does not
fit to a disk and read it back; and texts of the lake stay off the disk.
"""

from typing import Any, Final

import ibis

BYTES_PER_ROW: Final = 200
"""Memory for a counted id of 32 characters, with room for what a query needs besides."""
MOST_PASSES: Final = 4
"""With more, reading again takes longer than spilling."""


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def _hash(text: str) -> int:  # type: ignore[empty-body]
    """Return the engine's own hash of a text, which only divides rows into parts."""


def count_passes(rows: int, memory_bytes: int) -> int:
    """Return in how many passes so many rows are counted: a power of two."""
    passes = 1
    while passes < MOST_PASSES and rows * BYTES_PER_ROW > passes * memory_bytes:
        passes *= 2
    return passes


def rows_of_pass(rows: Any, key: Any, number: int, passes: int) -> Any:
    """Return the rows of one pass, numbered from 0; rows of the same key are in the same one."""
    if passes == 1:
        return rows
    return rows.filter((_hash(key) & (passes - 1)) == number)
