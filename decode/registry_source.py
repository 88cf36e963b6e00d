"""Writers' schemas from a Schema Registry over HTTP, and its client."""

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from decode.schema_references import inline_references
from decode.schema_sources import MissingSchema, RegistryError
from schemas.contract import Avsc
from schemas.errors import FatalError

_NO_SCHEMA: Final = 40403
"""The registry's own code for an unknown schema id; unknown subjects have other codes."""
_LARGEST_ID: Final = 0x7FFFFFFF
_NO_ENTRY: Final = (401, 403, 407)
_BUSY: Final = (408, 425, 429)


class RegistrySource:
    """A Schema Registry over HTTP.

    Schemas are cached for good, since an id never changes its meaning. A missing id is cached for
    ``MISS_SECONDS``, so that records with a wrong header do not cause one request each. ``clock``
    gives monotonic seconds.
    """

    MISS_SECONDS: Final = 30.0
    _MOST_MISSES = 10_000

    def __init__(self, client: SchemaRegistryClient, url: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._host = urlsplit(url.partition(",")[0]).hostname
        self._clock = clock
        self._schemas: dict[int, Avsc | MissingSchema] = {}
        self._missed: dict[int, float] = {}

    def by_id(self, schema_id: int) -> Avsc | MissingSchema:
        """Return the schema with this id.

        Raises ``RetryableError`` if the registry is unavailable and ``FatalError`` if it denies
        access.
        """
        if schema_id in self._schemas:
            return self._schemas[schema_id]
        if self._clock() < self._missed.get(schema_id, float("-inf")):
            return MissingSchema.UNKNOWN
        answer = self._ask(schema_id) if schema_id <= _LARGEST_ID else MissingSchema.UNKNOWN
        if answer is MissingSchema.UNKNOWN:
            self._remember_miss(schema_id)
        else:
            self._schemas[schema_id] = answer
        return answer

    def by_fingerprint(self, fingerprint: str) -> Avsc | MissingSchema:  # noqa: ARG002
        """Return that it is unknown: a registry cannot be queried by fingerprint."""
        return MissingSchema.UNKNOWN

    def _remember_miss(self, schema_id: int) -> None:
        if len(self._missed) >= self._MOST_MISSES:
            self._missed.clear()
        self._missed[schema_id] = self._clock() + self.MISS_SECONDS

    def _ask(self, schema_id: int) -> Avsc | MissingSchema:
        try:
            schema = self._client.get_schema(schema_id)
            if schema.schema_type not in (None, "AVRO"):
                return MissingSchema.NOT_AVRO
            return self._load(schema)
        except SchemaRegistryError as error:
            return self._refused(schema_id, error)
        except httpx2.HTTPError as error:
            raise RegistryError(
                f"The schema registry at {self._host} did not answer about schema {schema_id}: "
                f"{type(error).__name__} ({str(error)[:200]})"
            ) from error
        except (SchemaParseException, UnknownType):
            return MissingSchema.NOT_AVRO
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise RegistryError(
                f"The server at {self._host} did not return a schema for id {schema_id}: check "
                "that it is a schema registry"
            ) from error

    def _load(self, schema: Schema) -> Avsc:
        avsc: Avsc = json.loads(schema.schema_str or "")
        if not schema.references:
            return avsc
        referenced: dict[tuple[str, int], Any] = {}
        self._load_references(schema, referenced)
        inlined = inline_references(avsc, referenced.values())
        parse_schema(dict(inlined))
        return inlined

    def _load_references(self, schema: Schema, referenced: dict[tuple[str, int], Any]) -> None:
        """Add the schemas that a schema refers to, recursively, each of them once."""
        for reference in schema.references or ():
            subject, version_number = reference.subject or "", reference.version or 1
            if (subject, version_number) not in referenced:
                version = self._client.get_version(subject, version_number, deleted=True).schema
                referenced[subject, version_number] = json.loads(version.schema_str or "")
                self._load_references(version, referenced)

    def _refused(self, schema_id: int, error: SchemaRegistryError) -> MissingSchema:
        """Return that there is no such schema, if the registry itself reports that.

        The HTTP status alone proves nothing: a wrong path, a proxy and a login page answer 404 too.
        """
        status = error.http_status_code
        if status in _NO_ENTRY:
            raise FatalError(
                f"The schema registry at {self._host} denied access (HTTP {status}). Check its "
                "user and password in the settings."
            ) from error
        if error.error_code == _NO_SCHEMA:
            return MissingSchema.UNKNOWN
        hint = "" if status in _BUSY or status >= 500 else ": check that it is a registry"
        raise RegistryError(
            f"The schema registry at {self._host} answered HTTP {status} about schema "
            f"{schema_id}{hint}"
        ) from error


def connect_registry(
    url: str, user: str | None, password: str | None, clock: Callable[[], float]
) -> RegistrySource:
    """Return the registry at a URL as a source; nothing is sent to it yet."""
    settings: dict[str, Any] = {"url": url, "timeout": 10, "max.retries": 2}
    if user:
        settings["basic.auth.user.info"] = f"{user}:{password or ''}"
    return RegistrySource(SchemaRegistryClient(settings), url, clock)
