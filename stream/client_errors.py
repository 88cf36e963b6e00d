"""Classifies errors that the Kafka client reports outside of messages.

librdkafka passes most errors to ``error_cb`` rather than returning them as messages. Many are
transient. Some are a broker's answer that only an operator can fix. After a fatal error the client
neither reads nor sends, although it looks healthy.
"""

import re
from collections.abc import Callable
from typing import Final

from confluent_kafka import KafkaError

from schemas.errors import FatalError, RetryableError

ACCESS_DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "is not allowed to read the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "is not allowed to use the consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "is not allowed to use the cluster",
    KafkaError.SASL_AUTHENTICATION_FAILED: "failed to authenticate with its credentials",
    KafkaError._AUTHENTICATION: "failed to authenticate with its credentials",
}
_ANSWERED: Final = re.compile(r": Broker: |SASL authentication error: (?!\w+ failed: Local: )")
"""How librdkafka quotes a broker's answer; its own conclusions begin with ``Local:``."""
_INSTANCE: Final = "each worker needs its own GOLDPAN_KAFKA__GROUP_INSTANCE_ID"
_REMEDY: Final = {
    KafkaError.FENCED_INSTANCE_ID: f"another member of the group uses this name: {_INSTANCE}",
    KafkaError.UNRELEASED_INSTANCE_ID: "the group still has a member with this name, which is "
    f"removed when its session expires, if it is dead: {_INSTANCE}",
    KafkaError.UNSUPPORTED_VERSION: "the brokers are too old for the settings, such as "
    "GOLDPAN_KAFKA__GROUP_PROTOCOL",
}


def is_fatal(error: KafkaError) -> bool:
    """Return whether the client stops working after this error."""
    return error.fatal() or error.code() == KafkaError._FATAL


def is_access_denied(error: KafkaError) -> bool:
    """Return whether a broker denied access; only an operator can fix that.

    The client also reports `_AUTHENTICATION` when a connection breaks off during the handshake, for
    example because a broker shuts down or a load balancer has no backend.
    """
    if error.code() == KafkaError._AUTHENTICATION:
        return _ANSWERED.search(error.str()) is not None
    return error.code() in ACCESS_DENIED


def translate_fatal(error: KafkaError) -> FatalError | RetryableError:
    """Return the error to raise for a fatal error: RetryableError if a new client may succeed."""
    code = _cause(error)
    remedy = _REMEDY.get(code, "restart the worker")
    kind = RetryableError if code == KafkaError.UNRELEASED_INSTANCE_ID else FatalError
    return kind(f"Kafka's client cannot continue ({KafkaError(code).name()}): {remedy}")


def _cause(error: KafkaError) -> int:
    """Return the code that ended the client; an error returned as a message has it only in its
    text.
    """
    if error.code() == KafkaError._FATAL:
        for code in _REMEDY:
            if KafkaError(code).str() in error.str():
                return code
    return error.code()


class ClientErrors:
    """Collects all errors of one client: pass `record` as ``error_cb``, then call `check`.

    The client calls back on the thread that polls it. ``on_error`` is called with each error.
    """

    def __init__(self, on_error: Callable[[KafkaError], None] = lambda _error: None) -> None:
        self._on_error = on_error
        self._fatal: KafkaError | None = None
        self._access_error: KafkaError | None = None

    def record(self, error: KafkaError) -> None:
        """Record an error; raises nothing, because an exception would surface inside the client."""
        if is_fatal(error):
            self._fatal = self._fatal or error
        elif is_access_denied(error):
            self._access_error = error
        self._on_error(error)

    def check(self) -> None:
        """Raise FatalError if the client has ended, RetryableError if a new one may succeed.

        Call this wherever the code waits for the client: after a fatal error it stays silent.
        """
        if self._fatal is not None:
            raise translate_fatal(self._fatal)

    def take_access_error(self) -> KafkaError | None:
        """Return and clear the access error since the last call."""
        error, self._access_error = self._access_error, None
        return error
