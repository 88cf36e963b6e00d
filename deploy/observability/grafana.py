"""The structure of Grafana dashboards: panels from short descriptions, laid out in rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are named, such as ``{{topic}}``."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart. ``kind`` is ``timeseries``, ``stat`` or ``table``; values from ``bad`` on are red.

    ``description`` is the panel's description: what it shows, what is normal.
    """

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    bad: float | None = None
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A titled group of panels."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page. ``uid`` is its stable id; ``variables`` are labels of ``metric`` to filter by."""

    uid: str
    title: str
    description: str
    metric: str
    variables: Sequence[str]
    rows: Sequence[Row]

    def render(self) -> dict[str, Any]:
        """Return the JSON that Grafana imports."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["goldpan"],
            "timezone": "utc",
            "editable": False,
            "schemaVersion": 39,
            "version": 1,
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "templating": {"list": list(self._variables())},
            "annotations": {"list": []},
            "panels": list(_lay_out(self.rows)),
        }

    def _variables(self) -> Iterator[dict[str, Any]]:
        yield {"name": "datasource", "label": "Prometheus", "type": "datasource"} | {
            "query": "prometheus"
        }
        for label in self.variables:
            query = f"label_values({self.metric}, {label})"
            yield {
                "name": label,
                "label": label,
                "type": "query",
                "datasource": _SOURCE,
                "definition": query,
                "query": {"query": query, "refId": "A"},
                "refresh": 2,
                "multi": True,
                "includeAll": True,
                "allValue": ".*",  # a series without the label is shown too
                "current": {"text": ["All"], "value": ["$__all"]},
            }


def _lay_out(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Place panels from left to right, on a new line where the row is full."""
    panel_id, top = 0, 0
    for row in rows:
        panel_id += 1
        yield _heading(panel_id, row.title, top)
        left, top, tallest = 0, top + 1, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            panel_id += 1
            grid = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            yield _panel(panel) | {"id": panel_id, "gridPos": grid}
            left, tallest = left + panel.width, max(tallest, panel.height)
        top += tallest


def _heading(panel_id: int, title: str, top: int) -> dict[str, Any]:
    grid = {"x": 0, "y": top, "w": WIDTH, "h": 1}
    empty: list[object] = []
    return {"id": panel_id, "type": "row", "title": title, "collapsed": False} | {
        "gridPos": grid,
        "panels": empty,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "targets": [_target(i, q, panel.kind) for i, q in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
    }


def _target(position: int, query: Query, kind: str) -> dict[str, Any]:
    table = {"instant": True, "format": "table"} if kind == "table" else {}
    return {
        "refId": chr(ord("A") + position),
        "datasource": _SOURCE,
        "expr": " ".join(query.expr.split()),
        "legendFormat": query.legend or "__auto",
        **table,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.bad is not None:
        steps.append({"color": "red", "value": panel.bad})
    custom: dict[str, Any] = {}
    if panel.kind == "timeseries":
        custom = {
            "fillOpacity": 20 if panel.stacked else 0,
            "stacking": {"mode": "normal" if panel.stacked else "none"},
            "showPoints": "never",
            "thresholdsStyle": {"mode": "off" if panel.bad is None else "line"},
        }
    return {
        "unit": panel.unit,
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": custom,
    }


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background"},
    "table": {"showHeader": True},
}
