"""Fences: counters in a table's log that reject commits prepared against an older value.

Code that commits rows reads the counter *before* it reads the data that the rows are made from, and
commits under ``guard(value)``. Raising the counter makes such a commit fail with FencedError; its
writer must read again.

A commit compares the counter (`lake.table_commit.Ceiling`) and does not write it, since all owners
of partitions would conflict with each other otherwise. Raising it changes the table's metadata in
the same commit. delta-rs never moves a commit past such a change, so one that was compared before
and is sent after fails, is compared again and is rejected.
"""

from dataclasses import dataclass
from typing import Final

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.table_commit import Ceiling, CommitContext
from lake.table_log import ERASURES, FENCE_KEY, RELABELLED
from lake.tables import Table
from schemas.errors import CommitUnknownError


@dataclass(frozen=True, slots=True)
class Fence:
    """A counter under the application id ``app``.

    The table's property ``goldpan.<property_name>`` changes with it.
    """

    app: str
    property_name: str

    def value(self, table: Table) -> int:
        """Return the counter as of the table's last refresh; 0 if it was never raised."""
        return table.txn_version(self.app) or 0

    def guard(self, value: int) -> Ceiling:
        """Return the condition of a commit whose rows were read when the counter was ``value``."""
        return Ceiling(self.app, value)

    def raise_to(self, table: Table, value: int, context: CommitContext) -> bool:
        """Raise the counter to ``value``; return False if it is there already.

        Afterwards the table's handle is at a version that has it. May be repeated. Raises
        RetryableError if stopped and FatalError if the lake fails for too long; if the
        cause of either is a CommitUnknownError, the counter may have been raised.
        """

        def attempt() -> bool:
            table.refresh()
            if self.value(table) >= value:
                return False
            self._send(table, value, now_ms=context.now_ms())
            return True

        return context.retry.call(f"fencing table {table.name}", attempt)

    def advance(self, table: Table, context: CommitContext) -> int:
        """Raise the counter by one and return it; otherwise as `raise_to`.

        If a reply is lost it may be raised twice, which rejects no more commits than once.
        """

        def attempt() -> int:
            table.refresh()
            value = self.value(table) + 1
            self._send(table, value, now_ms=context.now_ms())
            return value

        return context.retry.call(f"fencing table {table.name}", attempt)

    def _send(self, table: Table, value: int, *, now_ms: int) -> None:
        try:
            table.handle.alter.set_table_properties(
                {f"goldpan.{self.property_name}": str(value)},
                raise_if_not_exists=False,
                commit_properties=CommitProperties(
                    custom_metadata={FENCE_KEY: str(value)},
                    app_transactions=[Transaction(self.app, value, now_ms)],
                ),
                post_commithook_properties=NO_POST_COMMIT_HOOKS,
            )
        except (DeltaError, OSError) as error:
            raise CommitUnknownError(
                f"table {table.name}: it is unknown whether the fence {self.app} was raised "
                f"({describe_cause(error)})"
            ) from error


ERASURE_FENCE: Final = Fence(ERASURES.fill(), "erasures")
"""In every table: the number of the newest tombstone in force (`lake.tombstones`)."""
RELABEL_FENCE: Final = Fence(RELABELLED.fill(), "relabelled")
"""In the table of labels: how often labels were replaced because their rows were.

A label event repeats a text of a row of feedback. After a replay has replaced such rows, a writer
that read them before must not commit labels computed from them: that would bring an old text back.
"""
