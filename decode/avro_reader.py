"""Reads Avro records with the schema named in their header."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, Generic, TypeVar

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException, UnknownType

from decode.avro_compiler import AvroReadFunction, UncommonEncodingError, compile_schema
from decode.explainer import ErrorExplainer
from decode.refusal import Refusal
from decode.schema_resolution import UnreadableSchemaError, resolve_schema
from decode.schema_sources import MissingSchema, SchemaSource
from decode.wire_format import FRAMED_HEADER_BYTES, SINGLE_OBJECT_HEADER_BYTES
from schemas.contract import Avsc, Contract, schema_fingerprint
from schemas.reasons import QuarantineReason

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class PreparedSchema:
    """A writer's schema, prepared for reading under the contract's field names.

    ``parsed`` is for fastavro. ``read_common`` is the compiled reader: several times faster, for
    all but uncommon encodings; see `decode.avro_compiler`.
    """

    parsed: Any
    fingerprint: str
    read_common: AvroReadFunction


class AvroReader(Generic[RecordT]):
    """Reads Avro of one kind of record. Each schema is fetched and prepared once."""

    def __init__(
        self, contract: Contract, record_type: type[RecordT], source: SchemaSource
    ) -> None:
        self._contract = contract
        self._record_type = record_type
        self._source = source
        self._explainer = ErrorExplainer(contract)
        self._by_id: dict[int, PreparedSchema | Refusal] = {}
        self._by_fingerprint: dict[str, PreparedSchema | Refusal] = {}

    def read_framed(self, value: bytes) -> tuple[RecordT, str] | Refusal:
        """Read a value with Confluent framing; return the record and its schema's fingerprint.

        Raises ``RetryableError`` if the schema registry is unavailable.
        """
        schema_id = int.from_bytes(value[1:FRAMED_HEADER_BYTES], "big")
        schema = self._by_id.get(schema_id) or self._prepare(
            self._by_id, schema_id, self._source.by_id, _unknown_id(schema_id)
        )
        return self._read(value, FRAMED_HEADER_BYTES, schema)

    def read_single_object(self, value: bytes) -> tuple[RecordT, str] | Refusal:
        """Read a value in single-object encoding; otherwise as ``read_framed``."""
        fingerprint = value[2:SINGLE_OBJECT_HEADER_BYTES].hex()
        schema = self._by_fingerprint.get(fingerprint) or self._prepare(
            self._by_fingerprint, fingerprint, self._source.by_fingerprint, _UNKNOWN_FINGERPRINT
        )
        return self._read(value, SINGLE_OBJECT_HEADER_BYTES, schema)

    def _prepare(
        self,
        cache: dict[Any, PreparedSchema | Refusal],
        key: Any,
        look_up: Callable[[Any], Avsc | MissingSchema],
        refusal: Refusal,
    ) -> PreparedSchema | Refusal:
        """Fetch a schema and fit it to the contract. A missing schema is not cached: it may appear
        later.
        """
        result = look_up(key)
        if result is MissingSchema.UNKNOWN:
            return refusal
        cache[key] = (
            _NOT_AVRO
            if isinstance(result, MissingSchema)
            else prepare_schema(self._contract, result)
        )
        return cache[key]

    def _read(
        self, value: bytes, start: int, schema: PreparedSchema | Refusal
    ) -> tuple[RecordT, str] | Refusal:
        if isinstance(schema, Refusal):
            return schema
        document = _read_bytes(value, start, schema)
        if isinstance(document, Refusal):
            return document._replace(schema_id=schema.fingerprint)
        try:
            return msgspec.convert(document, self._record_type), schema.fingerprint
        except msgspec.ValidationError as error:
            refusal = self._explainer.explain(str(error), document)
            return refusal._replace(schema_id=schema.fingerprint)


def _read_bytes(value: bytes, start: int, schema: PreparedSchema) -> Any:
    """Return the record as a dict, or the ``Refusal`` of bytes that do not match the schema."""
    try:
        document, end = schema.read_common(value, start)
    except _UNCOMMON_ERRORS:
        end = -1
    return document if end == len(value) else _read_with_fastavro(value, start, schema)


def _read_with_fastavro(value: bytes, start: int, schema: PreparedSchema) -> Any:
    stream = BytesIO(value)
    stream.seek(start)
    try:
        document = schemaless_reader(stream, schema.parsed)
    except EOFError:
        return _TRUNCATED
    except UnicodeDecodeError:
        return _BAD_TEXT
    except _MALFORMED_ERRORS:
        # The reader also fails on a number whose last bytes are missing.
        return _TRUNCATED if stream.tell() >= len(value) else _MALFORMED
    return document if stream.tell() == len(value) else _TRAILING


def prepare_schema(contract: Contract, avsc: Avsc) -> PreparedSchema | Refusal:
    """Fit a schema to the contract, or return why records written with it cannot be read."""
    try:
        resolved = resolve_schema(contract, avsc)
        parsed = parse_schema(resolved)
        return PreparedSchema(parsed, schema_fingerprint(avsc), compile_schema(resolved))
    except UnreadableSchemaError as error:
        return error.refusal
    except _SCHEMA_ERRORS:
        return _NOT_A_SCHEMA


def _unknown_id(schema_id: int) -> Refusal:
    # Ids count up from one. Four ASCII letters read as an id give a larger number than this; such a
    # number is not repeated, because it would be content of the record.
    shown_id = f" {schema_id}" if schema_id < 0x20000000 else ""
    return Refusal(
        QuarantineReason.UNKNOWN_SCHEMA, f"No schema with the id{shown_id} of its header is known."
    )


_UNKNOWN_FINGERPRINT: Final = Refusal(
    QuarantineReason.UNKNOWN_SCHEMA, "No schema with the fingerprint of its header is known."
)
_NOT_AVRO: Final = Refusal(
    QuarantineReason.INCOMPATIBLE_SCHEMA,
    "The schema that the record was written with is not an Avro schema.",
)
_NOT_A_SCHEMA: Final = Refusal(
    QuarantineReason.INCOMPATIBLE_SCHEMA,
    "The schema that the record was written with is not valid Avro.",
)
_TRUNCATED: Final = Refusal(
    QuarantineReason.TRUNCATED, "The record ends before all the fields of its schema."
)
_TRAILING: Final = Refusal(
    QuarantineReason.TRAILING_BYTES,
    "Bytes follow after the end of the record, according to its schema.",
)
_BAD_TEXT: Final = Refusal(
    QuarantineReason.BAD_TEXT, "The record holds text that is not valid UTF-8."
)
_MALFORMED: Final = Refusal(
    QuarantineReason.MALFORMED, "The bytes of the record do not match its schema."
)

_UNCOMMON_ERRORS: Final = (UncommonEncodingError, IndexError, UnicodeDecodeError, struct.error)

_MALFORMED_ERRORS: Final = (
    LookupError,
    ValueError,
    TypeError,
    ArithmeticError,
    struct.error,
    RecursionError,
)
"""What fastavro raises for bytes that do not match the schema."""

_SCHEMA_ERRORS: Final = (
    SchemaParseException,
    UnknownType,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RecursionError,
)
"""What fastavro raises for an invalid schema."""
