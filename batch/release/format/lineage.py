"""The lineage of a release as an OpenLineage event (specification 2-0-2): what it was made of."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid5

from batch.release.format.contract import RELEASE_NAMESPACE
from batch.release.format.files import pretty_json
from batch.release.format.rows import SCHEMA, TRACE_COLUMNS

_PRODUCER: Final = "urn:goldpan:release"
_SCHEMAS: Final = "https://openlineage.io/spec"
_NAMESPACE: Final = "goldpan"
_NO_TIME: Final = "1970-01-01T00:00:00+00:00"
_FROM_LABELS: Final = ("label", "expected_response", "p_fail", "route", "label_event_id")


def lineage_event(true: Mapping[str, Any], version: str) -> bytes:
    """Return the event of a version's completion.

    Its time is that of the newest lake version that was read: a release built again is the same
    release. Its run is named by what went into it.
    """
    moments = [s["as_of"] for s in true["lake"].values() if s["as_of"]]
    run = uuid5(
        RELEASE_NAMESPACE, f"{true['name']} {version} {true['rows_sha256']} {true['spec_sha256']}"
    )
    return pretty_json(
        {
            "eventType": "COMPLETE",
            "eventTime": max(moments, default=_NO_TIME),
            "producer": _PRODUCER,
            "schemaURL": f"{_SCHEMAS}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": str(run)},
            "job": {"namespace": _NAMESPACE, "name": f"release.{true['name']}"},
            "inputs": [
                _dataset(table, str(pinned["version"])) for table, pinned in true["lake"].items()
            ],
            "outputs": [_output(true, version)],
        }
    )


def _dataset(name: str, version: str) -> dict[str, Any]:
    facet = _facet("DatasetVersionDatasetFacet", "1-0-1") | {"datasetVersion": version}
    return {"namespace": _NAMESPACE, "name": name, "facets": {"version": facet}}


def _output(true: Mapping[str, Any], version: str) -> dict[str, Any]:
    known = _dataset(f"releases/{true['name']}", version)
    schema = _facet("SchemaDatasetFacet", "1-1-1") | {
        "fields": [{"name": field.name, "type": str(field.type)} for field in SCHEMA]
    }
    columns = {name: _from("traces", name) for name in TRACE_COLUMNS} | {
        name: _from("labels", name) for name in _FROM_LABELS
    }
    facet = _facet("ColumnLineageDatasetFacet", "1-2-0") | {"fields": columns}
    known["facets"] |= {"schema": schema, "columnLineage": facet}
    return known


def _from(table: str, column: str) -> dict[str, Any]:
    return {"inputFields": [{"namespace": _NAMESPACE, "name": table, "field": column}]}


def _facet(name: str, version: str) -> dict[str, Any]:
    url = f"{_SCHEMAS}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": _PRODUCER, "_schemaURL": url}
