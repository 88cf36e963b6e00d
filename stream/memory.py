"""Divides one memory budget among all that the worker holds, and pauses reading when it is short.

The setting is a limit for the whole process, because that is what the kernel enforces. The
process's use before reading is measured, not estimated; the rest is divided up.
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
"""The lowest limit that docs/capacity.md recommends for a worker with the name model."""
MIN_HEADROOM_BYTES = 48 * 2**20
FIRST_USE_BYTES = 32 * 2**20  # code, threads and pools that the first flush creates
_MAXIMAL_QUEUE = 8 * 2**20  # in the client it takes several times as much
_MAXIMAL_BATCH = 3 * 2**20  # above this the CPU caches do not help: columns cost 1.7 x
_NEAR = 0.95  # of the ceiling
_RELEASE_SECONDS = 1.0
_TRIM_SECONDS = 10.0  # between releases that nothing asked for: each takes milliseconds
_POOL = "ARROW_DEFAULT_MEMORY_POOL"
COLLECTOR_THRESHOLD = 50_000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def read_resident_bytes() -> int:
    """Return the resident memory of this process; 0 where the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def format_mib(size: int) -> str:
    """Return a size as settings accept it, in whole MiB, rounded up."""
    return f"{-(-size // MIB)}MiB"


def read_container_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the container's memory limit (cgroup 2 or 1); None if it has none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limit = int((root / name).read_text(encoding="ascii"))
            return limit if limit < 2**60 else None  # cgroup 1 writes a huge number for none
    return None


def describe_memory_shortage(ceiling: int, container: int | None) -> str | None:
    """Return what is likely to fail with these limits, and what to set; None if nothing is.

    The container's limit must be a tenth above the worker's, or the kernel kills the worker before
    it has paused.
    """
    needed = ceiling + ceiling // 10
    if container is not None and container < needed:
        return (
            f"the container's limit is {format_mib(container)} and GOLDPAN_STREAM__MEMORY_BYTES is "
            f"{format_mib(ceiling)}: raise the container's limit to {format_mib(needed)}, or the "
            "kernel may kill the worker (docs/capacity.md)"
        )
    if ceiling < RECOMMENDED_BYTES:
        return (
            f"GOLDPAN_STREAM__MEMORY_BYTES is {format_mib(ceiling)}: with the name model "
            f"{format_mib(RECOMMENDED_BYTES)} or more is recommended; with less, reading often "
            "pauses (docs/capacity.md)"
        )
    return None


def use_jemalloc_pool() -> None:
    """Make Arrow allocate with jemalloc, if available and no other pool is configured.

    With the default pool, a worker near its limit takes a tenth more memory for the same work,
    pauses repeatedly and writes smaller files (`python -m benchmarks.memory --tight`).
    """
    if _POOL not in os.environ and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def release_unused() -> None:
    """Return memory to the system that allocators keep although it is unused."""
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How the limit is divided; all in bytes.

    ``buffers`` is for rows that wait for a flush or are being flushed. Encoding briefly needs about
    as much again (the encoded file, one row group and the dictionaries), and allocators keep some
    of that. Kafka's client prefetches up to ``fetch_queue`` bytes. A ``batch`` from that queue is
    held raw, decoded and as rows while it is processed. ``join`` is for the state of the label
    join.
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
        """Divide what ``ceiling`` leaves above ``baseline``; ``joined`` if labels are decided.

        Raises UsageError if too little is left to work with.
        """
        baseline += FIRST_USE_BYTES
        room = ceiling - baseline
        if room < MIN_HEADROOM_BYTES:
            raise UsageError(
                f"GOLDPAN_STREAM__MEMORY_BYTES: {format_mib(ceiling)} is too little. This worker "
                f"uses {format_mib(baseline)} before it reads anything, so the minimum is "
                f"{format_mib(baseline + MIN_HEADROOM_BYTES)}; set {format_mib(RECOMMENDED_BYTES)} "
                "or more (docs/capacity.md)"
            )
        join = room // 4 if joined else 0
        room -= join
        queue = min(_MAXIMAL_QUEUE, room // 10)
        return cls(ceiling, buffers=room // 8, fetch_queue=queue, join=join)

    def flush_bytes(self, configured: int) -> int:
        """Return the buffer size that triggers a flush: one may fill while another is written."""
        return max(1, min(configured, self.buffers // 2))

    @property
    def least_flush(self) -> int:
        """Return the buffered bytes below which a flush would not help."""
        return self.buffers // 8


@dataclass(slots=True)
class MemoryGate:
    """Closed while memory is short: the worker then pauses its partitions and flushes.

    It reopens only well below the limit, so that it does not flap.
    """

    budget: MemoryBudget
    resident: Callable[[], int] = read_resident_bytes
    release: Callable[[], None] = release_unused
    monotonic: Callable[[], float] = monotonic
    closed: bool = False
    _released_at: float | None = None

    def update(self, buffered: int) -> bool:
        """Update with the buffered bytes; return whether the gate is closed."""
        if buffered >= self.budget.buffers:
            self.closed = True
        elif self._near_ceiling():
            # Resident memory outside of the buffers is kept by allocators: repeated small flushes
            # would not free it.
            self.closed = buffered > self.budget.least_flush
        elif buffered <= 0.7 * self.budget.buffers:
            self.closed = False
        return self.closed

    def trim(self) -> None:
        """Return to the system what a flush has freed, at most every few seconds.

        Otherwise allocators keep it, and each later peak is on top of it.
        """
        self._release_after(_TRIM_SECONDS)

    def _near_ceiling(self) -> bool:
        """Return whether the process is near its limit, even after releasing unused memory."""
        limit = _NEAR * self.budget.ceiling
        if self.resident() < limit:
            return False
        self._release_after(_RELEASE_SECONDS)
        return self.resident() >= limit

    def _release_after(self, seconds: float) -> None:
        now = self.monotonic()
        if self._released_at is None or now - self._released_at >= seconds:
            self._released_at = now
            self.release()


def tune_collector() -> None:
    """Keep the cycle collector away from objects that cannot form cycles.

    Existing objects are frozen. New objects are records, which hold no cycles and are gone within a
    batch; with the default threshold of 700 they would be scanned again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)
