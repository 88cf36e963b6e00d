"""Builds the assembly of a worker from its settings."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from assembly.feedback_stage import FeedbackStage
from assembly.feedback_targets import TargetFinder
from assembly.feedback_writer import FeedbackWriter
from assembly.row_writer import RowRedactor, RowWriter
from assembly.shard_sequences import ShardSequences
from assembly.stage import AssemblyStage
from assembly.stored_traces import TRACES_TABLE
from assembly.trace_assembler import TraceAssembler
from lake.config import LakeSettings
from lake.retry import Retry
from lake.table_commit import CommitContext
from lake.tables import Lake
from otel.assembly_rules import DEFAULT_RULES, AssemblyRules
from otel.feedback_scale import DEFAULT_SCALES, FeedbackScale
from otel.open_traces import AssemblyTerms
from schemas.arrow import SPANS_TABLE
from stream.applied_tombstones import AppliedTombstones
from stream.assembly_driver.driver import AssemblyDriver
from stream.assembly_driver.observer import AssemblyObserver
from stream.failpoints import FlushStep

LONGEST_PAUSE: Final = 1.0
SHORTEST_PAUSE: Final = 0.05
_STEPS: Final = {
    "read": FlushStep.ASSEMBLY_READ,
    "written": FlushStep.ASSEMBLY_WRITTEN,
    "committed": FlushStep.ASSEMBLY_COMMITTED,
}


@dataclass(frozen=True, slots=True)
class AssemblySurroundings:
    """What the worker gives its assembly: the lake, how to retry, and whom to report to.

    ``partitions`` returns how many partitions the topic has.
    """

    lake: LakeSettings
    tombstones: Callable[[Lake], AppliedTombstones]
    observer: AssemblyObserver
    partitions: Callable[[], int]
    make_retry: Callable[[threading.Event], Retry]
    reached: Callable[[FlushStep], None]


@dataclass(frozen=True, slots=True)
class AssemblySetup:
    """How traces are assembled in the worker.

    ``topic`` is the one whose partitions divide the shards among workers. ``redactor`` belongs to
    the assembly's thread alone; ``memory_bytes`` is the size of its caches.
    """

    topic: str
    terms: AssemblyTerms
    redactor: RowRedactor
    rules: AssemblyRules = DEFAULT_RULES
    scales: Mapping[str, FeedbackScale] = field(default_factory=lambda: DEFAULT_SCALES)
    memory_bytes: int = 0

    def driver(self, around: AssemblySurroundings) -> AssemblyDriver:
        """Return the driver, with table handles of its own; its tables must exist."""
        own, stopping = Lake(around.lake), threading.Event()
        retry = around.make_retry(stopping)
        traces = own.table(TRACES_TABLE)
        context = CommitContext(retry, _now_us, lambda: secrets.randbits(63))

        def report(step: str) -> None:
            around.reached(_STEPS[step])

        writer = RowWriter(
            ShardSequences(traces, context, report), self.redactor, around.tombstones(own), _now_us
        )
        spans = own.table(SPANS_TABLE)
        feedback_writer = FeedbackWriter(
            TargetFinder(spans, traces),
            ShardSequences(own.table("feedback"), context),
            self.redactor,
            writer.tombstones,
            _now_us,
            self.scales,
        )
        feedback = FeedbackStage(
            spans, feedback_writer, self.terms, around.observer, _now_us, time.monotonic
        )
        stage = AssemblyStage(
            spans=spans,
            traces=traces,
            assembler=TraceAssembler(self.rules),
            writer=writer,
            terms=self.terms,
            observer=around.observer,
            feedback=feedback,
            now_us=_now_us,
            monotonic=time.monotonic,
            stop_requested=stopping.is_set,
            reached=report,
        )
        pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, self.terms.quiet_us / 5e6))
        return AssemblyDriver(stage, self.topic, around.partitions, retry, stopping, pause)


def _now_us() -> int:
    return time.time_ns() // 1000
