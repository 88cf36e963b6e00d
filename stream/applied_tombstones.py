"""The tombstones that this process applies: loaded at startup and reloaded after a fence.

Code that reads records filters them with `kept_out` before redaction, and commits with the guard of
`newest` from the same load. When `reload` finds new tombstones, everything read before is invalid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lake.objects import ObjectStore
from lake.tombstones import Tombstone, read_tombstones
from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.crypto.keys import Keys


@dataclass(slots=True)
class AppliedTombstones:
    """The tombstones loaded so far; for one thread. ``keys`` are all known keys, the current one
    first.
    """

    store: ObjectStore
    keys: Sequence[Keys]
    newest: int = 0
    kept_out: ErasureFilter = NO_ERASURES
    _tombstones: list[Tombstone] = field(default_factory=list)

    def reload(self) -> bool:
        """Load new tombstones; return whether there were any.

        Raises FatalError if one cannot be read or was made under an unknown key, RetryableError if
        the lake is unavailable.
        """
        new = read_tombstones(self.store, after=self.newest)
        if not new:
            return False
        tombstones = [*self._tombstones, *new]
        self.kept_out = ErasureFilter(tombstones, self.keys)
        self._tombstones, self.newest = tombstones, new[-1].number
        return True


TombstoneNumber = Callable[[], int]
"""Returns the number of the newest applied tombstone."""
