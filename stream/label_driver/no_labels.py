"""Stands in for the label driver if labels are off."""

from collections.abc import Mapping, Sequence

from lake.ledger import Incarnation, SourcePartition
from schemas.errors import FencedError
from stream.buffer import Flush
from stream.label_driver.label_flush import LabelFlush, LabelsFlushed
from stream.owned_partition import Assignment


class NoLabels:
    """Does nothing; see `stream.label_driver.driver.LabelDriver`."""

    def drop_partitions(self, sources: Sequence[SourcePartition]) -> None:
        """Do nothing."""

    def abandon(self) -> None:
        """Do nothing."""

    def unjoined(self, assignment: Assignment) -> list[int]:
        """Return no partitions."""
        del assignment
        return []

    @property
    def rebuilding(self) -> bool:
        """Return False."""
        return False

    def run_rebuild_step(self, assignment: Assignment) -> None:
        """Do nothing."""

    def add_flushed(self, flush: Flush) -> None:
        """Do nothing."""

    def seal(
        self, incarnations: Mapping[str, Incarnation], *, everything: bool, busy: bool
    ) -> LabelFlush | None:
        """Return no flush."""
        del incarnations, everything, busy
        return None

    def finish_flush(self, outcome: LabelsFlushed | FencedError) -> None:
        """Do nothing."""
