"""What a worker finds out before it starts: whether Kafka and the lake answer, and if it is there.

An address with a typing error looks like a lake that has not been made yet. So making one is a
setting (`LakeSettings.create`), and one that was made is told loudly: in the log, and by the time
of its making as a metric, which every worker shows.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lake.config import LakeSettings
from lake.retry import Retry
from lake.tables import TABLE_LAYOUTS, Lake
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

START_SECONDS = 20.0  # how long Kafka and the lake may take to answer for the first time

ResultT = TypeVar("ResultT")


def check_dependencies(
    kafka: KafkaSettings,
    stream: StreamSettings,
    settings: LakeSettings,
    stop: threading.Event,
    log: EventLog,
) -> None:
    """Find out, once for several workers, what would keep each of them from starting.

    Asks Kafka for the topics, makes the tables that are missing if it may, and looks at the memory.
    Raises UsageError or FatalError, with one sentence for a person.
    """
    retry = make_startup_retry(stream, stop)
    cluster = Cluster(admin_properties(kafka), bootstrap_servers=kafka.bootstrap_servers)
    topics = [kafka.traces_topic, kafka.feedback_topic]
    wait_for(retry, "Kafka", lambda: cluster.partitions(topics))
    lake = Lake(settings)
    log_created_tables(
        wait_for(retry, "the lake", lambda: create_missing_tables(lake, settings)), settings, log
    )
    MemoryBudget.plan(stream.memory_bytes, read_resident_bytes())


def warn_memory_shortage(ceiling: int, log: EventLog) -> None:
    """Log what is likely to go wrong with the limits of memory, if anything is."""
    if told := describe_memory_shortage(ceiling, read_container_limit()):
        log.warning("memory_short", detail=told)


def create_missing_tables(lake: Lake, settings: LakeSettings) -> list[str]:
    """Make the tables that are missing, if the settings allow it; return which these were.

    Raises FatalError if they do not, and if a table is missing; otherwise as `Lake.init`.
    """
    if settings.create == "never":
        lake.tables()
    return lake.init()


def log_created_tables(made: list[str], settings: LakeSettings, log: EventLog) -> None:
    """Log that tables were made: loudly if it is the lake as a whole that is new."""
    if set(made) == set(TABLE_LAYOUTS):
        log.warning(
            "lake_made",
            uri=settings.uri,
            detail="there was no lake at this address, so a new one was made, and the topics are "
            "read as for the first time; if there should be one, stop, and correct "
            "GOLDPAN_LAKE__URI",
        )
    elif made:
        log.warning("tables_made", tables=made, uri=settings.uri)


def make_startup_retry(stream: StreamSettings, stop: threading.Event) -> Retry:
    """Return how a step is tried again while a worker starts."""
    return Retry(
        seconds=min(START_SECONDS, stream.retry_seconds),
        monotonic=time.monotonic,
        sleep=stop.wait,
        uniform=random.uniform,
    )


def wait_for(retry: Retry, what: str, ask: Callable[[], ResultT]) -> ResultT:
    """Wait a little for what is not there at the start: it may be starting itself.

    Raises RetryableError if told to stop meanwhile, FatalError if it does not come.
    """
    return retry.call(f"waiting for {what}", ask)


def retry_with_new_client(
    retry: Retry,
    stop: threading.Event,
    ended: Callable[[RetryableError], None],
    work: Callable[[], ResultT],
) -> ResultT:
    """Work; again, with a new client, if the one before has ended and a new one may do better.

    Raises RetryableError if told to stop, FatalError if it does not get better in time.
    """
    try:
        return work()
    except RetryableError as error:
        if stop.is_set():
            raise
        ended(error)
    return retry.call(JOINING_GROUP, work)


@contextmanager
def stop_gracefully(stop: threading.Event, log: EventLog) -> Iterator[None]:
    """End in order if told to stop while waiting for an answer: nothing is left half done."""
    try:
        yield
    except RetryableError:
        if not stop.is_set():
            raise
        log.info("worker_stopped")
