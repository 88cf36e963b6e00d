"""What the tests of the worker share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry

from lake.ledger import Incarnation, SourcePartition
from lake.tables import Lake
from stream.health import WorkerHealth
from stream.memory import MemoryBudget
from stream.metrics import Metrics
from stream.observer import WorkerObserver
from stream.state_gauges import StateGauges
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


def make_observer(
    registry: CollectorRegistry,
    log: Recorder,
    *,
    event_times: Mapping[str, str] = MappingProxyType({}),
    monotonic: Callable[[], float] = lambda: 0.0,
    silence: Callable[[], float] = lambda: 0.0,
) -> WorkerObserver:
    """Return an observer with health and gauges, at a wall clock of 0."""
    metrics, health = Metrics(registry), WorkerHealth(monotonic, silence)
    budget = MemoryBudget.plan(2**30, 0)
    gauges = StateGauges(metrics, health, budget, list(event_times), dict, lambda: 0)
    return WorkerObserver(metrics, log, health, gauges, event_times, lambda: 0, monotonic)
