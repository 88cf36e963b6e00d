"""The order in which files of tests run, so that none is alone at the end.

`make test` gives out whole files, in this order, to the test process that is free: what a file
prepares is prepared once. Files that use real servers mostly wait, so they run beside the others
from the start. A file of few tests is likely to have long ones, so those of many fill the end.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import pytest

_SERVERS = frozenset({"kafka", "own_kafka_with", "s3", "own_s3", "registry", "judge_partners"})


def in_run_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return all tests, by file: a file with servers, then one without, as long as there are both.

    Among files of a kind those with the fewest tests are first.
    """
    files = [list(file) for _, file in groupby(items, key=lambda item: item.path)]
    files.sort(key=len)
    waiting = [file for file in files if _waits(file)]
    working = [file for file in files if not _waits(file)]
    pairs = zip(waiting, working, strict=False)
    rest = waiting[len(working) :] + working[len(waiting) :]
    return [item for file in [*(file for pair in pairs for file in pair), *rest] for item in file]


def _waits(file: Iterable[pytest.Item]) -> bool:
    return any(_SERVERS.intersection(getattr(item, "fixturenames", ())) for item in file)
