"""Clients that read given offsets, outside of the worker's consumer group."""

from typing import Any, NamedTuple

from stream.client_errors import ClientErrors
from stream.cluster import Cluster
from stream.config import KafkaSettings
from stream.kafka_client import admin_properties, make_consumer


class DirectClients(NamedTuple):
    """A consumer that is assigned partitions by hand, its errors, and the cluster's admin calls."""

    cluster: Cluster
    consumer: Any
    errors: ClientErrors


def connect_directly(settings: KafkaSettings, purpose: str, *, fetch_queue: int) -> DirectClients:
    """Connect to Kafka for a purpose, which is a part of the group's name that brokers see.

    Raises UsageError if the client rejects one of the properties.
    """
    errors = ClientErrors()
    cluster = Cluster(admin_properties(settings), bootstrap_servers=settings.bootstrap_servers)
    group = f"{settings.group_id}-{purpose}"
    consumer = make_consumer(settings, fetch_queue=fetch_queue, errors=errors, group=group)
    return DirectClients(cluster, consumer, errors)
