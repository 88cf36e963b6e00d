"""Compiled hyperscan databases, kept between processes under a MAC.

To compile them takes seconds of CPU time in each process, to load them milliseconds. But a forged
database is worse than none: it finds nothing, or makes hyperscan read where it must not. So each
content has a MAC (HMAC-SHA256), whose key derives from the secret of redaction. It covers what the
databases depend on: their subject (expressions, and how they are compiled), the version of
hyperscan, the processor. Whatever does not verify is compiled anew.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec

from redact.recognition.compiled_databases import (
    CompiledDatabases,
    describe_software,
    load_database,
    pack_databases,
    unpack_databases,
)
from redact.recognition.database_store import DatabaseStore, store_in_use
from redact.recognition.prepared_databases import PreparedDatabases

_MAC_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class KeptDatabases:
    """Loads databases from a store, or compiles them and keeps them there.

    ``key`` has 32 bytes. ``load`` makes a database of bytes that are known to be ours.
    """

    store: DatabaseStore
    key: bytes
    load: Callable[[bytes], Any] = load_database

    def get(
        self, subject: bytes, compile_all: Callable[[], CompiledDatabases]
    ) -> CompiledDatabases:
        """Return the databases of a subject; equal subjects must compile to equal databases."""
        identity = self._identity(subject)
        name = sha256(identity).hexdigest()[:32]
        with self.store.locked(name):
            content = self.store.load(name)
            loaded = None if content is None else self._open(identity, content)
            if loaded is None:
                loaded = compile_all()
                self.store.save(name, self._seal(identity, loaded))
        return loaded

    def _identity(self, subject: bytes) -> bytes:
        """Return everything that the databases depend on, encoded without ambiguity."""
        return msgspec.msgpack.encode((describe_software(), self.store.processor, subject))

    def _seal(self, identity: bytes, compiled: CompiledDatabases) -> bytes:
        body = pack_databases(compiled)
        return self._mac(identity, body) + body

    def _open(self, identity: bytes, content: bytes) -> CompiledDatabases | None:
        """Return the databases of a content, None if it is not ours or hyperscan rejects it."""
        mac, body = content[:_MAC_BYTES], content[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(identity, body)):
            return None
        return unpack_databases(body, self.load)

    def _mac(self, identity: bytes, body: bytes) -> bytes:
        length = len(identity).to_bytes(8, "big")
        return hmac.digest(self.key, length + identity + body, "sha256")


def load_or_compile(
    subject: bytes, compile_all: Callable[[], CompiledDatabases]
) -> CompiledDatabases:
    """Return the databases of a subject: prepared ones, or kept ones if this process keeps any."""
    prepared = PreparedDatabases().get(subject)
    if prepared is not None:
        return prepared
    used = store_in_use()
    return KeptDatabases(*used).get(subject, compile_all) if used else compile_all()
