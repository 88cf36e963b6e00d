"""Whether the files that a log names lie where it says, at their size: from one listing."""

from collections.abc import Callable

from lake.cut import TableCut
from lake.parquet import PARTITION_COLUMN


def check_listing(seen: TableCut, still_there: Callable[[str], bool]) -> list[str]:
    """Return one sentence for each file of a table that is missing, short, or under another day.

    ``still_there`` tells whether a file is part of the table by now: one that has left it since the
    cut was taken may be gone. Raises RetryableError or FatalError if the store does not answer.
    """
    sizes = dict(seen.table.files.walk(""))
    problems = []
    for path, (day, size, _) in sorted(seen.files.items()):
        where = f"{seen.name}/{path}"
        if not path.startswith(f"{PARTITION_COLUMN}={day}/"):
            problems.append(f"{where} is held to be of {day}: its log was changed")
        if path not in sizes:
            if still_there(path):
                problems.append(f"{where} is gone: put it back from a copy of the lake")
        elif sizes[path] != size:
            problems.append(
                f"{where} has {sizes[path]} bytes, but {size} were committed: put it back from a "
                "copy of the lake"
            )
    return problems
