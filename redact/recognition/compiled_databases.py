"""Databases of hyperscan as bytes, and what they depend on beside the expressions."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final, NamedTuple

import hyperscan
import msgspec

_FORMAT: Final = 1


class CompiledDatabases(NamedTuple):
    """The databases of some expressions, and the indices of those that are in none."""

    databases: tuple[Any, ...]
    always: frozenset[int]


class _Content(msgspec.Struct, frozen=True, array_like=True):
    databases: tuple[bytes, ...]
    always: tuple[int, ...]


def describe_software() -> tuple[int, str, str]:
    """Return the format of the bytes, the version of hyperscan, and what it compiles for.

    That is also a feature of the processor: hyperscan refuses a database for one that is missing.
    """
    probe = hyperscan.Database()
    probe.compile(expressions=[b"a"], ids=[0], elements=1, flags=[0])
    return _FORMAT, version("hyperscan"), str(probe.info())


def load_database(dumped: bytes) -> Any:
    """Return a database that scans as after compiling; raises hyperscan.error if it is foreign."""
    database = hyperscan.loadb(dumped, hyperscan.HS_MODE_BLOCK)
    database.scratch = hyperscan.Scratch(database)
    return database


def pack_databases(compiled: CompiledDatabases) -> bytes:
    """Return databases as bytes."""
    dumped = tuple(hyperscan.dumpb(database) for database in compiled.databases)
    return msgspec.msgpack.encode(_Content(dumped, tuple(sorted(compiled.always))))


def unpack_databases(
    body: bytes, load: Callable[[bytes], Any] = load_database
) -> CompiledDatabases | None:
    """Return databases from bytes that are known to be ours, None if hyperscan rejects them."""
    content = msgspec.msgpack.decode(body, type=_Content)
    try:
        databases = tuple(load(dumped) for dumped in content.databases)
    except hyperscan.error:
        return None
    return CompiledDatabases(databases, frozenset(content.always))
