"""Startup checks of a worker: whether Kafka and the lake are available, and the lake exists.

A mistyped address looks like a lake that does not exist yet. So creating one is a setting
(`LakeSettings.create`), and a new lake is reported clearly: in the log, and by its creation time as
a metric of every worker.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lake.config import LakeSettings
from lake.retry import Retry
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.errors import RetryableError
from stream.cluster import Cluster
from stream.config import KafkaSettings, StreamSettings
from stream.events import EventLog
from stream.kafka_client import admin_properties
from stream.memory import (
    MemoryBudget,
    describe_memory_shortage,
    read_container_limit,
    read_resident_bytes,
)
from stream.observer import JOINING_GROUP
from stream.source_topics import source_topics

START_SECONDS = 20.0  # the time for the first answers of Kafka and the lake

ResultT = TypeVar("ResultT")


def check_dependencies(
    kafka: KafkaSettings,
    stream: StreamSettings,
    settings: LakeSettings,
    stop: threading.Event,
    log: EventLog,
) -> None:
    """Check, once for several workers, what would keep each of them from starting.

    Asks Kafka for the topics, creates missing tables if allowed, and checks the memory. Raises
    UsageError or FatalError, with one sentence.
    """
    retry = make_startup_retry(stream, stop)
    cluster = Cluster(admin_properties(kafka), bootstrap_servers=kafka.bootstrap_servers)
    topics = list(source_topics(kafka))
    wait_for(retry, "Kafka", lambda: cluster.partitions(topics))
    lake = Lake(settings)
    log_created_tables(
        wait_for(retry, "the lake", lambda: create_missing_tables(lake, settings)), settings, log
    )
    MemoryBudget.plan(stream.memory_bytes, read_resident_bytes())


def warn_memory_shortage(ceiling: int, log: EventLog) -> None:
    """Log what is likely to fail with the memory limits, if anything is."""
    if detail := describe_memory_shortage(ceiling, read_container_limit()):
        log.warning("memory_short", detail=detail)


def create_missing_tables(lake: Lake, settings: LakeSettings) -> list[str]:
    """Create the missing tables, if the settings allow it; return their names.

    Raises FatalError if they do not and a table is missing; otherwise as `Lake.init`.
    """
    if settings.create == "never":
        lake.tables()
    return lake.init()


def log_created_tables(created: list[str], settings: LakeSettings, log: EventLog) -> None:
    """Log that tables were created: as a warning if the whole lake is new."""
    if set(created) == set(TABLE_LAYOUTS):
        log.warning(
            "lake_made",
            uri=settings.uri,
            detail="there was no lake at this address, so a new one was created, and the topics "
            "are read from the beginning; if there should be one, stop and correct "
            "GOLDPAN_LAKE__URI",
        )
    elif created:
        log.warning("tables_made", tables=created, uri=settings.uri)


def make_startup_retry(stream: StreamSettings, stop: threading.Event) -> Retry:
    """Return how a step is retried while a worker starts."""
    return Retry(
        seconds=min(START_SECONDS, stream.retry_seconds),
        monotonic=time.monotonic,
        sleep=stop.wait,
        uniform=random.uniform,
    )


def wait_for(retry: Retry, system: str, ask: Callable[[], ResultT]) -> ResultT:
    """Wait briefly for a system that may itself be starting.

    Raises RetryableError if asked to stop, FatalError if it stays unavailable.
    """
    return retry.call(f"waiting for {system}", ask)


def retry_with_new_client(
    retry: Retry,
    stop: threading.Event,
    on_ended: Callable[[RetryableError], None],
    work: Callable[[], ResultT],
) -> ResultT:
    """Work; if the client ends and a new one may succeed, retry with a new one.

    Raises RetryableError if asked to stop, FatalError if retrying does not help in time.
    """
    try:
        return work()
    except RetryableError as error:
        if stop.is_set():
            raise
        on_ended(error)
    return retry.call(JOINING_GROUP, work)


@contextmanager
def stop_gracefully(stop: threading.Event, log: EventLog) -> Iterator[None]:
    """End normally if asked to stop while waiting: nothing is left half done."""
    try:
        yield
    except RetryableError:
        if not stop.is_set():
            raise
        log.info("worker_stopped")
