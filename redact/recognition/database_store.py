"""Where this process keeps compiled expressions. Imports no hyperscan: see `kept_databases`."""

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol


class DatabaseStore(Protocol):
    """Keeps contents under names. It need not be reliable: each content is verified."""

    processor: str
    """What databases depend on beside the software: the type and features of the processor."""

    def locked(self, name: str) -> AbstractContextManager[None]:
        """Let one process at a time work on a name; the others wait, but not forever."""

    def load(self, name: str) -> bytes | None:
        """Return the content of a name, None if there is none or it is unreadable."""

    def save(self, name: str, content: bytes) -> None:
        """Keep a content, or do nothing if that is impossible."""


class StoreInUse(NamedTuple):
    """A store, and the key (32 bytes) of the MACs of its contents."""

    store: DatabaseStore
    key: bytes


_in_use: list[StoreInUse] = []


def set_database_store(store: DatabaseStore, key: bytes) -> None:
    """Set where this process keeps its databases; it has each of them once anyway."""
    _in_use[:] = [StoreInUse(store, key)]


def store_in_use() -> StoreInUse | None:
    """Return where this process keeps its databases, None if nowhere."""
    return _in_use[0] if _in_use else None
