"""Simulates writers that commit to one table: how long a commit takes, and how often it conflicts.

A commit to a Delta table is a put of the next version that fails if another writer was first. A
writer reads the newest version (``refresh``), and then puts (``put``). If others have put since, it
reads what they put (``overtaken`` for each version) and puts again, at once: delta-rs does that up
to `lake.commit.CONFLICT_RETRIES` times. After that the worker waits as `lake.retry.Retry` says, and
begins again. After its commit, a writer reads which version it made (``look``). If that is a
multiple of 20, it writes a checkpoint as well.

The simulation is of discrete events, draws all times from those that were measured, and is the same
for the same seed.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from lake.commit import CONFLICT_RETRIES
from lake.retry import Retry
from lake.table_writer import CHECKPOINT_EVERY


@dataclass(frozen=True, slots=True)
class CommitTimes:
    """Seconds that the parts of a commit took, as often as they were measured."""

    refresh: Sequence[float]
    put: Sequence[float]
    overtaken: Sequence[float]
    look: Sequence[float]
    checkpoint: Sequence[float]


@dataclass(frozen=True, slots=True)
class CommitLoad:
    """Who commits how often.

    Each of ``writers`` makes ``commits``, one every ``every`` seconds from a random time on; with
    0, one right after another. A commit that is late delays the next one.
    """

    writers: int
    commits: int
    every: float = 0.0


@dataclass(slots=True)
class SimulatedCommits:
    """What came of it: seconds of each commit, conflicts, waits, and when the last one ended."""

    seconds: list[float] = field(default_factory=list)
    conflicts: int = 0
    waits: int = 0
    versions: int = 0
    began: float = 0.0
    ended: float = 0.0

    def quantile(self, share: float) -> float:
        """Return the time that this share of the commits took at most."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def conflicts_each(self) -> float:
        """Return the conflicts of a commit, on average."""
        return self.conflicts / len(self.seconds)

    @property
    def a_minute(self) -> float:
        """Return the commits a minute of all writers together."""
        return 60 * len(self.seconds) / (self.ended - self.began)


@dataclass(slots=True)
class _Writer:
    """One writer within a commit: what it has read, and how often it was overtaken."""

    left: int
    due: float
    seen: int = 0
    overtaken: int = 0
    failures: int = 0


def simulate_commits(times: CommitTimes, load: CommitLoad, seed: int) -> SimulatedCommits:
    """Return what comes of a load, if the parts of a commit take these times."""
    rng = random.Random(seed)  # noqa: S311 - no secret depends on it
    retry = Retry(3600, lambda: 0.0, lambda _wait: False, rng.uniform)

    def draw(measured: Sequence[float], count: int = 1) -> float:
        return sum(rng.choice(measured) for _ in range(count))

    outcome = SimulatedCommits()
    writers = [_Writer(load.commits, rng.uniform(0, load.every)) for _ in range(load.writers)]
    # A put lands at the time of its event; what the writer has seen was read before.
    events = [
        (writer.due + draw(times.refresh), number, False) for number, writer in enumerate(writers)
    ]
    outcome.began = min(writer.due for writer in writers)
    heapq.heapify(events)
    while events:
        now, number, puts = heapq.heappop(events)
        writer = writers[number]
        if not puts:  # the refresh has ended: this is the newest version
            writer.seen = outcome.versions
            heapq.heappush(events, (now + draw(times.put), number, True))
        elif writer.seen == outcome.versions:
            outcome.versions += 1
            outcome.seconds.append(now - writer.due)
            outcome.ended = now
            busy = now + draw(times.look)
            if outcome.versions % CHECKPOINT_EVERY == 0:
                busy += draw(times.checkpoint)
            writer.left, writer.overtaken, writer.failures = writer.left - 1, 0, 0
            if writer.left:
                writer.due = max(busy, writer.due + load.every)
                heapq.heappush(events, (writer.due + draw(times.refresh), number, False))
        else:
            outcome.conflicts += 1
            writer.overtaken += 1
            if writer.overtaken > CONFLICT_RETRIES:
                outcome.waits += 1
                wait = retry.backoff(writer.failures)
                writer.overtaken, writer.failures = 0, writer.failures + 1
                heapq.heappush(events, (now + wait + draw(times.refresh), number, False))
                continue
            missed, writer.seen = outcome.versions - writer.seen, outcome.versions
            again = draw(times.overtaken, missed) + draw(times.put)
            heapq.heappush(events, (now + again, number, True))
    return outcome
