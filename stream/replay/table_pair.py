"""A primary table and its quarantine: which records of a replay's ranges each holds."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from lake.retention_horizon import PSEUDONYMS_PART, ROWS_PART, SEALED_PART, TEXT_PART, complete_from
from lake.tables import Table
from stream.replay.offset_set import OffsetSet, RangeContents, scan_range
from stream.replay.plan import ReplayPlan


@dataclass(frozen=True, slots=True)
class TablePair:
    """The primary table and quarantine of a lake."""

    primary: Table
    quarantine: Table

    def scan(self, plan: ReplayPlan, horizon: "RetentionHorizon | None" = None) -> "PairContents":
        """Refresh both and scan a plan's ranges; ``horizon`` is that of the live tables.

        Quarantine comes first: retention marks expiring days in the one table, then moves the
        generation in the other. A reader that has not seen the mark therefore has an old
        generation.
        """
        self.quarantine.refresh()
        self.primary.refresh()
        horizon = horizon or self._read_horizon()
        return PairContents(
            scan_range(self.primary, plan, horizon.values, horizon.rows),
            scan_range(self.quarantine, plan, horizon.payloads, horizon.quarantine_rows),
            horizon,
        )

    def _read_horizon(self) -> "RetentionHorizon":
        primary, quarantine = self.primary, self.quarantine
        return RetentionHorizon(
            values=complete_from(primary, ROWS_PART, TEXT_PART, PSEUDONYMS_PART),
            rows=complete_from(primary, ROWS_PART),
            payloads=complete_from(quarantine, SEALED_PART),
            quarantine_rows=complete_from(quarantine, ROWS_PART),
        )


class RetentionHorizon(NamedTuple):
    """The first days from which the live tables are complete (retention).

    ``values`` and ``rows`` are of the primary table, ``payloads`` and ``quarantine_rows`` of
    quarantine.
    """

    values: date | None
    rows: date | None
    payloads: date | None
    quarantine_rows: date | None


@dataclass(frozen=True, slots=True)
class PairContents:
    """What a pair of tables holds of the ranges."""

    primary: RangeContents
    quarantine: RangeContents
    horizon: RetentionHorizon

    @property
    def offsets(self) -> OffsetSet:
        """Return the offsets that are in either table."""
        return self.primary.offsets | self.quarantine.offsets


def select_replaced(current: PairContents, staged: PairContents) -> OffsetSet:
    """Return the records that a promotion replaces: live ones that were re-read.

    A row without a payload never replaces a quarantined row that has one, and expired parts of a
    live row are not restored.
    """
    sealed = current.quarantine.sealed & staged.quarantine.offsets
    lost = current.primary.trimmed | staged.primary.trimmed
    lost = lost | (current.quarantine.trimmed & staged.quarantine.offsets)
    lost = lost | current.primary.expired | current.quarantine.expired
    return (current.offsets & staged.offsets) - (sealed - staged.quarantine.sealed) - lost
