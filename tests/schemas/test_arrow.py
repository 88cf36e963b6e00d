"""The tables have the columns that the contract and the design say."""

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from schemas.arrow import PROVENANCE, TABLES
from schemas.contract import CONTRACTS


def test_the_tables_are_those_of_the_design() -> None:
    """Nine tables, each partitioned by the day of the event."""
    assert set(TABLES) == {
        "traces",
        "feedback",
        "labels",
        "quarantine",
        "redactions",
        "reviews",
        "judgements",
        "answer_reviews",
        "otel_spans",
    }
    assert {table.partition_by for table in TABLES.values()} == {("event_date",)}


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_record_then_provenance_then_own_then_day(name: str) -> None:
    """No field of the contract is missing from its table, and a row always has coordinates."""
    table = TABLES[name]
    fields = [field.name for field in CONTRACTS[table.record].fields]
    assert table.arrow.names == [*fields, *PROVENANCE.names, *table.own.names, "event_date"]
    nullable = [name for name in PROVENANCE.names if PROVENANCE.field(name).nullable]
    assert nullable == ["_schema", "_index"]
    assert all(field.nullable for field in table.own)
    assert pa.types.is_timestamp(table.arrow.field(table.event_time).type)


@pytest.mark.parametrize("name", TABLES)
def test_delta_gives_the_same_schema_back(name: str, tmp_path: object) -> None:
    """A table made from the schema and opened again has it exactly: types, names, nullability."""
    schema = TABLES[name].arrow
    DeltaTable.create(str(tmp_path), schema=schema, partition_by=["event_date"])
    assert DeltaTable(str(tmp_path)).to_pyarrow_dataset().schema.equals(schema)


def test_names_within_a_list_keep_their_nullability() -> None:
    """What a message must have is marked so within the column of messages."""
    message = TABLES["traces"].arrow.field("messages").type.value_type
    assert not message.field("role").nullable
    assert message.field("content").nullable
