"""The thread that assembles traces while the loop reads records.

It shares only ownership, stop and errors with the loop. Each commit is fenced by the positions of
its shards, so a thread that runs on after its worker has lost them can do no harm.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from assembly.stage import AssemblyStage
from lake.retry import Retry
from otel.open_traces import ASSEMBLY_SHARDS
from schemas.errors import RetryableError
from stream.owned_partition import Assignment

ASSEMBLING: Final = "assembling traces"


def shards_of_partitions(owned: Iterable[int], partitions: int) -> frozenset[int]:
    """Return the shards of a worker that owns some of the partitions of a topic.

    Each shard belongs to the partition with its number, modulo the number of partitions.
    """
    mine = set(owned)
    return frozenset(shard for shard in range(ASSEMBLY_SHARDS) if shard % partitions in mine)


@dataclass
class AssemblyDriver:
    """Runs the stage in a thread of its own, until stopped.

    ``topic`` is the one whose partitions decide which shards belong to this worker, and
    ``partitions`` returns how many it has. ``retry`` is how a failing cycle is repeated.
    """

    stage: AssemblyStage
    topic: str
    partitions: Callable[[], int]
    retry: Retry
    stopping: threading.Event
    pause_seconds: float
    _shards: frozenset[int] = frozenset()
    _owned: frozenset[int] = frozenset()
    _error: BaseException | None = None
    _asked: bool = False
    _goal: int | None = None
    _answered: bool = False
    _thread: threading.Thread | None = field(default=None)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="assembly", daemon=True)
        self._thread.start()

    def own(self, assignment: Assignment) -> None:
        """Assemble the shards that go with these partitions, from the next cycle on.

        Raises RetryableError if Kafka does not say how many partitions there are.
        """
        owned = frozenset(item.source.partition for item in assignment.of(self.topic))
        if owned == self._owned:
            return
        self._shards = shards_of_partitions(owned, self.partitions()) if owned else frozenset()
        self._owned = owned

    def check(self) -> None:
        """Raise the error that has ended the thread, if there is one."""
        if self._error is not None:
            raise self._error

    def caught_up(self) -> bool:
        """Return whether everything that was in the lake at the first call is assembled.

        By all owners of shards. Later cycles give the answer: call again until it is True.
        """
        self._asked = True
        return self._answered

    def stop(self, seconds: float) -> None:
        """Stop after the current step; wait up to ``seconds`` for that."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.retry.call(ASSEMBLING, self._cycle)
                self.stopping.wait(self.pause_seconds)
        except RetryableError as error:
            if not self.stopping.is_set():
                self._error = error
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error

    def _cycle(self) -> None:
        asked = self._asked
        if asked and self._goal is None:
            self._goal = self.stage.newest_version()
        self.stage.own(self._shards)
        self.stage.cycle(marking=asked)
        if self._goal is not None and not self._answered:
            assembled = self.stage.assembled_version() >= self._goal
            self._answered = assembled and self.stage.tried_feedback()


class NoAssembly:
    """Stands in for the driver in a worker that reads no spans."""

    def start(self) -> None:
        """Do nothing."""

    def own(self, assignment: Assignment) -> None:
        """Do nothing."""
        del assignment

    def check(self) -> None:
        """Do nothing."""

    def caught_up(self) -> bool:
        """Return True."""
        return True

    def stop(self, seconds: float) -> None:
        """Do nothing."""
        del seconds
