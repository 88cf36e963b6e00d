"""The state of the lake as metrics, for what no worker can tell: tables, releases, drift.

All in one list, against which docs and dashboards are held. Labels are names of tables, releases
and features, never values.
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
    """One gauge: its name, what it means, the name of its label if it has one."""

    name: str
    meaning: str
    label: str | None = None


LAKE_GAUGES: Final[Sequence[GaugeSpec]] = (
    GaugeSpec("goldpan_table_rows", "Rows of a table.", "table"),
    GaugeSpec("goldpan_table_files", "Data files that a table consists of.", "table"),
    GaugeSpec("goldpan_table_bytes", "Bytes of these files.", "table"),
    GaugeSpec(
        "goldpan_release_age_seconds",
        "Age of the lake that a release was drawn from: of its newest version, if not withdrawn.",
        "release",
    ),
    GaugeSpec(
        "goldpan_drift_distance",
        "Distance of each feature in the newest report of `goldpan drift --keep`, 0 to 1.",
        "feature",
    ),
    GaugeSpec(
        "goldpan_drift_found", "1 if that report says that the feature has drifted.", "feature"
    ),
    GaugeSpec("goldpan_drift_age_seconds", "Time since the end of the last day that it looks at."),
)

GaugeValues = Mapping[str, float]
"""The values of a gauge by its label, by the empty text where it has none."""


def measure_lake(lake: Lake, shelf: ReleaseRepository, now: datetime) -> dict[str, GaugeValues]:
    """Return the values of each gauge at ``now``. What does not exist has none.

    Raises RetryableError if the lake does not answer, FatalError if it is no lake.
    """
    facts = {table.name: table.facts() for table in lake.tables()}
    return {
        "goldpan_table_rows": _each(facts, lambda one: one.rows),
        "goldpan_table_files": _each(facts, lambda one: one.files),
        "goldpan_table_bytes": _each(facts, lambda one: one.bytes),
        "goldpan_release_age_seconds": dict(_ages(shelf, now)),
        **_drift(lake, now),
    }


def render_lake_metrics(found: Mapping[str, GaugeValues]) -> bytes:
    """Return them in the text format of Prometheus."""
    registry = CollectorRegistry()
    for spec in LAKE_GAUGES:
        values = found.get(spec.name, {})
        if values or spec.label:
            labels = [spec.label] if spec.label else []
            gauge = Gauge(spec.name, spec.meaning, labels, registry=registry)
            for label, value in values.items():
                (gauge.labels(label) if spec.label else gauge).set(value)
    return generate_latest(registry)


def _each(facts: Mapping[str, TableFacts], of: Callable[[TableFacts], int]) -> GaugeValues:
    return {name: float(of(one)) for name, one in facts.items()}


def _ages(shelf: ReleaseRepository, now: datetime) -> Iterator[tuple[str, float]]:
    for name in shelf.names():
        try:
            newest = shelf.find(ReleaseReference(name, "latest"))
        except UsageError:  # none is published, or all of them were withdrawn
            continue
        told = json.loads(shelf.read(newest, LINEAGE))["eventTime"]
        yield name, (now - datetime.fromisoformat(told)).total_seconds()


def _drift(lake: Lake, now: datetime) -> dict[str, GaugeValues]:
    found = report_store.load_newest_report(lake.location.files(report_store.DRIFT_FOLDER))
    if found is None:
        return {}
    features: list[dict[str, Any]] = found.told["findings"]
    end = datetime(found.day.year, found.day.month, found.day.day, tzinfo=UTC) + timedelta(days=1)
    return {
        "goldpan_drift_distance": {one["feature"]: one["distance"] for one in features},
        "goldpan_drift_found": {one["feature"]: float(one["drifted"]) for one in features},
        "goldpan_drift_age_seconds": {"": (now - end).total_seconds()},
    }
