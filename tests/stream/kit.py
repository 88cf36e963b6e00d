"""What the tests of the worker share."""

from collections.abc import Mapping
from typing import Any

from lake.ledger import Incarnation, SourcePartition
from lake.tables import Lake
from stream.take_over import TakeOver
from tests.lake.kit import HERE, TOPIC


class Recorder:
    """Stands for a log, or for whatever else is only told things."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def info(self, event: str, **fields: object) -> None:
        """Take note."""
        self.events.append((event, fields))

    warning = error = info

    @property
    def names(self) -> list[str]:
        """Return what was said, in order."""
        return [event for event, _ in self.events]


def take_over(
    lake: Lake,
    *,
    incarnation: Incarnation = HERE,
    watermarks: tuple[int, int] = (0, 100),
    start: str = "earliest",
    on_lost_offsets: str = "fail",
    lost: list[tuple[SourcePartition, int, int]] | None = None,
) -> TakeOver:
    """Return what takes partitions of the feedback topic over."""
    return TakeOver(
        primary={TOPIC: lake.table("feedback")},
        quarantine=lake.table("quarantine"),
        audit=None,
        labels=None,
        incarnation=lambda _topic: incarnation,
        watermarks=lambda _source: watermarks,
        start=start,
        on_lost_offsets=on_lost_offsets,
        on_lost=lambda *gap: (lost if lost is not None else []).append(gap),
    )
