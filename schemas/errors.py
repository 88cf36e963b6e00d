"""The kinds of error, by what to do about them: retry, quarantine, stop, or re-read the table.

A step that fails raises one of these and nothing wider, so the type alone shows its caller what is
safe to do next. Messages hold coordinates and rules, never content.
"""


class GoldpanError(Exception):
    """Base of every error that goldpan raises on purpose."""


class RetryableError(GoldpanError):
    """A step failed for an outside reason that may pass; the same step can safely be repeated.

    The step changed nothing, or what it changed is the same after a repetition (a file written
    again). If neither is certain, the error is a `CommitUnknownError`.
    """


class CommitUnknownError(RetryableError):
    """A change was sent and its outcome is unknown: it may have been made.

    The step that raises it reads the outcome first when it is repeated. Any other step must read
    the table again before it relies on either outcome.
    """


class FencedError(GoldpanError):
    """The table's position is not where this buffer starts: another worker owns the partition.

    Drop the buffer and read the position again; its records are consumed again.
    """


class FatalError(GoldpanError):
    """Only a person can fix this. The message says what happened, where, and what to do."""


class UsageError(GoldpanError):
    """The command or its settings are wrong. The message names the setting and valid values."""
