"""Columns hold exactly what the records hold, in exactly the schema of the table."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arrow import PROVENANCE, TABLES, TIMESTAMP_US, record_schema
from schemas.assembly_columns import ASSEMBLY_COLUMNS, AssemblyFacts
from schemas.columns import TABLE_OF_KIND, record_arrays, record_batch
from schemas.contract import CONTRACTS
from schemas.record_batches import SENT_KINDS, DecodedBatch, RawRecord, RecordKind
from schemas.records import Feedback, LabelEvent, StoredSpan, Trace
from tests.make.records import LARGE, STARTED_AT, feedback, trace
from tests.make.strategies import records

TYPES = {
    "trace": Trace,
    "feedback": Feedback,
    "label_event": LabelEvent,
    "otel_span": StoredSpan,
}
NOW = STARTED_AT + 5


def _decoded(kind: RecordKind, dicts: Sequence[dict[str, Any]]) -> DecodedBatch[Any]:
    rows = range(len(dicts))
    return DecodedBatch(
        kind=kind,
        topic="a.topic",
        records=[msgspec.convert(record, TYPES[kind]) for record in dicts],
        partitions=[row % 3 for row in rows],
        offsets=[100 + row for row in rows],
        schema_ids=[f"{row:016x}" for row in rows],
        raws=[],
    )


def _expected(name: str, made: Sequence[msgspec.Struct]) -> pa.RecordBatch:
    """Build the columns the slow and plain way, from dicts."""
    plain = [msgspec.to_builtins(record) for record in made]
    for record in plain:
        for field in ("segments", "attributes"):
            if isinstance(record.get(field), dict):
                record[field] = list(record[field].items())
    return pa.RecordBatch.from_pylist(plain, schema=record_schema(CONTRACTS[name]))


@given(st.one_of([st.tuples(st.just(name), st.lists(records(name), max_size=4)) for name in TYPES]))
def test_arrays_equal_the_plain_way(drawn: tuple[str, list[dict[str, Any]]]) -> None:
    """For any valid records, the fast columns equal those that Arrow makes of dicts."""
    name, dicts = drawn
    made = [msgspec.convert(record, TYPES[name]) for record in dicts]
    schema = record_schema(CONTRACTS[name])
    batch = pa.RecordBatch.from_arrays(record_arrays(name, made), schema=schema)
    batch.validate(full=True)
    assert batch.equals(_expected(name, made))


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 1_000])
def test_blocks_leave_no_seam(rows: int) -> None:
    """Any number of records gives the rows of all of them in their order."""
    dicts = [trace(i, size=LARGE if i % 100 == 0 else 900) for i in range(rows)]
    made = [msgspec.convert(record, Trace) for record in dicts]
    batch = pa.RecordBatch.from_arrays(
        record_arrays("trace", made), schema=record_schema(CONTRACTS["trace"])
    )
    assert batch.equals(_expected("trace", made))


@pytest.mark.parametrize("kind", list(SENT_KINDS))
@pytest.mark.parametrize("rows", [0, 7])
def test_a_batch_has_exactly_the_columns_of_its_table(kind: RecordKind, rows: int) -> None:
    """Names, types, nullability and order are those of the table, also with no row at all."""
    make = trace if kind is RecordKind.TRACE else feedback
    decoded = _decoded(kind, [make(i) for i in range(rows)])
    batch = record_batch(kind, decoded, ingested_at=NOW, policy="p1")
    batch.validate(full=True)
    assert batch.schema.equals(TABLES[TABLE_OF_KIND[kind]].arrow, check_metadata=True)
    assert batch.num_rows == rows


def test_rows_say_where_they_came_from() -> None:
    """Provenance stands beside the record it belongs to."""
    batch = record_batch(
        RecordKind.TRACE,
        _decoded(RecordKind.TRACE, [trace(i) for i in range(4)]),
        ingested_at=NOW,
        policy="p1",
    )
    assert batch.select(["trace_id", *PROVENANCE.names]).to_pylist()[2] == {
        "trace_id": "trace-2",
        "_topic": "a.topic",
        "_partition": 2,
        "_offset": 102,
        "_ingested_at": pa.scalar(NOW, TIMESTAMP_US).as_py(),
        "_schema": "0000000000000002",
        "_policy": "p1",
        "_index": None,
    }


def test_assembled_traces_fill_the_columns_beside_the_contract() -> None:
    """One entry for each row, also after some rows were left out; without entries all is null."""
    facts = [
        AssemblyFacts(revision=1, mapping="m-1"),
        AssemblyFacts(2, "m-2", ("root_missing",), True, 0.25, "trace-0"),
    ]
    plain = _decoded(RecordKind.TRACE, [trace(0), trace(1)])
    raws = [RawRecord(0, 0, -1, None, None)] * 2
    decoded = replace(plain, topic="#assembly", raws=raws, assembly=facts)
    columns = ["trace_id", *ASSEMBLY_COLUMNS.names]
    expected = [
        dict(zip(columns, ("trace-0", 1, None, [], None, None, "m-1"), strict=True)),
        dict(
            zip(
                columns,
                ("trace-1", 2, "trace-0", ["root_missing"], True, 0.25, "m-2"),
                strict=True,
            )
        ),
    ]

    def rows(batch: DecodedBatch[Any]) -> list[dict[str, Any]]:
        made = record_batch(RecordKind.TRACE, batch, ingested_at=NOW, policy="p")
        return list(made.select(columns).to_pylist())

    assert rows(decoded) == expected
    assert rows(decoded.subset([1])) == expected[1:]
    assert [set(row.values()) - {row["trace_id"]} for row in rows(plain)] == [{None}, {None}]
    with pytest.raises(ValueError, match="1 entries for 2 rows"):
        rows(replace(decoded, assembly=facts[:1]))


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 2, 28)),
        (datetime(2026, 3, 1, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2000, 1, 1, tzinfo=UTC), date(2000, 1, 1)),
        (datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), date(2099, 12, 31)),
    ],
)
def test_a_row_belongs_to_the_utc_day_of_its_event(moment: datetime, day: date) -> None:
    """The day is taken from the event time, to the microsecond, and not from the clock."""
    micros = pa.scalar(moment, TIMESTAMP_US).value
    for kind, record in (
        (RecordKind.TRACE, trace(1, started_at=micros)),
        (RecordKind.FEEDBACK, feedback(1, occurred_at=micros)),
    ):
        batch = record_batch(kind, _decoded(kind, [record]), ingested_at=NOW, policy="p")
        assert batch["event_date"].to_pylist() == [day]
