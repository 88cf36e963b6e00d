"""What Kafka's client says beside the messages, and the one judgement that all of it passes.

librdkafka hands most errors to ``error_cb`` and not among the messages. Many mend themselves; some
are the answer of a broker that only a person can mend; a fatal one is the last thing that the
client does: it reads and sends nothing from then on, and looks healthy.
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
    KafkaError.SASL_AUTHENTICATION_FAILED: "was not accepted with its credentials",
    KafkaError._AUTHENTICATION: "was not accepted with its credentials",
}
_ANSWERED: Final = re.compile(r": Broker: |SASL authentication error: (?!\w+ failed: Local: )")
"""How librdkafka quotes what a broker answered; its own guesses begin with ``Local:``."""
_INSTANCE: Final = "the property group.instance.id must differ from worker to worker"
_REMEDY: Final = {
    KafkaError.FENCED_INSTANCE_ID: f"another member of the group has its name: {_INSTANCE}",
    KafkaError.UNRELEASED_INSTANCE_ID: "the group still has a member of its name, which is let go "
    f"when its session ends, if it is dead: {_INSTANCE}",
    KafkaError.UNSUPPORTED_VERSION: "the brokers are too old for what the settings ask for, such "
    "as GOLDPAN_KAFKA__GROUP_PROTOCOL",
}


def is_fatal(error: KafkaError) -> bool:
    """Return whether the client does nothing more after this."""
    return error.fatal() or error.code() == KafkaError._FATAL


def is_access_denied(error: KafkaError) -> bool:
    """Return whether a broker has refused us; only a person can mend that.

    The client gives `_AUTHENTICATION` also where a connection broke off in the handshake, which is
    what a broker that goes down, or a load balancer with nothing behind it, looks like.
    """
    if error.code() == KafkaError._AUTHENTICATION:
        return _ANSWERED.search(error.str()) is not None
    return error.code() in ACCESS_DENIED


def translate_fatal(error: KafkaError) -> FatalError | RetryableError:
    """Return the error to raise for a fatal one: RetryableError if a new client may do better."""
    code = _cause(error)
    remedy = _REMEDY.get(code, "start the worker again")
    kind = RetryableError if code == KafkaError.UNRELEASED_INSTANCE_ID else FatalError
    return kind(f"Kafka's client cannot go on ({KafkaError(code).name()}): {remedy}")


def _cause(error: KafkaError) -> int:
    """Return the code of what ended the client; among the messages only the text has it."""
    if error.code() == KafkaError._FATAL:
        for code in _REMEDY:
            if KafkaError(code).str() in error.str():
                return code
    return error.code()


class ClientErrors:
    """Hears all errors of one client: give it `hear` as ``error_cb``, and ask it by `check`.

    The client calls in the thread that polls it. ``heard`` is told of each error.
    """

    def __init__(self, heard: Callable[[KafkaError], None] = lambda _error: None) -> None:
        self._heard = heard
        self._fatal: KafkaError | None = None
        self._refusal: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        """Take an error; nothing is raised, since it would surface in the midst of the client."""
        if is_fatal(error):
            self._fatal = self._fatal or error
        elif is_access_denied(error):
            self._refusal = error
        self._heard(error)

    def check(self) -> None:
        """Raise FatalError if the client is at its end, RetryableError if a new one may do better.

        Ask wherever the client is waited for: it says nothing more by itself.
        """
        if self._fatal is not None:
            raise translate_fatal(self._fatal)

    def refusal(self) -> KafkaError | None:
        """Return what a broker refused since the last call, and forget it."""
        refusal, self._refusal = self._refusal, None
        return refusal
