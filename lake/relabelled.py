"""The fence that keeps label events out which were decided from rows that have been replaced since.

A label event repeats a text of a row of feedback. When a replay has put other rows in the place of
those, whoever had read them before must not write what he has decided from them: he would bring an
old text back. So the table ``labels`` has a number, ``#relabelled``. Who decides labels looks at it
*before* reading what they rest on, and commits under ``relabelled_guard(number)``; a replay raises it once the
rows are exchanged. Who is fenced reads again.
"""

from collections.abc import Callable
from typing import Final

from lake.commit import Ceiling
from lake.fences import raise_fence
from lake.retry import Retry
from lake.tables import Table

RELABELLED_APP: Final = "#relabelled"


def relabelled_count(labels: Table) -> int:
    """Return the number as of the last refresh; 0 where labels have never been replaced."""
    return labels.number(RELABELLED_APP) or 0


def relabelled_guard(number: int) -> Ceiling:
    """Return the condition of a commit by one who has looked when the number was this one."""
    return Ceiling(RELABELLED_APP, number)


def raise_relabelled_fence(labels: Table, *, retry: Retry, now_ms: Callable[[], int]) -> int:
    """Raise the number, so that what was decided until now stays out; return what it is then.

    The handle of the table stands at a version that bears it. If an answer is lost it may have been
    raised twice, which harms nobody. Raises RetryableError if told to stop, FatalError if the lake
    did not answer in time.
    """

    def attempt() -> int:
        labels.refresh()
        to = relabelled_count(labels) + 1
        raise_fence(labels, RELABELLED_APP, to, name="relabelled", now_ms=now_ms())
        return to

    return retry.call("keeping out labels from replaced rows", attempt)
