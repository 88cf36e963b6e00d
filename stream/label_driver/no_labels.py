"""Stands in the worker's loop where labels are off."""

from collections.abc import Mapping, Sequence

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FencedError
from stream.buffer import Flush
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed
from stream.owned_partition import Assignment


class NoLabels:
    """Does nothing; see `stream.label_driver.driver.LabelDriver`."""

    def forget(self, sources: Sequence[SourcePartition]) -> None:
        """Do nothing."""

    def abandon(self) -> None:
        """Do nothing."""

    def missing(self, assignment: Assignment) -> list[int]:
        """Return nothing."""
        del assignment
        return []

    @property
    def rebuilding(self) -> bool:
        """Return whether there is something to do."""
        return False

    def turn(self, assignment: Assignment) -> None:
        """Do nothing."""

    def stored(self, flush: Flush) -> None:
        """Do nothing."""

    def seal(
        self, incarnations: Mapping[str, Incarnation], *, everything: bool, busy: bool
    ) -> LabelFlush | None:
        """Return nothing."""
        del incarnations, everything, busy
        return None

    def settled(self, outcome: LabelsFlushed | FencedError) -> None:
        """Do nothing."""
