"""Compiles an Avro schema into a Python function that reads its records.

fastavro decides for every field of every record how to read it. Here that is decided once: the
schema is written out as a Python function, as `dataclasses` does for its methods. The function is
several times faster for common records. It raises for anything uncommon (an overlong number, a
block with a size, bytes that end too early); fastavro then reads the record.

Source: Apache Avro 1.12 specification, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

AvroReadFunction = Callable[[bytes, int], tuple[Any, int]]
"""Maps bytes and the start of a record to its document and its end."""


class UncommonEncodingError(Exception):
    """The bytes use a rare encoding, or are malformed; this reader does not distinguish the two."""


def compile_schema(schema: Mapping[str, Any]) -> AvroReadFunction:
    """Return a reader for a record schema as `decode.schema_resolution` returns it.

    The reader raises UncommonEncodingError, IndexError, UnicodeDecodeError or struct.error for
    input that it does not read. Its document is valid only if the returned end is the end of the
    bytes.
    """
    lines, value = _SourceWriter().read(schema)
    body = "".join(f"    {line}\n" for line in lines)
    names: dict[str, Any] = dict(_NAMES)
    # The source consists of this module's own text; field names are quoted by repr().
    exec(f"def read(buf, p):\n{body}    return {value}, p\n", names)  # noqa: S102
    read: AvroReadFunction = names["read"]
    return read


def _long(buf: bytes, p: int) -> tuple[int, int]:
    """Return an int or long (variable length, zigzag) and the position after it."""
    byte = buf[p]
    p += 1
    value, shift = byte & 0x7F, 7
    while byte & 0x80:
        byte = buf[p]
        p += 1
        value |= (byte & 0x7F) << shift
        shift += 7
    if value >> 64:
        raise UncommonEncodingError
    return (value >> 1) ^ -(value & 1), p


def _size(buf: bytes, p: int) -> tuple[int, int]:
    """Return a length or a count and the position after it."""
    value, p = _long(buf, p)
    if value < 0:
        raise UncommonEncodingError
    return value, p


_NAMES: Final[Mapping[str, object]] = {
    "number": _long,
    "size": _size,
    "single": struct.Struct("<f").unpack_from,
    "double": struct.Struct("<d").unpack_from,
    "unusual": UncommonEncodingError,
}
_INDENT: Final = "    "


def _length(name: str) -> list[str]:
    """Return the lines that read a length, count or index, which must not be negative.

    A value of up to two bytes, the usual case for text, needs no call.
    """
    return [
        f"{name} = buf[p]",
        "p += 1",
        f"if {name} > 127:",
        f"{_INDENT}more = buf[p]",
        f"{_INDENT}if more > 127: {name}, p = size(buf, p - 1); {name} <<= 1",
        f"{_INDENT}else: {name} = {name} & 127 | more << 7; p += 1",
        f"if {name} & 1: raise unusual",
        f"{name} >>= 1",
    ]


_LONG: Final = (
    "{v} = buf[p]",
    "if {v} < 128: {v} = ({v} >> 1) ^ -({v} & 1); p += 1",
    "else: {v}, p = number(buf, p)",
)
_PLAIN: Final[Mapping[str, Sequence[str]]] = {
    "null": ("{v} = None",),
    "boolean": ("{v} = buf[p]", "if {v} > 1: raise unusual", "{v} = {v} == 1", "p += 1"),
    "int": _LONG,
    "long": _LONG,
    "float": ("({v},) = single(buf, p)", "p += 4"),
    "double": ("({v},) = double(buf, p)", "p += 8"),
    "bytes": (*_length("n"), "{v} = buf[p:(p := p + n)]"),
    "string": (*_length("n"), "{v} = buf[p:(p := p + n)].decode()"),
}
"""The lines that read a value of a primitive type into ``v``."""


class _SourceWriter:
    """Writes the lines that read a type; each value gets its own variable."""

    def __init__(self) -> None:
        self._names = count()

    def read(self, schema: Any) -> tuple[list[str], str]:
        """Return the lines that read a value, and the expression for that value."""
        if isinstance(schema, list):
            return self._union(schema)
        kind = schema if isinstance(schema, str) else schema["type"]
        if kind == "record":
            return self._record(schema["fields"])
        name = f"v{next(self._names)}"
        return list(self._lines(kind, schema, name)), name

    def _lines(self, kind: str, schema: Any, name: str) -> Iterator[str]:
        if kind in _PLAIN:
            yield from (line.format(v=name) for line in _PLAIN[kind])
        elif kind == "enum":
            yield from _length(name)
            yield f"{name} = {tuple(schema['symbols'])!r}[{name}]"
        elif kind == "array":
            lines, value = self.read(schema["items"])
            yield from _blocks(name, "[]", [*lines, f"{name}.append({value})"])
        elif kind == "map":
            lines, value = self.read(schema["values"])
            key_lines = [line.format(v=f"k{name}") for line in _PLAIN["string"]]
            yield from _blocks(name, "{}", [*key_lines, *lines, f"{name}[k{name}] = {value}"])
        else:
            raise ValueError(f"unexpected Avro type: {kind}")

    def _record(self, fields: Sequence[Mapping[str, Any]]) -> tuple[list[str], str]:
        lines: list[str] = []
        values: list[str] = []
        for field in fields:
            more, value = self.read(field["type"])
            lines += more
            values.append(f"{field['name']!r}: {value}")
        return lines, f"{{{', '.join(values)}}}"

    def _union(self, branches: Sequence[Any]) -> tuple[list[str], str]:
        name = f"v{next(self._names)}"
        lines = [f"{name} = buf[p]", "p += 1"]
        for index, branch in enumerate(branches[:64]):
            branch_lines, value = self.read(branch)
            keyword = "elif" if index else "if"
            lines.append(f"{keyword} {name} == {2 * index}:")
            lines += [_INDENT + line for line in (*branch_lines, f"{name} = {value}")]
        return [*lines, "else: raise unusual"], name


def _blocks(name: str, empty: str, item: Sequence[str]) -> list[str]:
    """Return the lines that read the blocks of an array or a map, item by item."""
    size = f"c{name}"
    return [
        f"{name} = {empty}",
        "while True:",
        *(_INDENT + line for line in _length(size)),
        f"{_INDENT}if not {size}: break",
        f"{_INDENT}for _ in range({size}):",
        *(2 * _INDENT + line for line in item),
    ]
