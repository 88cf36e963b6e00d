"""The dashboards ask for nothing that does not exist, and are what the code makes of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.observability.generate import FOLDER, files
from deploy.observability.grafana import WIDTH, Dashboard
from deploy.observability.panels import DASHBOARDS
from stream.metrics import WORKER_METRICS, MetricKind
from tests.deploy.kustomize import named
from tests.deploy.promql import matched_labels, metrics
from tests.deploy.test_rules import RECORDED, known_metrics

each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda d: d.uid)


def queries(dashboard: Dashboard) -> Iterator[tuple[str, str]]:
    """Yield the title of the panel and the expression of each query."""
    for row in dashboard.rows:
        for panel in row.panels:
            for query in panel.queries:
                yield panel.title, query.expr


@pytest.mark.parametrize("name", files())
def test_what_is_made_from_code_is_current(name: str) -> None:
    """`python -m deploy.observability.generate` would change nothing."""
    assert (FOLDER / name).read_text(encoding="utf-8") == files()[name]


def test_no_dashboard_is_left_over() -> None:
    """Each file of a dashboard is one that the code makes, and Kubernetes gets all of them."""
    there = {f"dashboards/{file.name}" for file in (FOLDER / "dashboards").iterdir()}
    assert there == {name for name in files() if name.endswith(".json")}
    brought = named("aws", "ConfigMap", "goldpan-dashboards")
    assert {f"dashboards/{name}" for name in brought["data"]} == there
    assert brought["metadata"]["labels"]["grafana_dashboard"] == "1"


@each_dashboard
def test_no_panel_asks_for_what_is_not_there(dashboard: Dashboard) -> None:
    """Each metric and label is the worker's or recorded; rates are of counters only."""
    known = known_metrics()
    counted = {spec.name for spec in WORKER_METRICS if spec.kind is MetricKind.COUNTER}
    counted |= {name for name in known if name.endswith(("_bucket", "_count", "_sum"))}
    for title, expression in queries(dashboard):
        for name in metrics(expression):
            assert name in known or name in RECORDED, (title, name)
            if f"rate({name}" in expression:
                assert name in counted or name == "goldpan:position:max", (title, name)
        for name, label in matched_labels(expression):
            assert label in known.get(name, {label}), (title, name, label)
    assert dashboard.metric in known
    assert set(dashboard.variables) <= known[dashboard.metric]


@each_dashboard
def test_every_metric_is_chosen_by_namespace(dashboard: Dashboard) -> None:
    """Two lakes in one Prometheus are never mixed up."""
    for title, expression in queries(dashboard):
        chosen = {name for name, label in matched_labels(expression) if label == "namespace"}
        assert metrics(expression) <= chosen, title


@each_dashboard
def test_panels_explain_themselves_and_do_not_overlap(dashboard: Dashboard) -> None:
    """Each has a title, an explanation, a place of its own, and ids are unique."""
    panels = dashboard.render()["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or len(panel["description"].split()) > 4


def test_addresses_of_dashboards_are_unique() -> None:
    """A link to a dashboard means one of them."""
    made: list[dict[str, Any]] = [
        json.loads(files()[f"dashboards/{d.uid}.json"]) for d in DASHBOARDS
    ]
    assert len({one["uid"] for one in made}) == len(made)
    assert all(one["schemaVersion"] >= 39 for one in made)
