"""The callback through which a job reports its progress."""

from collections.abc import Callable

ReportProgress = Callable[[str, int, int], None]
"""Called with what is being processed, how much of it is done, and the total (0: unknown)."""

ReportStep = Callable[[str], None]
"""Called with the step that begins."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Report nothing."""


def no_step(_step: str) -> None:
    """Report nothing."""
