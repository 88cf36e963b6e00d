"""The layouts of the tables' files: columns with a dictionary, and columns with statistics."""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from lake.parquet import PARTITION_COLUMN, TableLayout
from schemas.arrow import ANSWER_REVIEWS_TABLE, JUDGEMENTS_TABLE, SPANS_TABLE, TABLES

TABLE_LAYOUTS: Final[Mapping[str, TableLayout]] = {
    "traces": TableLayout(
        dictionary=(
            "app",
            "environment",
            "status",
            "error_type",
            "model_provider",
            "model_requested",
            "model_version",
            "prompt_version",
            "app_version",
            "finish_reason",
            "session_id",
            "user_id",
            "messages.list.element.role",
            "messages.list.element.name",
            "_topic",
            "_partition",
            "_ingested_at",
            "_schema",
            "_policy",
            "incomplete.list.element",
            "_mapping",
        ),
        statistics=("trace_id", "app", "started_at", "_partition", "_offset", "_ingested_at"),
        pruned=("revision", "duplicate_of"),
    ),
    "feedback": TableLayout(
        dictionary=("kind", "actor", "_topic", "_partition", "_ingested_at", "_schema", "_policy"),
        statistics=("trace_id", "occurred_at", "_partition", "_offset", "_ingested_at"),
    ),
    "labels": TableLayout(
        dictionary=(
            "label",
            "evidence.list.element.kind",
            "route",
            "policy_version",
            "app",
            "_topic",
            "_partition",
            "_ingested_at",
            "_schema",
            "_policy",
        ),
        statistics=("trace_id", "decided_at", "_partition", "_offset", "_ingested_at"),
    ),
    "quarantine": TableLayout(
        dictionary=("reason", "field", "detail", "_topic", "_partition", "_ingested_at", "_policy"),
        statistics=("reason", "_partition", "_offset", "_ingested_at"),
    ),
    "redactions": TableLayout(
        dictionary=(
            "counts.list.element.type",
            "counts.list.element.operator",
            "positions.list.element.path",
            "positions.list.element.type",
            "positions.list.element.operator",
            "_topic",
            "_partition",
            "_ingested_at",
            "_policy",
        ),
        statistics=("_partition", "_offset", "_ingested_at"),
    ),
    "reviews": TableLayout(
        dictionary=("step", "reviewer", "verdict", "_topic", "_partition", "_schema", "_policy"),
        statistics=("trace_id", "occurred_at", "_partition", "_offset", "_ingested_at"),
    ),
    JUDGEMENTS_TABLE: TableLayout(
        dictionary=(
            "step",
            "judge",
            "judge_digest",
            "way",
            "subject_kind",
            "outcome",
            "reason",
            "failure_mode",
            "model_requested",
            "model_served",
            "run_id",
            "arm",
            "release",
            "candidate_digest",
            "app",
            "prompt_version",
            "model_version",
            "_topic",
            "_partition",
            "_ingested_at",
            "_schema",
            "_policy",
        ),
        statistics=("trace_id", "judge", "judged_at", "_partition", "_offset", "_ingested_at"),
    ),
    ANSWER_REVIEWS_TABLE: TableLayout(
        dictionary=(
            "step",
            "metric",
            "release",
            "release_digest",
            "candidate_digest",
            "baseline_digest",
            "side",
            "scope",
            "asked",
            "reviewer",
            "verdict",
            "_topic",
            "_partition",
            "_schema",
            "_policy",
        ),
        statistics=("trace_id", "occurred_at", "_partition", "_offset", "_ingested_at"),
    ),
    SPANS_TABLE: TableLayout(
        dictionary=(
            "record",
            "format",
            "trace_id",
            "session_id",
            "user_id",
            "name",
            "scope",
            "resource",
            "part",
            "kind",
            "flags",
            "_topic",
            "_partition",
            "_offset",
            "_ingested_at",
            "_schema",
            "_policy",
        ),
        statistics=("trace_id", "started_at", "_partition", "_offset", "_ingested_at"),
    ),
}
"""How each table is encoded; its keys are the tables that ``goldpan lake init`` makes."""

LATER_TABLES: Final = (SPANS_TABLE, JUDGEMENTS_TABLE, ANSWER_REVIEWS_TABLE)
"""Tables that lakes of earlier versions do not have; ``goldpan lake upgrade`` creates them."""
TABLES_WITH_COLUMNS: Final = (SPANS_TABLE,)
"""Those of the later tables that columns of other tables came with. They are created before the
columns are added, so a lake with these columns has had the tables."""


def file_schema(table: str) -> pa.Schema:
    """Return the columns of a table's files: all but the one that the table is partitioned by."""
    schema = TABLES[table].arrow
    return schema.remove(schema.get_field_index(PARTITION_COLUMN))
