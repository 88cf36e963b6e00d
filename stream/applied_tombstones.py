"""The tombstones that this process applies: loaded at the start, and again after a fence.

Whoever reads records takes `kept_out` before redaction and commits with the guard of `number`, both
as of the same load. When `reload` finds new tombstones, all that was read before is void.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lake.objects import ObjectStore
from lake.tombstones import Tombstone, read_tombstones
from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.crypto.keys import Keys


@dataclass(slots=True)
class AppliedTombstones:
    """Touched by one thread. ``keys`` are all that are known, the current one first."""

    store: ObjectStore
    keys: Sequence[Keys]
    number: int = 0
    kept_out: ErasureFilter = NO_ERASURES
    _tombstones: list[Tombstone] = field(default_factory=list)

    def reload(self) -> bool:
        """Load tombstones that were put since; return whether there were any.

        Raises FatalError if one cannot be read or was made under a key that is not known,
        RetryableError if the lake does not answer.
        """
        found = read_tombstones(self.store, after=self.number)
        if not found:
            return False
        together = [*self._tombstones, *found]
        self.kept_out = ErasureFilter(together, self.keys)
        self._tombstones, self.number = together, found[-1].number
        return True


TombstoneNumber = Callable[[], int]
"""Returns the number of the newest tombstone that is applied."""
