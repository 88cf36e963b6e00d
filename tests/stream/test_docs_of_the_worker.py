"""The pages about the worker say what the worker says."""

from pathlib import Path

from prometheus_client import CollectorRegistry

from stream.events import EVENTS
from stream.metrics import SPECS, Metrics
from stream.metrics_docs import render

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_is_the_list_of_metrics() -> None:
    """`docs/metrics.md` is what the generator writes."""
    assert (DOCS / "metrics.md").read_text(encoding="utf-8") == render()


def test_every_metric_of_the_list_is_registered_under_its_name() -> None:
    """What the list promises is what Prometheus gets, labels included."""
    registry = CollectorRegistry()
    Metrics(registry)
    found = {family.name for family in registry.collect()}
    assert found == {spec.name.removesuffix("_total") for spec in SPECS}


def test_every_event_is_explained_to_the_person_on_call() -> None:
    """`docs/operations.md` holds each event with its meaning."""
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    missing = [name for name, meaning in EVENTS.items() if f"| `{name}` | {meaning} |" not in page]
    assert missing == []
