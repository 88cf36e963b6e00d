"""The rows of a release as a gate reads them."""

from typing import Any, Final

import pyarrow as pa

from batch.gate.side_readings import GateRow, row_mark
from batch.release.format.rows import EXPECTED_DOCUMENTS, SALT, SAMPLE
from batch.release.sampling.holdout_split import group_roots
from judges.gate.definition import GateDefinition
from schemas.errors import UsageError

_COLUMNS: Final = ("app", "environment", "prompt_version", "model_version", "split", "stratum")
_SEGMENT: Final = "segments."


def gate_rows(table: pa.Table, definition: GateDefinition) -> list[GateRow]:
    """Return the rows that a gate is about, in the order of the release.

    ``about: rows`` takes all of them, each as much as the others; ``about: population`` those that
    were drawn, by their weights. Rows of one conversation or user are a cluster, and so are rows
    that others link. Raises UsageError for a segment that rows cannot have, and without rows.
    """
    by = () if definition.segments is None else definition.segments.by
    for name in by:
        if name not in _COLUMNS and not name.startswith(_SEGMENT):
            raise UsageError(
                f"The gate {definition.gate}: segments.by: there is no {name}; there are "
                f"{', '.join(_COLUMNS)} and {_SEGMENT}<name>."
            )
    rows: Any = table.to_pylist(maps_as_pydicts="strict")
    if definition.about == "population":
        rows = [row for row in rows if row["drawn"] == SAMPLE]
    if not rows:
        raise UsageError(f"The release of gate {definition.gate} has no rows that it is about.")
    weighted = definition.about == "population"
    return [
        GateRow(
            trace_id=row["trace_id"],
            mark=row_mark(row[SALT]),
            cluster=root,
            weight=max(1.0, row["weight"] or 1.0) if weighted else 1.0,
            segments={name: _segment(row, name) for name in by},
            documents=_documents(row),
        )
        for row, root in zip(rows, group_roots(rows), strict=True)
    ]


def _segment(row: dict[str, Any], name: str) -> str:
    if name in _COLUMNS:
        return str(row[name] or "")
    return str((row["segments"] or {}).get(name.removeprefix(_SEGMENT)) or "")


def _documents(row: dict[str, Any]) -> frozenset[str] | None:
    documents = row.get(EXPECTED_DOCUMENTS)
    return None if not documents else frozenset(documents)
