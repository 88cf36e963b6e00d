"""Sources of writers' schemas: the package, a folder, a Schema Registry.

A source returns the schema, or why there is none. Only an unavailable registry is an error, because
nothing can then be said about the record.
"""

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, SchemaRegistryError
from fastavro import parse_schema
from fastavro.schema import SchemaParseException, UnknownType

from decode.schema_references import inline_references
from schemas.contract import CONTRACTS, Avsc, schema_fingerprint
from schemas.errors import FatalError, RetryableError, UsageError


class RegistryError(RetryableError):
    """The registry is unavailable, or the server at its address may not be a registry."""


class MissingSchema(Enum):
    """Why there is no schema."""

    UNKNOWN = "unknown"
    NOT_AVRO = "not avro"


class SchemaSource(Protocol):
    """Finds schemas by the identifier in a record's header."""

    def by_id(self, schema_id: int) -> Avsc | MissingSchema:
        """Return the schema with a registry id (Confluent framing)."""

    def by_fingerprint(self, fingerprint: str) -> Avsc | MissingSchema:
        """Return the schema with a CRC-64-AVRO: 16 hex digits in header order."""


class FolderSource:
    """The contract's schemas, with all released versions, and those of a folder.

    In the folder, ``<id>.avsc`` is the schema with that registry id; every ``*.avsc`` is found by
    its fingerprint. All files are read at construction. A file without a valid Avro schema raises a
    ``UsageError`` that names it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._by_id: dict[int, Avsc] = {}
        self._by_fingerprint: dict[str, Avsc] = {}
        for contract in CONTRACTS.values():
            for avsc in (*contract.released.values(), contract.avro):
                self._by_fingerprint[schema_fingerprint(avsc)] = avsc
        if folder is not None:
            self._read(folder)

    def by_id(self, schema_id: int) -> Avsc | MissingSchema:
        """Return the schema that ``<schema_id>.avsc`` holds."""
        return self._by_id.get(schema_id, MissingSchema.UNKNOWN)

    def by_fingerprint(self, fingerprint: str) -> Avsc | MissingSchema:
        """Return the schema from the package or from any file of the folder."""
        return self._by_fingerprint.get(fingerprint, MissingSchema.UNKNOWN)

    def _read(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"GOLDPAN_KAFKA__SCHEMAS_DIR: there is no folder {folder}.")
        for file in sorted(folder.glob("*.avsc")):
            avsc, fingerprint = _read_file(file)
            self._by_fingerprint[fingerprint] = avsc
            if file.stem.isdecimal():
                self._by_id[int(file.stem)] = avsc


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


class ChainedSource:
    """Several sources; the first that has a schema provides it."""

    def __init__(self, *sources: SchemaSource) -> None:
        self._sources = sources

    def by_id(self, schema_id: int) -> Avsc | MissingSchema:
        """Return the schema with a registry id."""
        return self._first(lambda source: source.by_id(schema_id))

    def by_fingerprint(self, fingerprint: str) -> Avsc | MissingSchema:
        """Return the schema with a CRC-64-AVRO."""
        return self._first(lambda source: source.by_fingerprint(fingerprint))

    def _first(self, ask: Callable[[SchemaSource], Avsc | MissingSchema]) -> Avsc | MissingSchema:
        answer: Avsc | MissingSchema = MissingSchema.UNKNOWN
        for source in self._sources:
            answer = ask(source)
            if answer is not MissingSchema.UNKNOWN:
                break
        return answer


def open_schema_source(
    folder: Path | None,
    registry_url: str | None,
    *,
    user: str | None = None,
    password: str | None = None,
    clock: Callable[[], float],
) -> SchemaSource:
    """Return the source that the settings describe: package and folder, then the registry.

    Sends nothing to the registry yet. Raises ``UsageError`` for unusable settings.
    """
    local = FolderSource(folder)
    if not registry_url:
        return local
    if not all(_is_http(url) for url in registry_url.split(",")):
        raise UsageError("The URL of the schema registry must look like http://host:8081.")
    settings: dict[str, Any] = {"url": registry_url, "timeout": 10, "max.retries": 2}
    if user:
        settings["basic.auth.user.info"] = f"{user}:{password or ''}"
    client = SchemaRegistryClient(settings)
    return ChainedSource(local, RegistrySource(client, registry_url, clock))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # unbalanced brackets, for example
        return False


def _read_file(file: Path) -> tuple[Avsc, str]:
    try:
        avsc = json.loads(file.read_text(encoding="utf-8"))
        return avsc, schema_fingerprint(avsc)
    except _FILE_ERRORS as error:
        raise UsageError(f"{file} does not hold an Avro schema.") from error


_NO_SCHEMA: Final = 40403
"""The registry's own code for an unknown schema id; unknown subjects have other codes."""
_LARGEST_ID: Final = 0x7FFFFFFF
_NO_ENTRY: Final = (401, 403, 407)
_BUSY: Final = (408, 425, 429)
_FILE_ERRORS: Final = (
    SchemaParseException,
    UnknownType,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
