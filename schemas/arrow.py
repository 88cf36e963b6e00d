"""Arrow schemas of the tables: the contract's fields, plus the provenance of each row.

A table holds the fields of its record, the provenance of the row, columns of its own if it has any,
and the day it is stored under.
The names of list and map entries are those that Delta returns when a table is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from schemas.assembly_columns import ASSEMBLY_COLUMNS
from schemas.contract import CONTRACTS, Contract, ContractField, FieldType

TIMESTAMP_US: Final = pa.timestamp("us", "UTC")
SPANS_TABLE: Final = "otel_spans"
PRIMARY_TABLES: Final = ("traces", "feedback", SPANS_TABLE)
"""The tables of valid records. Each topic feeds one; several topics may feed `otel_spans`."""
QUARANTINE_TABLE: Final = "quarantine"
AUDIT_TABLE: Final = "redactions"
LABELS_TABLE: Final = "labels"
REVIEWS_TABLE: Final = "reviews"
JUDGEMENTS_TABLE: Final = "judgements"
ANSWER_REVIEWS_TABLE: Final = "answer_reviews"
EVENT_DATE: Final = "event_date"
"""The column that tables are partitioned by: the UTC day of the event time."""

PROVENANCE: Final = pa.schema(
    [
        pa.field("_topic", pa.string(), nullable=False),
        pa.field("_partition", pa.int32(), nullable=False),
        pa.field("_offset", pa.int64(), nullable=False),
        pa.field("_ingested_at", TIMESTAMP_US, nullable=False),
        pa.field("_schema", pa.string(), nullable=True),
        pa.field("_policy", pa.string(), nullable=False),
        pa.field("_index", pa.int32(), nullable=True),
    ]
)
"""The origin of a row. ``_schema`` is the fingerprint of the schema it was written with (null in
quarantine if there was none), ``_policy`` the hash of the redaction policy. ``_index`` is the place
of the row's item within its Kafka record; it is null where a record is one item."""


_NO_COLUMNS: Final = pa.schema([])


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of one table.

    ``record`` names the contract that the first columns follow, ``event_time`` the column of the
    time that decides ``event_date``. ``own`` are nullable columns that no record fills.
    """

    name: str
    arrow: pa.Schema
    record: str
    event_time: str
    own: pa.Schema = _NO_COLUMNS
    partition_by: tuple[str, ...] = (EVENT_DATE,)


def arrow_type(field: ContractField) -> pa.DataType:
    """Return the type of the column that holds ``field``."""
    if field.type is FieldType.RECORDS:
        inner = pa.struct([arrow_field(child) for child in field.fields])
        return pa.list_(pa.field("element", inner, nullable=False))
    return _PLAIN[field.type]


def arrow_field(field: ContractField) -> pa.Field:
    """Return the column that holds ``field``."""
    return pa.field(field.name, arrow_type(field), nullable=field.nullable)


def record_schema(contract: Contract) -> pa.Schema:
    """Return the columns of the fields of a contract alone, without provenance."""
    return pa.schema([arrow_field(field) for field in contract.fields])


def table_schema(
    name: str, contract: Contract, event_time: str, own: pa.Schema = _NO_COLUMNS
) -> TableSchema:
    """Return the table that rows of a contract are stored in; ``own`` as in `TableSchema`."""
    columns = [
        *record_schema(contract),
        *PROVENANCE,
        *own,
        pa.field(EVENT_DATE, pa.date32(), nullable=False),
    ]
    return TableSchema(name, pa.schema(columns), contract.name, event_time, own)


_PLAIN: Final[Mapping[FieldType, pa.DataType]] = {
    FieldType.STRING: pa.string(),
    FieldType.LONG: pa.int64(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.BYTES: pa.binary(),
    FieldType.TIMESTAMP: TIMESTAMP_US,
    FieldType.ENUM: pa.string(),
    FieldType.MAP: pa.map_(pa.string(), pa.field("value", pa.string(), nullable=False)),
}

TABLES: Final[Mapping[str, TableSchema]] = {
    table.name: table
    for table in (
        table_schema("traces", CONTRACTS["trace"], "started_at", ASSEMBLY_COLUMNS),
        table_schema("feedback", CONTRACTS["feedback"], "occurred_at"),
        table_schema("labels", CONTRACTS["label_event"], "decided_at"),
        table_schema("quarantine", CONTRACTS["quarantine"], "record_timestamp"),
        table_schema("redactions", CONTRACTS["redaction"], "_ingested_at"),
        table_schema("reviews", CONTRACTS["review"], "occurred_at"),
        table_schema(JUDGEMENTS_TABLE, CONTRACTS["judgement"], "judged_at"),
        table_schema(ANSWER_REVIEWS_TABLE, CONTRACTS["answer_review"], "occurred_at"),
        table_schema(SPANS_TABLE, CONTRACTS["otel_span"], "started_at"),
    )
}
"""Every table of the lake, by name."""
