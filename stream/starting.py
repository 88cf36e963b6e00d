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
from lake.tables import LAYOUTS, Lake
from schemas.errors import RetryableError
from stream.cluster import Cluster
from stream.config import KafkaSettings, StreamSettings
from stream.events import Log
from stream.kafka_client import admin_properties
from stream.memory import Budget, container_bytes, resident_bytes, short_of_memory
from stream.observer import JOINING

START_SECONDS = 20.0  # how long Kafka and the lake may take to answer for the first time

ResultT = TypeVar("ResultT")


def check_outside(
    kafka: KafkaSettings,
    stream: StreamSettings,
    settings: LakeSettings,
    stop: threading.Event,
    log: Log,
) -> None:
    """Find out, once for several workers, what would keep each of them from starting.

    Asks Kafka for the topics, makes the tables that are missing if it may, and looks at the memory.
    Raises UsageError or FatalError, with one sentence for a person.
    """
    retry = start_retry(stream, stop)
    cluster = Cluster(admin_properties(kafka), bootstrap_servers=kafka.bootstrap_servers)
    topics = [kafka.traces_topic, kafka.feedback_topic]
    first_answer(retry, "Kafka", lambda: cluster.partitions(topics))
    lake = Lake(settings)
    tell_made(first_answer(retry, "the lake", lambda: make_tables(lake, settings)), settings, log)
    Budget.plan(stream.memory_bytes, resident_bytes())


def tell_short_memory(ceiling: int, log: Log) -> None:
    """Log what is likely to go wrong with the limits of memory, if anything is."""
    if told := short_of_memory(ceiling, container_bytes()):
        log.warning("memory_short", detail=told)


def make_tables(lake: Lake, settings: LakeSettings) -> list[str]:
    """Make the tables that are missing, if the settings allow it; return which these were.

    Raises FatalError if they do not, and if a table is missing; otherwise as `Lake.init`.
    """
    if settings.create == "never":
        lake.tables()
    return lake.init()


def tell_made(made: list[str], settings: LakeSettings, log: Log) -> None:
    """Log that tables were made: loudly if it is the lake as a whole that is new."""
    if set(made) == set(LAYOUTS):
        log.warning(
            "lake_made",
            uri=settings.uri,
            detail="there was no lake at this address, so a new one was made, and the topics are "
            "read as for the first time; if there should be one, stop, and correct "
            "GOLDPAN_LAKE__URI",
        )
    elif made:
        log.warning("tables_made", tables=made, uri=settings.uri)


def start_retry(stream: StreamSettings, stop: threading.Event) -> Retry:
    """Return how a step is tried again while a worker starts."""
    return Retry(
        seconds=min(START_SECONDS, stream.retry_seconds),
        monotonic=time.monotonic,
        sleep=stop.wait,
        uniform=random.uniform,
    )


def first_answer(retry: Retry, what: str, ask: Callable[[], ResultT]) -> ResultT:
    """Wait a little for what is not there at the start: it may be starting itself.

    Raises RetryableError if told to stop meanwhile, FatalError if it does not come.
    """
    return retry.call(f"waiting for {what}", ask)


def renewed(
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
    return retry.call(JOINING, work)


@contextmanager
def stopped_in_order(stop: threading.Event, log: Log) -> Iterator[None]:
    """End in order if told to stop while waiting for an answer: nothing is left half done."""
    try:
        yield
    except RetryableError:
        if not stop.is_set():
            raise
        log.info("worker_stopped")
