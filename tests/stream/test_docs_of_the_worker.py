"""The pages about the worker say what the worker says."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from schemas.reasons import QuarantineReason
from stream.events import WORKER_EVENTS
from stream.metrics import WORKER_METRICS, MetricKind, Metrics
from stream.metrics_docs import render_page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_list_of_metrics() -> None:
    """`docs/metrics.md` is what the generator writes."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == render_page()


def test_every_metric_of_the_list_is_registered_under_its_name() -> None:
    """What the list promises is what Prometheus gets, labels included."""
    registry = CollectorRegistry()
    Metrics(registry)
    found = {family.name for family in registry.collect()}
    assert found == {spec.name.removesuffix("_total") for spec in WORKER_METRICS}


def test_healthy_is_zero_and_not_no_data() -> None:
    """Counters whose labels are known are there before anything was counted."""
    registry = CollectorRegistry()
    Metrics(registry).begin(["llm.traces", "llm.feedback"], ["traces", "feedback", "quarantine"])

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"goldpan_{name}_total", labels)

    for topic in ("llm.traces", "llm.feedback"):
        assert value("records", topic=topic, outcome="stored") == 0
        assert value("records_read", topic=topic) == value("lost_offsets", topic=topic) == 0
        assert value("flushes", topic=topic, outcome="fenced") == 0
        for reason in QuarantineReason:
            assert value("quarantined", topic=topic, reason=str(reason)) == 0
    assert value("commits_unknown", table="quarantine") == 0
    assert value("rebalances", kind="lost") == 0
    assert value("labels", label="fail", route="audit") == 0
    shown = {f"{family.name}_total" for family in registry.collect() if family.samples}
    silent = {spec.name for spec in WORKER_METRICS if spec.kind is MetricKind.COUNTER} - shown
    open_kinds = {"dropped", "findings", "retries", "redaction_proof_findings"}  # of the moment
    assert silent == {f"goldpan_{name}_total" for name in (*open_kinds, "join_passed_over")}


def test_every_event_is_explained_to_the_person_on_call() -> None:
    """`docs/operations.md` holds each event with its meaning."""
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    missing = [
        name for name, meaning in WORKER_EVENTS.items() if f"| `{name}` | {meaning} |" not in page
    ]
    assert missing == []
