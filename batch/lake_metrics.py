"""Metrics of the lake that workers cannot measure: tables, releases, drift.

All gauges are in one list, which docs and dashboards are tested against. Their labels are names of
tables, releases and features, never values.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from batch.drift import report_store
from batch.release.format.files import LINEAGE
from batch.release.publish.reference import ReleaseReference
from batch.release.publish.repository import ReleaseRepository
from lake.tables import Lake, TableFacts
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class GaugeSpec:
    """One gauge: its name, its description, the name of its label if it has one."""

    name: str
    description: str
    label: str | None = None


LAKE_GAUGES: Final[Sequence[GaugeSpec]] = (
    GaugeSpec("goldpan_table_rows", "Rows of a table.", "table"),
    GaugeSpec("goldpan_table_files", "Data files that a table consists of.", "table"),
    GaugeSpec("goldpan_table_bytes", "Bytes of these files.", "table"),
    GaugeSpec(
        "goldpan_release_age_seconds",
        "Age of the lake version that a release was drawn from: of its newest version, if not "
        "withdrawn.",
        "release",
    ),
    GaugeSpec(
        "goldpan_drift_distance",
        "Distance of each feature in the newest report of `goldpan drift --keep`, 0 to 1.",
        "feature",
    ),
    GaugeSpec(
        "goldpan_drift_found", "1 if the feature has drifted according to that report.", "feature"
    ),
    GaugeSpec("goldpan_drift_age_seconds", "Time since the end of the last day of that report."),
)

GaugeValues = Mapping[str, float]
"""The values of a gauge by its label; the key is empty where it has none."""


def measure_lake(lake: Lake, shelf: ReleaseRepository, now: datetime) -> dict[str, GaugeValues]:
    """Return the values of each gauge at ``now``; what does not exist has none.

    Raises RetryableError if the lake does not answer, FatalError if it is not a lake.
    """
    facts = {table.name: table.facts() for table in lake.tables()}
    return {
        "goldpan_table_rows": _by_table(facts, lambda table: table.rows),
        "goldpan_table_files": _by_table(facts, lambda table: table.files),
        "goldpan_table_bytes": _by_table(facts, lambda table: table.bytes),
        "goldpan_release_age_seconds": dict(_release_ages(shelf, now)),
        **_drift_gauges(lake, now),
    }


def render_lake_metrics(measured: Mapping[str, GaugeValues]) -> bytes:
    """Return the values in the text format of Prometheus."""
    registry = CollectorRegistry()
    for spec in LAKE_GAUGES:
        values = measured.get(spec.name, {})
        if values or spec.label:
            labels = [spec.label] if spec.label else []
            gauge = Gauge(spec.name, spec.description, labels, registry=registry)
            for label, value in values.items():
                (gauge.labels(label) if spec.label else gauge).set(value)
    return generate_latest(registry)


def _by_table(facts: Mapping[str, TableFacts], measure: Callable[[TableFacts], int]) -> GaugeValues:
    return {name: float(measure(table)) for name, table in facts.items()}


def _release_ages(shelf: ReleaseRepository, now: datetime) -> Iterator[tuple[str, float]]:
    for name in shelf.names():
        try:
            newest = shelf.find(ReleaseReference(name, "latest"))
        except UsageError:  # none is published, or all of them were withdrawn
            continue
        event_time = json.loads(shelf.read(newest, LINEAGE))["eventTime"]
        yield name, (now - datetime.fromisoformat(event_time)).total_seconds()


def _drift_gauges(lake: Lake, now: datetime) -> dict[str, GaugeValues]:
    report = report_store.load_newest_report(lake.location.files(report_store.DRIFT_FOLDER))
    if report is None:
        return {}
    features: list[dict[str, Any]] = report.content["findings"]
    end = datetime(report.day.year, report.day.month, report.day.day, tzinfo=UTC) + timedelta(
        days=1
    )
    return {
        "goldpan_drift_distance": {feature["feature"]: feature["distance"] for feature in features},
        "goldpan_drift_found": {
            feature["feature"]: float(feature["drifted"]) for feature in features
        },
        "goldpan_drift_age_seconds": {"": (now - end).total_seconds()},
    }
