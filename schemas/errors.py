"""The kinds of error, each of which names the way out: try again, set aside, stop, or look first.

A step that fails raises one of these and nothing wider, so that whoever drives the step can tell
from the type alone what is safe to do next. Messages hold coordinates and rules, never content.
"""


class GoldpanError(Exception):
    """Base of every error that goldpan raises on purpose."""


class RetryableError(GoldpanError):
    """Something outside did not answer. Nothing was changed; the same step may be tried again."""


class CommitUnknownError(GoldpanError):
    """A commit was sent and its outcome is not known: read the table's position first."""


class FencedError(GoldpanError):
    """The table's position is not the one this buffer starts from: another owns the partition.

    The buffer must be dropped and the position taken again; what it held is consumed once more.
    """


class FatalError(GoldpanError):
    """Only a person can mend this. The message says what happened, where, and what to do."""


class UsageError(GoldpanError):
    """The command or its settings are wrong. The message says which one and what would be right."""
