"""Databases that were compiled when goldpan was installed, as in the image.

They lie in the package, beside the code: whoever can replace them can replace that as well, so they
need no MAC. A hash tells a file that was cut. The name of a file stands for the expressions, the
code that compiles them, the version of hyperscan and the processor: anything else has another name,
and is compiled (or kept, see `kept_databases`). A source tree has none.
"""

import platform
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from redact.recognition.compiled_databases import (
    CompiledDatabases,
    describe_software,
    load_database,
    pack_databases,
    unpack_databases,
)

PREPARED: Final = Path(__file__).with_name("prepared")
_HASH_BYTES: Final = 32


class PreparedDatabases(NamedTuple):
    """The databases in a folder that only those may write who may replace the code."""

    folder: Path = PREPARED
    load: Callable[[bytes], Any] = load_database

    def get(self, subject: bytes) -> CompiledDatabases | None:
        """Return the databases of a subject, None if there are none that can be used."""
        if not self.folder.is_dir():
            return None
        try:
            content = self._path(subject).read_bytes()
        except OSError:
            return None
        digest, packed = content[:_HASH_BYTES], content[_HASH_BYTES:]
        if sha256(packed).digest() != digest:
            return None
        return unpack_databases(zlib.decompress(packed), self.load)

    def put(self, subject: bytes, compiled: CompiledDatabases) -> Path:
        """Write the databases of a subject, for everybody to read; return the file."""
        packed = zlib.compress(pack_databases(compiled), 9)
        self.folder.mkdir(exist_ok=True)
        path = self._path(subject)
        path.write_bytes(sha256(packed).digest() + packed)
        path.chmod(0o644)
        return path

    def _path(self, subject: bytes) -> Path:
        identity = msgspec.msgpack.encode((describe_software(), platform.machine(), subject))
        return self.folder / f"{sha256(identity).hexdigest()[:32]}.databases"
