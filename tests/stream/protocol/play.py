"""One run of the model: who does what, step by step, and what holds after each of them."""

import zlib
from collections.abc import Callable
from random import Random

from tests.lake.kit import At
from tests.stream.protocol.world import AUDIT, PARTITIONS, PRIMARY, QUARANTINE, TOPIC, Worker, World

WORKERS = 3
TABLES = [PRIMARY, QUARANTINE, AUDIT]
AT_ONCE = 40
"""Pauses that one move goes through at most."""

PLACES = (
    "start",
    "quarantine_written",
    "asking for the topic",
    "claimed",
    "quarantine_committed",
    "primary_committed",
    "feedback: reading",
    "feedback: writing",
    "feedback: written",
    "quarantine: reading",
    "quarantine: writing",
    "quarantine: written",
    "audit_committed",
    "redactions: writing",
    "redactions: written",
)
"""Where a worker may be left standing: before or after each effect on the lake."""

Verdict = Callable[[int, int], bool]


def verdict(policy: int, one_in: int) -> Verdict:
    """Return a decision about records, the same for the same policy; of ``one_in``, one fails."""
    return lambda p, o: zlib.crc32(f"{policy}/{p}/{o}".encode()) % one_in == 0


class Play:
    """Three workers on one topic. Every move ends with a look at the lake, if it has changed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.workers = [world.worker(verdict(i, 3)) for i in range(WORKERS)]
        self._seen = world.versions()

    def produce(self, partition: int, records: int, hole: int) -> None:
        """Let Kafka have more."""
        self.world.logs[partition].append(records, hole)

    def compact(self, partition: int, offset: int) -> None:
        """Let Kafka delete a record, read or not."""
        self.world.logs[partition].compact(offset)

    def expire(self, partition: int, offset: int) -> None:
        """Let Kafka delete all that is older than an offset, read or not."""
        self.world.logs[partition].expire(offset)

    def take(self, who: int, partitions: list[int], until: str | None) -> None:
        """Let a worker believe that it owns partitions."""
        self.workers[who].take(partitions)
        self.go_on(who, until)

    def read(self, who: int, records: int) -> None:
        """Let a worker read on."""
        self.workers[who].read(records)

    def flush(self, who: int, until: str | None) -> None:
        """Let a worker begin a flush, or go on with the one that is under way."""
        self.workers[who].flush()
        self.go_on(who, until)

    def go_on(self, who: int, until: str | None) -> None:
        """Let a worker go on up to a place; None lets it finish."""
        worker = self.workers[who]
        for _ in range(AT_ONCE):
            acts = worker.acts()
            if not acts:
                break
            acts[0].step()
            worker.settle()
            if not acts[0].done and acts[0].place == until:
                break
        self.look()

    def decide_otherwise(self, who: int, policy: int, one_in: int) -> None:
        """Change the schemas or the policy of a worker."""
        self.workers[who].verdict.bad = verdict(policy, one_in)

    def fail(self, how: str) -> None:
        """Let the next commit of whomever lose its request or its reply."""
        self.world.fates = [how]

    def erase(self, offset: int, order: list[str]) -> None:
        """Begin an erasure of a record, behind which tables are fenced in some order."""
        self.world.erase(At(0, offset), order)

    def fence(self) -> None:
        """Let the erasure that was begun last fence its next table."""
        self.world.fence_next()
        self.look()

    def crash(self, who: int, policy: int) -> None:
        """Kill a worker and start another."""
        self.workers[who].crash()
        self.workers[who] = self.world.worker(verdict(policy, 3))

    def end(self, policy: int, *, zombies: bool) -> None:
        """Let all be woken up, or die, and one last worker bring everything into the lake."""
        for who, worker in enumerate(self.workers):
            if zombies:
                while worker.acts():
                    self.go_on(who, None)
            worker.crash()
        last = self.world.worker(verdict(policy, 3))
        last.take(list(range(PARTITIONS)))
        _finish(last)
        last.read(10_000)
        last.flush()
        _finish(last)
        assert self.world.problems(everything=True) == []

    def look(self) -> None:
        """Every record below the position is in exactly one table; `lake verify` agrees."""
        versions = self.world.versions()
        if versions != self._seen:
            self._seen = versions
            assert self.world.problems() == []


def _finish(worker: Worker) -> None:
    while worker.acts():
        worker.acts()[0].finish()
        worker.settle()


def at_random(play: Play, random: Random, moves: int) -> None:
    """Make moves by chance, denser than a search by rules would: each worker keeps being busy."""
    for _ in range(moves):
        who = random.randrange(WORKERS)
        if random.random() < 0.4:
            partition = random.choice([0, 0, 0, 1])
            play.produce(partition, random.randrange(1, 5), random.choice([0, 0, 0, 1, 2]))
        if random.random() < 0.1:
            play.compact(0, random.randrange(play.world.logs[0].end + 1))
        if random.random() < 0.02:
            play.expire(0, random.randrange(play.world.logs[0].end + 1))
        if not play.workers[who].assignment.owned or random.random() < 0.05:
            ends = ["feedback: reading", "quarantine: reading", None, None]
            play.take(who, random.choice([[0], [0], [0, 1]]), random.choice(ends))
        if random.random() < 0.15:
            play.decide_otherwise(who, random.randrange(1000), random.choice([2, 3, 5, 1000]))
        _erase_at_random(play, random)
        if random.random() < 0.1:
            play.fail(random.choice(["request lost", "reply lost"]))
        play.read(who, random.randrange(0, 5))
        play.flush(who, random.choice([*PLACES, None, None, None]))
        if random.random() < 0.05:
            play.crash(who, random.randrange(1000))
    play.end(random.randrange(1000), zombies=random.random() < 0.5)


def _erase_at_random(play: Play, random: Random) -> None:
    if random.random() < 0.1:
        tables = random.sample(TABLES, len(TABLES))
        play.erase(random.randrange(play.world.logs[0].end + 4), tables)
    if random.random() < 0.4:
        play.fence()


__all__ = ["PARTITIONS", "PLACES", "TABLES", "TOPIC", "WORKERS", "Play", "at_random", "verdict"]
