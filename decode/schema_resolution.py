"""Resolves a writer's schema against the contract, once for each schema.

The resolved schema reads the same bytes, but yields the contract's names and plain values. Aliases
are resolved, logical types removed (times stay whole microseconds) and references inlined. The
typed decoder then checks defaults and types record by record, so a union that is wider than the
contract affects only records that use it.

A schema is refused here, before any record is read, if it could never be read, if it has fields the
contract does not know, or if it could keep a reader busy without consuming bytes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from decode.explainer import describe_type
from decode.refusal import Refusal
from schemas.contract import Avsc, Contract, ContractField, FieldType
from schemas.reasons import QuarantineReason


class UnreadableSchemaError(Exception):
    """A schema that records cannot be read with. ``refusal`` explains why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def resolve_schema(contract: Contract, writer: Avsc) -> dict[str, Any]:
    """Return the schema that reads the bytes of ``writer``; raise ``UnreadableSchemaError`` if none
    can.
    """
    return _Resolver().record(contract.fields, writer, "")


class _Resolver:
    """One pass over a schema; remembers its named types, which Avro may refer to."""

    def __init__(self) -> None:
        self._named: dict[str, Mapping[str, Any]] = {}
        self._count = 0

    def record(self, fields: tuple[ContractField, ...], writer: Any, prefix: str) -> dict[str, Any]:
        """Return the schema that reads ``writer``, a record, as a record of ``fields``."""
        if not isinstance(writer, Mapping) or writer.get("type") not in ("record", "error"):
            raise _incompatible("is not a record", prefix)
        namespace = self._remember(writer, "")
        field_of = {name: field for field in fields for name in (field.name, *field.aliases)}
        resolved: dict[str, Any] = {}
        for entry in _written_fields(writer, prefix):
            field = field_of.get(entry["name"])
            if field is None:
                raise _unknown_field(prefix, entry["name"])
            if field.name in resolved:
                raise _incompatible("has two fields for it", field.path)
            resolved[field.name] = self._field(field, entry["type"], namespace)
        for field in fields:
            if field.name not in resolved and not field.has_default:
                raise _incompatible("lacks it, and the contract requires it", field.path)
        return {
            "type": "record",
            "name": self._fresh_name(),
            "fields": [{"name": name, "type": kind} for name, kind in resolved.items()],
        }

    def _field(self, field: ContractField, avro_type: Any, namespace: str) -> Any:
        branches = avro_type if isinstance(avro_type, list) else [avro_type]
        resolved = [self._branch(field, branch, namespace) for branch in branches]
        if not any(fits for _, fits in resolved):
            raise _incompatible(f"has another type than {_shape_of(field)}", field.path)
        kinds = [kind for kind, _ in resolved]
        return kinds if isinstance(avro_type, list) else kinds[0]

    def _branch(self, field: ContractField, avro_type: Any, namespace: str) -> tuple[Any, bool]:
        """Return what reads one branch of a type, and whether the contract has a use for it."""
        declared = self._lookup(avro_type, namespace, field.path)
        kind: str = declared["type"]
        if kind == "null":
            return "null", field.nullable
        if field.type is FieldType.TIMESTAMP and kind == "long":
            _require_micros(declared, field)
            return "long", True
        if kind in _ACCEPTED[field.type]:
            return self._accepted(field, declared, namespace), True
        if kind in _PRIMITIVES:
            return kind, False
        raise _incompatible(f"has another type than {_shape_of(field)}", field.path)

    def _accepted(self, field: ContractField, declared: Mapping[str, Any], namespace: str) -> Any:
        kind = declared["type"]
        if kind == "bytes" and field.type is FieldType.STRING:
            return "string"  # the same bytes on the wire; Avro promotes one to the other
        if kind == "enum":
            symbols = declared.get("symbols")
            return {"type": "enum", "name": self._fresh_name(), "symbols": symbols}
        if kind == "map":
            return {"type": "map", "values": self._map_values(field, declared, namespace)}
        if kind == "array":
            return {"type": "array", "items": self._items(field, declared, namespace)}
        return kind

    def _map_values(self, field: ContractField, declared: Mapping[str, Any], namespace: str) -> Any:
        avro_type = declared.get("values")
        branches = avro_type if isinstance(avro_type, list) else [avro_type]
        kinds = [self._lookup(branch, namespace, field.path)["type"] for branch in branches]
        if "string" not in kinds or not _PRIMITIVES.issuperset(kinds):
            raise _incompatible("has values that are not text", field.path)
        return kinds if isinstance(avro_type, list) else kinds[0]

    def _items(self, field: ContractField, declared: Mapping[str, Any], namespace: str) -> Any:
        items = self._lookup(declared.get("items"), namespace, field.path)
        inner = self._namespaced(items, namespace)
        resolved = self.record(field.fields, inner, f"{field.path}[].")
        if not _takes_bytes(resolved):
            # A count of 2^60 such items would fit in ten bytes.
            raise _incompatible("has items that take no bytes", field.path)
        return resolved

    def _lookup(self, avro_type: Any, namespace: str, path: str) -> Mapping[str, Any]:
        """Return a type as an object with ``type``, with a reference replaced by what it names."""
        if isinstance(avro_type, str):
            if avro_type in _PRIMITIVES:
                return {"type": avro_type}
            full = avro_type if "." in avro_type else f"{namespace}.{avro_type}"
            declared = self._named.get(full) or self._named.get(f".{avro_type}")
            if declared is None:
                raise _incompatible("refers to a type that it does not define", path)
            return declared
        if isinstance(avro_type, Mapping) and isinstance(avro_type.get("type"), str):
            if avro_type["type"] in ("enum", "fixed"):
                self._remember(avro_type, namespace)
            return avro_type
        if isinstance(avro_type, list):
            raise _incompatible("has items of several types, or such as may be null", path)
        raise _incompatible("has a type that goldpan cannot read", path)

    def _remember(self, declared: Mapping[str, Any], namespace: str) -> str:
        """Record a named type; return the namespace of the types within it."""
        name = str(declared.get("name", ""))
        space, _, short = name.rpartition(".")
        own = str(space or declared.get("namespace") or namespace)
        self._named[f"{own}.{short}"] = {**declared, "namespace": own}
        return own

    def _namespaced(self, declared: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
        return declared if "namespace" in declared else {**declared, "namespace": namespace}

    def _fresh_name(self) -> str:
        self._count += 1
        return f"written_{self._count}"


def _written_fields(writer: Mapping[str, Any], prefix: str) -> Sequence[Mapping[str, Any]]:
    fields = writer.get("fields")
    if not isinstance(fields, list) or not all(
        isinstance(entry, Mapping) and isinstance(entry.get("name"), str) and "type" in entry
        for entry in fields
    ):
        raise _incompatible("has no proper list of fields", prefix)
    return fields


def _shape_of(field: ContractField) -> str:
    """Return the type a field must have in Avro, which has no times as text."""
    return (
        "a long of timestamp-micros" if field.type is FieldType.TIMESTAMP else describe_type(field)
    )


def _require_micros(declared: Mapping[str, Any], field: ContractField) -> None:
    """Refuse a long that declares another unit; without a logical type it is taken as is."""
    if declared.get("logicalType", "timestamp-micros") != "timestamp-micros":
        raise _incompatible("counts time in another unit than timestamp-micros", field.path)


def _takes_bytes(record: Mapping[str, Any]) -> bool:
    return any(entry["type"] != "null" for entry in record["fields"])


def _incompatible(fault: str, path: str) -> UnreadableSchemaError:
    field = path.removesuffix(".").removesuffix("[]") or None
    about = f", for `{field}`" if field else ""
    return UnreadableSchemaError(
        Refusal(
            QuarantineReason.INCOMPATIBLE_SCHEMA,
            f"The schema that the record was written with{about}: {fault}.",
            field,
        )
    )


def _unknown_field(prefix: str, name: str) -> UnreadableSchemaError:
    return UnreadableSchemaError(
        Refusal(
            QuarantineReason.UNKNOWN_FIELD,
            f"The schema that the record was written with has a field `{prefix}{name}` that the "
            "contract does not know.",
            f"{prefix}{name}",
        )
    )


_PRIMITIVES: Final = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)

_ACCEPTED: Final[Mapping[FieldType, frozenset[str]]] = {
    FieldType.STRING: frozenset({"string", "bytes", "enum"}),
    FieldType.LONG: frozenset({"int", "long"}),
    FieldType.DOUBLE: frozenset({"int", "long", "float", "double"}),
    FieldType.BYTES: frozenset({"bytes", "string"}),
    FieldType.TIMESTAMP: frozenset(),
    FieldType.ENUM: frozenset({"enum", "string"}),
    FieldType.MAP: frozenset({"map"}),
    FieldType.RECORDS: frozenset({"array"}),
}
"""The Avro types that a field may be written as. An enum is read as its text, so the two are
interchangeable; the typed decoder checks the value."""
