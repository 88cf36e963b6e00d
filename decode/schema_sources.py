"""Sources of writers' schemas: the package, a folder, several sources in order.

A Schema Registry is another one, `decode.registry_source`.

A source returns the schema, or why there is none. Only an unavailable registry is an error, because
nothing can then be said about the record.
"""

import json
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

from fastavro.schema import SchemaParseException, UnknownType

from schemas.contract import CONTRACTS, Avsc, schema_fingerprint
from schemas.errors import RetryableError, UsageError


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


def _read_file(file: Path) -> tuple[Avsc, str]:
    try:
        avsc = json.loads(file.read_text(encoding="utf-8"))
        return avsc, schema_fingerprint(avsc)
    except _FILE_ERRORS as error:
        raise UsageError(f"{file} does not hold an Avro schema.") from error


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
