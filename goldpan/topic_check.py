"""Asks Kafka what the topics of the settings hold, before and after the tables are read."""

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
class TopicCheck:
    """What the topics hold, by partition; ``problems`` are losses, none of them a lag."""

    partitions: Sequence[PartitionCoverage]
    problems: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return what `goldpan lake verify --kafka --json` prints beside the proof."""
        return {
            "kafka": [one.to_json() for one in self.partitions],
            "behind": sum(one.unread for one in self.partitions),
        }


def begin_topic_check(settings: Settings) -> Callable[[Lake, VerifyReport], TopicCheck]:
    """Ask where the topics begin; return what asks where they end, once the tables are read.

    Raises RetryableError or FatalError, both of them, if Kafka gives no good answer.
    """
    ends, tables = wiring.open_topic_ends(settings.kafka), wiring.tables_by_topic(settings.kafka)

    def marks() -> dict[SourcePartition, tuple[int, int]]:
        found: dict[SourcePartition, tuple[int, int]] = {}
        for topic in tables:
            found |= wiring.make_retry().call("asking Kafka", partial(ends.watermarks, topic))
        return found

    lows = {source: low for source, (low, _) in marks().items()}

    def finish(lake: Lake, report: VerifyReport) -> TopicCheck:
        others = []
        for topic, (_, name) in tables.items():
            recorded = lake.table(name).incarnation_version(topic)
            if recorded not in (None, ends.cluster.incarnation(topic).version()):
                others.append(topic)
        highs = {source: high for source, (_, high) in marks().items()}
        found = compare_coverage(report.partitions, lows, highs, others)
        problems = [problem for one in found for problem in one.problems]
        return TopicCheck(found, [*map(describe_changed_topic, others), *problems])

    return finish
