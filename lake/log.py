"""A table's log, one commit at a time, as the Delta protocol lays it out: `_delta_log/<version>`.

A commit that is there never changes. One that is older than a checkpoint may have been tidied away.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lake.objects import ObjectStore


def commit_path(version: int) -> str:
    """Return the path of a commit, relative to its table."""
    return f"_delta_log/{version:020}.json"


def actions(files: ObjectStore, version: int, name: str) -> list[Mapping[str, Any]] | None:
    """Return the actions of one kind (``txn``, ``commitInfo``, …) of a commit, in order.

    None if the commit is not there (any more). Raises RetryableError or FatalError if the store
    does not answer.
    """
    text = files.find(commit_path(version))
    return None if text is None else list(_named(text, name))


def _named(text: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    key = f'"{name}"'.encode()
    for line in text.splitlines():
        # Most lines are of files, and long: only one that could be meant is parsed.
        if key in line:
            action = json.loads(line)
            if name in action:
                yield action[name]
