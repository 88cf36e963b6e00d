"""Compares what Kafka's topics hold with what the lake has read of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from goldpan import wiring
from goldpan.settings import Settings
from lake.ledger import SourcePartition
from lake.tables import Lake
from lake.verify import VerifyReport
from stream.coverage import PartitionCoverage, compare_coverage
from stream.flusher import describe_changed_topic


@dataclass(frozen=True, slots=True)
class TopicCoverage:
    """What the topics hold, by partition. ``problems`` are losses; a lag is not a problem."""

    partitions: Sequence[PartitionCoverage]
    problems: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return what `goldpan lake verify --kafka --json` adds to the proof."""
        return {
            "kafka": [coverage.to_json() for coverage in self.partitions],
            "behind": sum(coverage.unread for coverage in self.partitions),
        }


def begin_coverage_check(settings: Settings) -> Callable[[Lake, VerifyReport], TopicCoverage]:
    """Read where the topics begin; return a function that completes the check.

    Call it after the tables were read: it reads where the topics end. Both raise RetryableError or
    FatalError if Kafka is unreachable.
    """
    ends, tables = wiring.open_topic_ends(settings.kafka), wiring.tables_by_topic(settings.kafka)

    def read_watermarks() -> dict[SourcePartition, tuple[int, int]]:
        watermarks: dict[SourcePartition, tuple[int, int]] = {}
        for topic in tables:
            step = partial(ends.watermarks, topic)
            watermarks |= wiring.make_retry().call("reading offsets from Kafka", step)
        return watermarks

    lows = {source: low for source, (low, _) in read_watermarks().items()}

    def finish(lake: Lake, report: VerifyReport) -> TopicCoverage:
        changed = []
        for topic, (_, name) in tables.items():
            recorded = lake.table(name).incarnation_version(topic)
            if recorded not in (None, ends.cluster.incarnation(topic).version()):
                changed.append(topic)
        highs = {source: high for source, (_, high) in read_watermarks().items()}
        partitions = compare_coverage(report.partitions, lows, highs, changed)
        problems = [problem for coverage in partitions for problem in coverage.problems]
        return TopicCoverage(partitions, [*map(describe_changed_topic, changed), *problems])

    return finish
