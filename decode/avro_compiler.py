"""A reader of Avro made for one schema: the few instructions that its fields need, in a row.

fastavro finds out for each field of each record what is to be done. Here that is found out once:
the schema is written down as a Python function, as `dataclasses` does for its methods. It reads the
usual record, several times as fast, and anything out of the usual (a number that is too long, a
block with a size, bytes that end too early) makes it raise: fastavro then has the last word.

Sources: Apache Avro 1.12 specification, "Binary Encoding".
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

AvroReadFunction = Callable[[bytes, int], tuple[Any, int]]
"""From bytes and where a record begins in them to its document and where it ends."""


class UncommonEncodingError(Exception):
    """What the bytes hold is rare, or wrong: it is not for this reader to say which."""


def compile_schema(schema: Mapping[str, Any]) -> AvroReadFunction:
    """Return a reader of a record's schema, as `decode.schema_resolution` gives it.

    It raises UnusualError, IndexError, UnicodeDecodeError or struct.error for what it does not
    read. Only if the end that it returns is that of the bytes is its document what they say.
    """
    lines, value = _Writer().read(schema)
    body = "".join(f"    {line}\n" for line in lines)
    names = dict(_NAMES)
    # The text is made of what stands in this module; names of fields are quoted by repr().
    exec(f"def read(buf, p):\n{body}    return {value}, p\n", names)  # noqa: S102
    return names["read"]  # type: ignore[return-value]


def _number(buf: bytes, p: int) -> tuple[int, int]:
    """Return an int or long (variable length, zigzag), and where it ends."""
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
    """Return a length or a count, and where it ends."""
    value, p = _number(buf, p)
    if value < 0:
        raise UncommonEncodingError
    return value, p


_NAMES: Final[Mapping[str, object]] = {
    "number": _number,
    "size": _size,
    "single": struct.Struct("<f").unpack_from,
    "double": struct.Struct("<d").unpack_from,
    "unusual": UncommonEncodingError,
}
_INDENT: Final = "    "


def _length(name: str) -> list[str]:
    """Return the lines that read a length, a count or an index, which must not be negative.

    One of two bytes, as that of most texts is, takes no call.
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
"""The lines that read a value of a plain type into ``v``."""


class _Writer:
    """Writes the lines that read a type; each value gets a name of its own."""

    def __init__(self) -> None:
        self._names = count()

    def read(self, schema: Any) -> tuple[list[str], str]:
        """Return the lines that read a value, and the expression that is the value then."""
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
            of_key = [line.format(v=f"k{name}") for line in _PLAIN["string"]]
            yield from _blocks(name, "{}", [*of_key, *lines, f"{name}[k{name}] = {value}"])
        else:
            raise ValueError(f"a type that is not expected here: {kind}")

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
        for number, branch in enumerate(branches[:64]):
            read, value = self.read(branch)
            word = "elif" if number else "if"
            lines.append(f"{word} {name} == {2 * number}:")
            lines += [_INDENT + line for line in (*read, f"{name} = {value}")]
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
