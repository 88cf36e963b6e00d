"""One budget for all that the worker holds, and when to stop fetching because of it.

The setting is a ceiling for the whole process, since that is what the kernel enforces. What the
process takes before it has read anything is measured, not guessed; the rest is shared out.
"""

import ctypes
import gc
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pyarrow as pa

from schemas.errors import UsageError

MIB = 2**20
RECOMMENDED_BYTES = 768 * MIB
"""The ceiling that docs/capacity.md advises as the least for a worker with the model for names."""
MIN_HEADROOM_BYTES = 48 * 2**20
FIRST_USE_BYTES = 32 * 2**20  # code, threads and pools that only the first flush brings into being
_MAXIMAL_QUEUE = 64 * 2**20
_MAXIMAL_BATCH = 3 * 2**20  # above it the processor's caches are of no use: columns cost 1.7 x
_NEAR = 0.95  # of the ceiling
_RELEASE_SECONDS = 1.0
_POOL = "ARROW_DEFAULT_MEMORY_POOL"
COLLECTOR_THRESHOLD = 50_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def read_resident_bytes() -> int:
    """Return the memory that this process occupies now; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def format_mib(size: int) -> str:
    """Return a size as settings take it, in whole MiB, never less than it is."""
    return f"{-(-size // MIB)}MiB"


def read_container_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the memory that the container may take (cgroup 2, or 1); None if it has no limit."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((root / name).read_text(encoding="ascii"))
            return limit if limit < 2**60 else None  # cgroup 1 writes a huge number for none
    return None


def describe_memory_shortage(ceiling: int, container: int | None) -> str | None:
    """Return what is likely to go wrong with these limits, and what to set; None if nothing is.

    The container's limit must leave a tenth above the ceiling, or the kernel ends the worker before
    it has paused.
    """
    needed = ceiling + ceiling // 10
    if container is not None and container < needed:
        return (
            f"the container may take {format_mib(container)}, and GOLDPAN_STREAM__MEMORY_BYTES is "
            f"{format_mib(ceiling)}: give the container {format_mib(needed)}, or the kernel may end the "
            "worker (docs/capacity.md)"
        )
    if ceiling < RECOMMENDED_BYTES:
        return (
            f"GOLDPAN_STREAM__MEMORY_BYTES is {format_mib(ceiling)}: with the model for names "
            f"{format_mib(RECOMMENDED_BYTES)} or more are advised, and with less reading is often paused "
            "(docs/capacity.md)"
        )
    return None


def use_jemalloc_pool() -> None:
    """Let Arrow allocate through jemalloc, where it is there and nobody has asked for another.

    With the usual pool a worker near its ceiling takes a tenth more memory for the same work,
    pauses again and again, and writes smaller files (`python -m benchmarks.memory --tight`).
    """
    if _POOL not in os.environ and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def release_unused() -> None:
    """Give memory back to the system that allocators keep although nobody uses it."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How the ceiling is shared out; all in bytes.

    ``buffers`` is for rows that wait for a flush or are in one. Encoding needs about as much again
    for a moment (the encoded file, one row group and the dictionaries), and Kafka's client keeps a
    queue of ``fetch_queue`` bytes ahead of us. ``batch`` is taken from that queue at once, and
    held as it came, decoded and as rows while it is taken in. ``join`` is for the state from which
    labels are decided.
    """

    ceiling: int
    buffers: int
    fetch_queue: int
    join: int = 0

    @property
    def batch(self) -> int:
        """Return how many bytes of records to take at once."""
        return min(self.fetch_queue // 4, _MAXIMAL_BATCH)

    @classmethod
    def plan(cls, ceiling: int, baseline: int, *, joined: bool = False) -> "MemoryBudget":
        """Share out what is left of ``ceiling`` above ``baseline``; ``joined``: labels are decided.

        Raises UsageError if too little is left to work with.
        """
        baseline += FIRST_USE_BYTES
        room = ceiling - baseline
        if room < MIN_HEADROOM_BYTES:
            raise UsageError(
                f"GOLDPAN_STREAM__MEMORY_BYTES: {format_mib(ceiling)} is too little: this worker takes "
                f"{format_mib(baseline)} before it reads anything, so the least is "
                f"{format_mib(baseline + MIN_HEADROOM_BYTES)}; set {format_mib(RECOMMENDED_BYTES)} or more, as "
                "docs/capacity.md advises"
            )
        join = room // 4 if joined else 0
        room -= join
        queue = min(_MAXIMAL_QUEUE, room // 10)
        return cls(ceiling, buffers=room // 4, fetch_queue=queue, join=join)

    def flush_bytes(self, wanted: int) -> int:
        """Return the size at which a buffer is flushed: one may fill while another is written."""
        return max(1, min(wanted, self.buffers // 2))

    @property
    def least_flush(self) -> int:
        """Return the bytes in buffers below which flushing them would not mend anything."""
        return self.buffers // 8


@dataclass(slots=True)
class MemoryGate:
    """Closed while memory is short: the worker then pauses its partitions, and flushes.

    It opens again only well below the limit, so that it does not flap.
    """

    budget: MemoryBudget
    resident: Callable[[], int] = read_resident_bytes
    release: Callable[[], None] = release_unused
    monotonic: Callable[[], float] = monotonic
    closed: bool = False
    _released_at: float | None = None

    def update(self, buffered: int) -> bool:
        """Take the bytes in buffers; return whether the gate is closed."""
        if buffered >= self.budget.buffers:
            self.closed = True
        elif self._near_ceiling():
            # What is resident and in no buffer is kept by allocators: small flushes for ever would
            # not change that.
            self.closed = buffered > self.budget.least_flush
        elif buffered <= 0.7 * self.budget.buffers:
            self.closed = False
        return self.closed

    def _near_ceiling(self) -> bool:
        """Tell whether the process is about as large as it may be, also after it has tidied up."""
        limit = _NEAR * self.budget.ceiling
        if self.resident() < limit:
            return False
        now = self.monotonic()
        if self._released_at is None or now - self._released_at >= _RELEASE_SECONDS:
            self._released_at = now
            self.release()
        return self.resident() >= limit


def tune_collector() -> None:
    """Keep the collector of cycles away from what cannot be one.

    What is there by now stays. What comes is records, which hold no cycles and are gone within a
    batch: with the usual threshold of 700 it would look at them again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)
