"""A commit as a value: what it changes, under which conditions, and what it records.

How such a commit is carried out, exactly once, is in `lake.commit` and `lake.rewrite`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from lake.ledger import LedgerEntry
from lake.live_files import LiveFile, UploadedFile
from lake.parquet import DataFile
from lake.retry import Retry

AddedFile: TypeAlias = DataFile | UploadedFile
"""A file that lies in the object store and in no table yet."""


@dataclass(frozen=True, slots=True)
class Move:
    """A number that a commit changes: from ``expected`` (None: there is none yet) to ``to``.

    ``app`` is the application id that holds it in the table (`lake.table_log`). ``to`` must differ
    from ``expected``, or a commit that landed would look like one that did not.
    """

    app: str
    expected: int | None
    to: int

    def holds(self, current: int | None) -> bool:
        """Return whether the commit may be made while the number is ``current``."""
        return current == self.expected


@dataclass(frozen=True, slots=True)
class Guard:
    """A number that a commit does not change, and that no other commit may change before it."""

    app: str
    expected: int | None

    def holds(self, current: int | None) -> bool:
        """Return whether the commit may be made while the number is ``current``."""
        return current == self.expected


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A number that must not exceed ``most`` when a commit is made; a missing one counts as 0.

    Many commits rest on it and few raise it, so it is compared and not written. Raising it changes
    the table's metadata in the same commit (`lake.fences`): delta-rs then refuses a commit that
    was compared before and sent after.
    """

    app: str
    most: int

    def holds(self, current: int | None) -> bool:
        """Return whether the commit may be made while the number is ``current``."""
        return (current or 0) <= self.most


Condition: TypeAlias = Guard | Ceiling


@dataclass(frozen=True, slots=True)
class TableCommit:
    """Everything that one commit does to one table.

    ``entry`` is its entry in the ledger and ``metadata`` what it records beside that. ``token`` is
    a random number in [0, 2**63), the same when the same commit is tried again. ``moves`` and
    ``guards`` are compared before the commit, and ``moves`` are made with it.

    ``adds`` are files that have been uploaded, ``removes`` files that leave the table. A commit
    that removes none needs at least one move: nothing else could show whether it landed.
    ``same_rows`` promises that the new files hold the rows of the old ones and no others
    (compaction), so that readers of changes can skip the commit.
    """

    entry: LedgerEntry
    token: int
    moves: Sequence[Move] = ()
    guards: Sequence[Condition] = ()
    adds: Sequence[AddedFile] = ()
    removes: Sequence[LiveFile] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    same_rows: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a commit that could not be carried out exactly once."""
        if not self.removes and not self.moves:
            raise ValueError("a commit that removes no file must move a number")
        before, after = (sum(file.rows for file in files) for files in (self.removes, self.adds))
        if self.same_rows and before != after:
            raise ValueError(
                f"the commit must keep the same rows, but removes {before} and adds {after}"
            )


@dataclass(frozen=True, slots=True)
class CommitWatch:
    """Callbacks during a commit; for metrics, logs and fault tests.

    ``unknown`` is called when the outcome of a request is unknown, ``settled`` when a later
    attempt finds that the commit had landed.
    """

    unknown: Callable[[str, BaseException], None] = lambda _table, _error: None
    settled: Callable[[str], None] = lambda _table: None


@dataclass(frozen=True, slots=True)
class CommitContext:
    """What every commit needs from outside: a retry policy, the clock and randomness.

    ``now_us`` returns the time in microseconds since 1970 (UTC), ``new_token`` a random number in
    [0, 2**63).
    """

    retry: Retry
    now_us: Callable[[], int]
    new_token: Callable[[], int]
    watch: CommitWatch = CommitWatch()

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970 (UTC)."""
        return self.now_us() // 1000
