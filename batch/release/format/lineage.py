"""The lineage of a release as an OpenLineage event (specification 2-0-2): its inputs."""

from typing import Any, Final
from uuid import uuid5

import pyarrow as pa

from batch.release.format.contract import RELEASE_NAMESPACE
from batch.release.format.files import pretty_json
from batch.release.format.manifest import ReleaseFacts
from batch.release.format.rows import SCHEMA, TRACE_COLUMNS

_PRODUCER: Final = "urn:goldpan:release"
_SCHEMAS: Final = "https://openlineage.io/spec"
_NAMESPACE: Final = "goldpan"
_NO_TIME: Final = "1970-01-01T00:00:00+00:00"
_LABEL_COLUMNS: Final = ("label", "expected_response", "p_fail", "route", "label_event_id")


def lineage_event(facts: ReleaseFacts, version: str, columns: pa.Schema = SCHEMA) -> bytes:
    """Return the event that a version was completed.

    Its time is that of the latest table version that was read, so that a repeated build gives the
    same release. Its run is identified by the inputs.
    """
    times = [table["as_of"] for table in facts["lake"].values() if table["as_of"]]
    identity = f"{facts['name']} {version} {facts['rows_sha256']} {facts['spec_sha256']}"
    return pretty_json(
        {
            "eventType": "COMPLETE",
            "eventTime": max(times, default=_NO_TIME),
            "producer": _PRODUCER,
            "schemaURL": f"{_SCHEMAS}/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": str(uuid5(RELEASE_NAMESPACE, identity))},
            "job": {"namespace": _NAMESPACE, "name": f"release.{facts['name']}"},
            "inputs": [
                _dataset(name, str(table["version"])) for name, table in facts["lake"].items()
            ],
            "outputs": [_output(facts["name"], version, columns)],
        }
    )


def _dataset(name: str, version: str) -> dict[str, Any]:
    facet = _facet("DatasetVersionDatasetFacet", "1-0-1") | {"datasetVersion": version}
    return {"namespace": _NAMESPACE, "name": name, "facets": {"version": facet}}


def _output(release: str, version: str, of: pa.Schema) -> dict[str, Any]:
    dataset = _dataset(f"releases/{release}", version)
    schema = _facet("SchemaDatasetFacet", "1-1-1") | {
        "fields": [{"name": field.name, "type": str(field.type)} for field in of]
    }
    columns = {name: _input_column("traces", name) for name in TRACE_COLUMNS} | {
        name: _input_column("labels", name) for name in _LABEL_COLUMNS
    }
    facet = _facet("ColumnLineageDatasetFacet", "1-2-0") | {"fields": columns}
    dataset["facets"] |= {"schema": schema, "columnLineage": facet}
    return dataset


def _input_column(table: str, column: str) -> dict[str, Any]:
    return {"inputFields": [{"namespace": _NAMESPACE, "name": table, "field": column}]}


def _facet(name: str, version: str) -> dict[str, Any]:
    url = f"{_SCHEMAS}/facets/{version}/{name}.json#/$defs/{name}"
    return {"_producer": _PRODUCER, "_schemaURL": url}
