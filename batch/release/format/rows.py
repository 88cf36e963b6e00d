"""The rows of a release: their columns, and their types in JSON and in Python.

A row has two parts. Its *content* is the trace with its label and its coordinates in the lake. Its
*metadata* is how it was drawn and the evidence for its label; two versions that hold the same
content may differ in it. The last column salts the commitments to the row
(`batch.release.format.commitments`).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NotRequired, TypedDict, cast

import pyarrow as pa

from schemas.arrow import TIMESTAMP_US, record_schema
from schemas.contract import CONTRACTS

_COORDINATES: Final = [
    pa.field("_topic", pa.string(), nullable=False),
    pa.field("_partition", pa.int32(), nullable=False),
    pa.field("_offset", pa.int64(), nullable=False),
    pa.field("_ingested_at", TIMESTAMP_US, nullable=False),
    pa.field("_schema", pa.string()),
    pa.field("_policy", pa.string(), nullable=False),
]
_TRACE: Final = [*record_schema(CONTRACTS["trace"]), *_COORDINATES]
_JUDGEMENT: Final = [
    pa.field("label", pa.string(), nullable=False),
    pa.field("expected_response", pa.string()),
]
_METADATA: Final = [
    pa.field("drawn", pa.string(), nullable=False),
    pa.field("generator", pa.string()),
    pa.field("split", pa.string(), nullable=False),
    pa.field("stratum", pa.string()),
    pa.field("inclusion_probability", pa.float64()),
    pa.field("weight", pa.float64()),
    pa.field("near_duplicates", pa.int64(), nullable=False),
    pa.field("p_fail", pa.float64()),
    pa.field("confidence", pa.float64()),
    pa.field("route", pa.string()),
    pa.field("label_event_id", pa.string()),
    pa.field("label_revision", pa.int64()),
    pa.field("label_policy", pa.string()),
    pa.field("label_decided_at", TIMESTAMP_US),
]
SALT: Final = "salt"
GENERATOR: Final = "generator"
"""Omitted from the commitment when null, so releases from before synthetic rows keep their hashes.
"""

SAMPLE: Final = "sample"
"""The value of ``drawn`` for rows that were drawn, not named by the spec or generated."""
HOLDOUT: Final = "holdout"
DEVELOPMENT: Final = "development"
"""The two values of ``split``."""

CONTENT_COLUMNS: Final = tuple(field.name for field in [*_TRACE, *_JUDGEMENT])
"""The columns of a row's content."""
METADATA_COLUMNS: Final = tuple(field.name for field in _METADATA)
"""The columns of a row's metadata."""
SCHEMA: Final = pa.schema(
    [*_TRACE, *_JUDGEMENT, *_METADATA, pa.field(SALT, pa.string(), nullable=False)]
)
"""The columns that every release has, in order. Rows are sorted by ``trace_id``."""
EXPECTED_DOCUMENTS: Final = "expected_documents"
EXPECTED_CALLS: Final = "expected_calls"
_CALL: Final = pa.struct([pa.field("name", pa.string()), pa.field("arguments", pa.string())])
EXPECTATIONS: Final[Mapping[str, pa.Field]] = {
    EXPECTED_DOCUMENTS: pa.field(EXPECTED_DOCUMENTS, pa.list_(pa.string())),
    EXPECTED_CALLS: pa.field(EXPECTED_CALLS, pa.list_(_CALL)),
}
"""Columns, in order, of releases whose files say what would have been right for a row. Omitted from
the commitment when null, so that releases without them have the bytes and hashes that they always
had."""
TRACE_COLUMNS: Final = tuple(field.name for field in _TRACE)
"""The columns copied unchanged from table ``traces``."""

COLUMN_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "label": "The label in force: pass, fail, unknown, or none where there is no label event.",
    "expected_response": "The answer as it should have been, where a reviewer or user gave one.",
    EXPECTED_DOCUMENTS: "Ids of the documents that were right, where the spec's file says so.",
    EXPECTED_CALLS: "The tool calls that would have been right, where the spec's file says so.",
    "drawn": "sample, the set that names the row (must_include, adversarial), or synthetic: such a "
    "row is not from production and counts in no estimate of it.",
    "generator": "The generator of a synthetic row; null for rows from production.",
    "split": "development or holdout; all rows of a conversation or user are on one side.",
    "stratum": "The stratum the row was drawn from; null for rows that the spec names.",
    "inclusion_probability": "Probability with which this trace was drawn; null unless sampled.",
    "weight": "Number of traces that the row represents, of those that the release speaks for; "
    "null unless sampled.",
    "near_duplicates": "Drawn traces that were left out as near-duplicates of this one.",
    "p_fail": "Probability that the answer was bad, by the label event in force.",
    "confidence": "The larger of p_fail and 1 - p_fail.",
    "route": "Where the label event sent the trace: auto, review or audit.",
    "label_event_id": "The label event in force.",
    "label_revision": "Its revision.",
    "label_policy": "The version of the label policy that decided it.",
    "label_decided_at": "When it was decided.",
    SALT: "Random-looking text that salts the row's commitments.",
}
"""Descriptions of the columns that the contract of traces does not describe."""


class MessageToolCallRow(TypedDict):
    """A tool call inside a message."""

    id: str
    name: str
    arguments: str


class MessageRow(TypedDict):
    """A message of a trace."""

    role: str
    content: str | None
    name: str | None
    tool_call_id: str | None
    tool_calls: list[MessageToolCallRow] | None


class RetrievedDocumentRow(TypedDict):
    """A document that was retrieved for a trace."""

    document_id: str
    score: float | None
    text: str | None


class ToolCallRow(TypedDict):
    """A tool call of a trace, with its outcome."""

    id: str
    name: str
    arguments: str
    result: str | None
    error: str | None
    latency_ms: float | None


class ExpectedCallRow(TypedDict):
    """A tool call that would have been right; ``arguments`` is JSON."""

    name: str
    arguments: str


class TraceFields(TypedDict):
    """The columns of a trace whose values are the same in JSON and in Python."""

    trace_id: str
    request_id: str | None
    session_id: str | None
    user_id: str | None
    app: str
    environment: str
    latency_ms: float | None
    status: str
    error_type: str | None
    error_message: str | None
    model_provider: str | None
    model_requested: str | None
    model_version: str | None
    prompt_version: str | None
    app_version: str | None
    messages: list[MessageRow]
    response: str | None
    finish_reason: str | None
    retrieved: list[RetrievedDocumentRow]
    tool_calls: list[ToolCallRow]
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    segments: dict[str, str | None]
    attributes: dict[str, str | None]
    _topic: str
    _partition: int
    _offset: int
    _schema: str | None
    _policy: str


class TraceRow(TraceFields):
    """A row of table ``traces`` as Python values."""

    started_at: datetime
    _ingested_at: datetime


class SyntheticRow(TraceRow):
    """A row from a generator as Python values: a trace with its label."""

    label: str
    expected_response: str | None


class ReleaseFields(TraceFields):
    """The columns of a release whose values are the same in JSON and in Python."""

    label: str
    expected_response: str | None
    expected_documents: NotRequired[list[str] | None]
    expected_calls: NotRequired[list[ExpectedCallRow] | None]
    drawn: str
    generator: str | None
    split: str
    stratum: str | None
    inclusion_probability: float | None
    weight: float | None
    near_duplicates: int
    p_fail: float | None
    confidence: float | None
    route: str | None
    label_event_id: str | None
    label_revision: int | None
    label_policy: str | None
    salt: str


class DrawnRow(ReleaseFields):
    """A row of a release as Python values."""

    started_at: datetime
    _ingested_at: datetime
    label_decided_at: datetime | None


class ReleaseRow(ReleaseFields):
    """A row of a release as JSON values: times are RFC 3339 with microseconds."""

    started_at: str
    _ingested_at: str
    label_decided_at: str | None


def json_rows(table: pa.Table) -> list[ReleaseRow]:
    """Return rows as JSON values: maps as objects, times as RFC 3339 with microseconds."""
    rows = _json_value(table.to_pylist(maps_as_pydicts="strict"))
    return cast("list[ReleaseRow]", rows)


def content_values(row: Mapping[str, object]) -> dict[str, object]:
    """Return the content of a row (JSON values); KeyError if a column is missing."""
    content = {name: row[name] for name in CONTENT_COLUMNS}
    return content | said_expectations(row)


def said_expectations(row: Mapping[str, object]) -> dict[str, object]:
    """Return what would have been right for a row, by column, as far as it says so."""
    said = {name: row.get(name) for name in EXPECTATIONS}
    return {name: value for name, value in said.items() if value is not None}


def rows_to_arrow(rows: Sequence[Mapping[str, object]]) -> pa.Table:
    """Return rows of Python values as a table with the columns that every release has."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def release_schema(names: Sequence[str]) -> pa.Schema:
    """Return the columns of a release, given the names of those that it has."""
    fields = [field for name, field in EXPECTATIONS.items() if name in names]
    at = len(_TRACE) + len(_JUDGEMENT)
    return pa.schema([*SCHEMA][:at] + fields + [*SCHEMA][at:])


def _json_value(value: Any) -> Any:
    # Most values are plain: a call for each would take most of the time.
    if isinstance(value, dict):
        return {
            key: item if type(item) in _PLAIN else _json_value(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_json_value(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value


_PLAIN: Final = frozenset((str, int, float, bool, type(None)))
