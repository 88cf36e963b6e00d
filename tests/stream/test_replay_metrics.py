"""What a replay tells Prometheus while it runs."""

from prometheus_client import CollectorRegistry

from lake.ledger import SourceRange
from stream.metrics import Metrics
from stream.replay.metrics import DECIDING_LABELS, READING_RANGE, REPLAY_METRICS, ReplayObserver

TOPIC = "llm.traces"


def observed(clock: list[float]) -> tuple[ReplayObserver, CollectorRegistry, list[object]]:
    """Return an observer, where its metrics are, and what it has passed on."""
    registry, told = CollectorRegistry(), list[object]()
    metrics = Metrics(registry, REPLAY_METRICS)
    report = lambda *parts: told.append(parts)  # noqa: E731
    return ReplayObserver(metrics, TOPIC, report, lambda: clock[0]), registry, told


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Return what a metric shows."""
    return registry.get_sample_value(f"goldpan_replay_{name}", {"topic": TOPIC, **labels})


def test_records_are_counted_by_what_became_of_them() -> None:
    """From 0 on, so that the first is seen as an increase."""
    observer, registry, _ = observed([0.0])
    assert value(registry, "records_total", outcome="read") == 0
    observer.read(5)
    observer.staged([SourceRange(TOPIC, 0, 0, 5, consumed=5, stored=3, quarantined=2)])
    found = [value(registry, "records_total", outcome=o) for o in ("read", "stored", "quarantined")]
    assert found == [5, 3, 2]


def test_the_rate_is_that_of_the_last_minute_and_says_how_long_it_takes() -> None:
    """What was staged before this process began counts as done, and not as its speed."""
    clock = [100.0]
    observer, registry, told = observed(clock)
    observer.progress(READING_RANGE, 500, 1_000)
    assert value(registry, "seconds_left") is None
    clock[0] += 10
    observer.progress(READING_RANGE, 600, 1_000)
    assert value(registry, "offsets_per_second") == 10
    assert value(registry, "seconds_left") == 40
    for _ in range(20):  # slower by now
        clock[0] += 10
        observer.progress(READING_RANGE, 620, 1_000)
    assert value(registry, "offsets_per_second") == 0
    observer.progress(READING_RANGE, 1_000, 1_000)
    assert value(registry, "seconds_left") == 0
    assert (value(registry, "offsets", of="done"), value(registry, "offsets", of="all")) == (
        1_000,
        1_000,
    )
    assert told[0] == (READING_RANGE, 500, 1_000)


def test_labels_have_a_gauge_of_their_own() -> None:
    """Other steps are passed on and shown nowhere."""
    observer, registry, told = observed([0.0])
    observer.progress(DECIDING_LABELS, 3, 9)
    observer.progress("finding traces", 0, 0)
    assert (value(registry, "traces", of="done"), value(registry, "traces", of="all")) == (3, 9)
    assert value(registry, "offsets", of="all") is None
    assert len(told) == 2
