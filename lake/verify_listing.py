"""Verifies from a listing that the files in a log exist, in the right folder and size."""

from collections.abc import Callable

from lake.cut import TableCut
from lake.parquet import PARTITION_COLUMN


def check_listing(cut: TableCut, is_active: Callable[[str], bool]) -> list[str]:
    """Return one sentence for each file that is missing, of another size, or under another day.

    ``is_active`` returns whether a file is part of the table now: one that has left it since the
    cut was taken may be missing. Raises RetryableError or FatalError if the store cannot be read.
    """
    sizes = dict(cut.table.files.walk(""))
    problems = []
    for path, (day, size, _) in sorted(cut.files.items()):
        where = f"{cut.name}/{path}"
        if not path.startswith(f"{PARTITION_COLUMN}={day}/"):
            problems.append(f"the log says that {where} belongs to {day}: the log was changed")
        if path not in sizes:
            if is_active(path):
                problems.append(f"{where} is missing: restore it from a copy of the lake")
        elif sizes[path] != size:
            problems.append(
                f"{where} has {sizes[path]} bytes, but {size} were committed: restore it from a "
                "copy of the lake"
            )
    return problems
