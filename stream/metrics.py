"""Defines every metric of the worker in one list; docs and dashboards are tested against it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from otel.assembly import INCOMPLETE_REASONS
from otel.row_reasons import ROW_REASONS
from schemas.reasons import QuarantineReason

FRESHNESS_BUCKETS = (1, 2, 5, 10, 15, 30, 45, 60, 90, 120, 300, 600, 1800, 3600, 21600, 86400)
HOURS, DAYS = 3600, 86400
TURNAROUND_BUCKETS = (
    *(1, 5, 10, 30, 60, 120, 300, 600, 1800),
    *(HOURS, 6 * HOURS, DAYS, 3 * DAYS, 7 * DAYS, 30 * DAYS),
)
COMMIT_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class MetricKind(StrEnum):
    """The kinds of Prometheus metrics."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric: its full name, kind, labels and meaning.

    ``known_labels`` has the values of labels that are known in advance. A counter whose labels are
    all known is shown as 0 before anything is counted; the worker adds its topics and tables.
    """

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    known_labels: Mapping[str, Sequence[str]] = field(default_factory=dict)


WORKER_METRICS: Sequence[MetricSpec] = (
    MetricSpec(
        "goldpan_build_info",
        MetricKind.GAUGE,
        "Always 1; the labels say what runs. `build` is that of redaction: compiled or pure.",
        ("version", "policy", "build"),
    ),
    MetricSpec(
        "goldpan_lake_made_seconds",
        MetricKind.GAUGE,
        "Unix time at which the lake was created: a recent one may mean a mistyped address.",
    ),
    MetricSpec(
        "goldpan_records_total",
        MetricKind.COUNTER,
        "Committed records by outcome: stored, quarantined, dropped; and skipped offsets. Of a "
        "topic of spans, its items: spans, log records, runs, feedback.",
        ("topic", "outcome"),
        known_labels={"outcome": ("stored", "quarantined", "dropped", "skipped")},
    ),
    MetricSpec(
        "goldpan_items_found_total",
        MetricKind.COUNTER,
        "Items found in committed records: one in each record of the contract, any number in a "
        "record of spans. Found = stored + quarantined + dropped.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_dropped_total",
        MetricKind.COUNTER,
        "Records and items dropped by a rule (`erased`: of an erased person; `log_without_span`: "
        "log records that belong to no span).",
        ("topic", "rule"),
    ),
    MetricSpec(
        "goldpan_spans_unrecognised_total",
        MetricKind.COUNTER,
        "Spans that no dialect recognises (counted before the commit). They are stored, and no "
        "field of a trace comes from them.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_records_read_total", MetricKind.COUNTER, "Records taken from Kafka.", ("topic",)
    ),
    MetricSpec(
        "goldpan_bytes_read_total",
        MetricKind.COUNTER,
        "Bytes of values taken from Kafka.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_quarantined_total",
        MetricKind.COUNTER,
        "Quarantined records, by reason (counted before the commit).",
        ("topic", "reason"),
        known_labels={"reason": tuple(QuarantineReason)},
    ),
    MetricSpec(
        "goldpan_findings_total",
        MetricKind.COUNTER,
        "Personal data replaced in committed records, by type; only if an audit is kept.",
        ("topic", "type"),
    ),
    MetricSpec(
        "goldpan_files_written_total", MetricKind.COUNTER, "Data files committed.", ("topic",)
    ),
    MetricSpec(
        "goldpan_bytes_written_total",
        MetricKind.COUNTER,
        "Bytes of data files committed.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_erasures",
        MetricKind.GAUGE,
        "Number of the newest tombstone that this worker applies; 0 if there is none.",
    ),
    MetricSpec(
        "goldpan_lag_records",
        MetricKind.GAUGE,
        "Offsets between the table's position and the end of the partition; absent while the end "
        "is unknown.",
        ("topic", "partition"),
    ),
    MetricSpec(
        "goldpan_lag_seconds",
        MetricKind.GAUGE,
        "Age of the oldest record that is not in the lake yet; 0 when there is none.",
        ("topic", "partition"),
    ),
    MetricSpec(
        "goldpan_freshness_seconds",
        MetricKind.HISTOGRAM,
        "Time from each event to its commit.",
        ("topic",),
        FRESHNESS_BUCKETS,
    ),
    MetricSpec(
        "goldpan_commit_seconds",
        MetricKind.HISTOGRAM,
        "Duration of a flush: encoding, uploading, committing.",
        ("topic",),
        COMMIT_BUCKETS,
    ),
    MetricSpec(
        "goldpan_flushes_total",
        MetricKind.COUNTER,
        "Flushes, by outcome: committed, fenced, abandoned.",
        ("topic", "outcome"),
        known_labels={"outcome": ("committed", "fenced", "abandoned")},
    ),
    MetricSpec("goldpan_retries_total", MetricKind.COUNTER, "Retried steps, by step.", ("step",)),
    MetricSpec(
        "goldpan_commits_unknown_total",
        MetricKind.COUNTER,
        "Commits without a clear answer, resolved by reading the position.",
        ("table",),
    ),
    MetricSpec(
        "goldpan_commits_settled_total",
        MetricKind.COUNTER,
        "Commits that had landed already, according to the position.",
        ("table",),
    ),
    MetricSpec(
        "goldpan_rebalances_total",
        MetricKind.COUNTER,
        "Assignments and losses of partitions.",
        ("kind",),
        known_labels={"kind": ("assigned", "revoked", "lost")},
    ),
    MetricSpec(
        "goldpan_partitions_owned",
        MetricKind.GAUGE,
        "Partitions that this worker owns.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_position",
        MetricKind.GAUGE,
        "The table's position: the next offset to consume.",
        ("topic", "partition"),
    ),
    MetricSpec(
        "goldpan_lost_offsets_total",
        MetricKind.COUNTER,
        "Offsets that Kafka deleted before they were read.",
        ("topic",),
    ),
    MetricSpec(
        "goldpan_memory_bytes",
        MetricKind.GAUGE,
        "Memory: resident, buffered, and the two limits.",
        ("of",),
    ),
    MetricSpec(
        "goldpan_paused", MetricKind.GAUGE, "1 while partitions are paused, by reason.", ("why",)
    ),
    MetricSpec(
        "goldpan_ready",
        MetricKind.GAUGE,
        "1 while partitions are assigned, and Kafka and the lake are available.",
    ),
    MetricSpec(
        "goldpan_kafka_silent_seconds",
        MetricKind.GAUGE,
        "Seconds since a Kafka broker last answered; one is asked every 5 s.",
    ),
    MetricSpec(
        "goldpan_kafka_client_fatal",
        MetricKind.GAUGE,
        "1 while Kafka's client has ended and a new one is being tried.",
    ),
    MetricSpec(
        "goldpan_registry_failing",
        MetricKind.GAUGE,
        "1 while records wait because the schema registry is unavailable.",
    ),
    MetricSpec(
        "goldpan_redaction_cache_lookups_total",
        MetricKind.COUNTER,
        "Lookups of text in the redaction cache, by result.",
        ("result",),
        known_labels={"result": ("hit", "miss")},
    ),
    MetricSpec(
        "goldpan_redaction_proof_findings_total",
        MetricKind.COUNTER,
        "Personal values that only the final scan of the output found, and replaced, by type. "
        "Anything but 0 is a gap in the recognisers.",
        ("type",),
    ),
    MetricSpec(
        "goldpan_labels_total",
        MetricKind.COUNTER,
        "Committed label events, by verdict and by the route of the trace.",
        ("label", "route"),
        known_labels={"label": ("pass", "fail", "unknown"), "route": ("auto", "review", "audit")},
    ),
    MetricSpec(
        "goldpan_label_turnaround_seconds",
        MetricKind.HISTOGRAM,
        "Time to the label's commit, from the start of the trace and from the feedback that "
        "triggered it.",
        ("since",),
        TURNAROUND_BUCKETS,
    ),
    MetricSpec(
        "goldpan_label_events_produced_total",
        MetricKind.COUNTER,
        "Label events acknowledged by the topic, resent ones included.",
    ),
    MetricSpec(
        "goldpan_join_partitions", MetricKind.GAUGE, "Pairs of partitions joined by this worker."
    ),
    MetricSpec("goldpan_join_traces", MetricKind.GAUGE, "Traces in the join window."),
    MetricSpec(
        "goldpan_join_waiting",
        MetricKind.GAUGE,
        "Traces that feedback waits for.",
    ),
    MetricSpec("goldpan_join_feedback", MetricKind.GAUGE, "Feedback events in the join."),
    MetricSpec("goldpan_join_bytes", MetricKind.GAUGE, "Memory used by the join."),
    MetricSpec(
        "goldpan_join_passed_over_total",
        MetricKind.COUNTER,
        "Records that the join does not use, by reason: late_feedback, late_trace (both for "
        "`goldpan labels reconcile`), unmatched (no trace within the window), repeated.",
        ("why",),
    ),
    MetricSpec(
        "goldpan_open_traces",
        MetricKind.GAUGE,
        "Traces with spans that no assembly has seen yet, in this worker's shards.",
    ),
    MetricSpec(
        "goldpan_oldest_open_trace_seconds",
        MetricKind.GAUGE,
        "Age of the oldest arrival that no assembly has seen yet; 0 when there is none.",
    ),
    MetricSpec(
        "goldpan_assembled_traces_total",
        MetricKind.COUNTER,
        "Assembled traces with a row: new ones, revised ones, and those whose row was unchanged.",
        ("outcome",),
        known_labels={"outcome": ("new", "revised", "unchanged")},
    ),
    MetricSpec(
        "goldpan_traces_without_row_total",
        MetricKind.COUNTER,
        "Assembled traces that have no row, by reason. `not_redacted`: redaction refused the row.",
        ("reason",),
        known_labels={"reason": (*ROW_REASONS, "invalid", "not_redacted", "erased")},
    ),
    MetricSpec(
        "goldpan_incomplete_traces_total",
        MetricKind.COUNTER,
        "Rows written that lack something, by reason; a row may have several.",
        ("reason",),
        known_labels={"reason": tuple(INCOMPLETE_REASONS)},
    ),
    MetricSpec(
        "goldpan_traces_without_content_total",
        MetricKind.COUNTER,
        "Rows written without any text of the conversation: the application exports none.",
    ),
    MetricSpec(
        "goldpan_waiting_feedback",
        MetricKind.GAUGE,
        "Feedback of products whose trace is not known yet.",
    ),
    MetricSpec(
        "goldpan_resolved_feedback_total",
        MetricKind.COUNTER,
        "Feedback of products that became a record of `feedback`.",
    ),
    MetricSpec(
        "goldpan_feedback_left_to_batch_total",
        MetricKind.COUNTER,
        "Feedback whose trace was not found within the term; for `goldpan otel reconcile`.",
    ),
    MetricSpec(
        "goldpan_refused_feedback_total",
        MetricKind.COUNTER,
        "Feedback that stays in `otel_spans`: it breaks a rule of the contract, could not be "
        "redacted, or is an erased person's.",
        ("reason",),
        known_labels={"reason": ("out_of_range", "invalid", "residual_pii", "erased")},
    ),
    MetricSpec(
        "goldpan_assembly_rebuilds_total",
        MetricKind.COUNTER,
        "How often the state of the assembly was read back from the lake, by reason.",
        ("why",),
        known_labels={"why": ("start", "ownership", "fenced", "rewritten", "error")},
    ),
    MetricSpec(
        "goldpan_labels_left_to_batch",
        MetricKind.GAUGE,
        "1 while this worker cannot decide labels, by reason; use `goldpan labels reconcile`.",
        ("why",),
    ),
)


class BulkHistogram(Collector):
    """A histogram that takes a whole batch at a time: one observation costs nanoseconds."""

    def __init__(self, spec: MetricSpec) -> None:
        self._spec = spec
        self._bounds = np.array(spec.buckets, dtype=np.float64)
        self._counts: dict[str, npt.NDArray[np.int64]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, label: str, values: npt.NDArray[np.float64]) -> None:
        """Add values, in seconds."""
        added = np.bincount(np.searchsorted(self._bounds, values), minlength=len(self._bounds) + 1)
        self._counts[label] = added + self._counts.get(label, 0)
        self._sums[label] = self._sums.get(label, 0.0) + float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the metric family for Prometheus."""
        family = HistogramMetricFamily(
            self._spec.name, self._spec.meaning, labels=self._spec.labels
        )
        names = [str(float(bound)) for bound in self._spec.buckets] + ["+Inf"]
        for label, counts in list(self._counts.items()):
            buckets = list(zip(names, np.cumsum(counts).tolist(), strict=True))
            family.add_metric([label], buckets=buckets, sum_value=self._sums[label])
        yield family


class Metrics:
    """The metrics of a list as objects, registered in ``registry`` and addressed by name."""

    def __init__(
        self, registry: CollectorRegistry, specs: Sequence[MetricSpec] = WORKER_METRICS
    ) -> None:
        self._specs = specs
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        by_name = {spec.name: spec for spec in specs}
        if "goldpan_freshness_seconds" in by_name:
            self.freshness = BulkHistogram(by_name.pop("goldpan_freshness_seconds"))
            registry.register(self.freshness)
        for spec in by_name.values():
            if spec.kind is MetricKind.COUNTER:
                self._counters[spec.name] = Counter(
                    spec.name, spec.meaning, spec.labels, registry=registry
                )
            elif spec.kind is MetricKind.GAUGE:
                self._gauges[spec.name] = Gauge(
                    spec.name, spec.meaning, spec.labels, registry=registry
                )
            else:
                self._histograms[spec.name] = Histogram(
                    spec.name, spec.meaning, spec.labels, registry=registry, buckets=spec.buckets
                )

    def begin(self, topics: Sequence[str], tables: Sequence[str]) -> None:
        """Show 0 for each counter whose labels are all known: missing data would look like a fault.

        ``topics`` and ``tables`` are those that the worker reads and writes.
        """
        for spec in self._specs:
            known_labels = {"topic": topics, "table": tables, **spec.known_labels}
            if (
                spec.kind is MetricKind.COUNTER
                and spec.labels
                and known_labels.keys() >= set(spec.labels)
            ):
                for values in product(*(known_labels[label] for label in spec.labels)):
                    self._counters[spec.name].labels(*values)

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter; ``name`` without the prefix ``goldpan_`` and the suffix ``_total``."""
        counter = self._counters[f"goldpan_{name}_total"]
        (counter.labels(*labels) if labels else counter).inc(by)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge; ``name`` without the prefix."""
        gauge = self._gauges[f"goldpan_{name}"]
        (gauge.labels(*labels) if labels else gauge).set(value)

    def forget(self, name: str, *labels: str) -> None:
        """Remove one series of a gauge, for example of a partition that is no longer owned."""
        gauge = self._gauges[f"goldpan_{name}"]
        if labels in gauge._metrics:  # `remove` warns about a series never set
            gauge.remove(*labels)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add one observation to a histogram, in seconds; ``name`` without the prefix."""
        self._histograms[f"goldpan_{name}"].labels(*labels).observe(value)
