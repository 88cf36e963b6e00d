"""The keys on the contract's page are columns of the tables, and every table has one."""

import pyarrow as pa
import pytest

from schemas.arrow import TABLES
from schemas.table_keys import TABLE_KEYS, TABLE_REFERENCES, TableReference, render_table_keys


def _columns(table: str, text: str) -> list[pa.Field]:
    """Return the columns that a key names; ``a[].b`` is field ``b`` of the list ``a``."""
    found = []
    for name in text.split(", "):
        column, _, inner = name.partition("[].")
        field = TABLES[table].arrow.field(column)
        found.append(field.type.value_type.field(inner) if inner else field)
    return found


def test_every_table_has_a_key_of_its_own_columns() -> None:
    """A key that is no column would be a promise that no query can use."""
    assert set(TABLE_KEYS) == set(TABLES)
    for table, (key, _) in TABLE_KEYS.items():
        assert _columns(table, key)


@pytest.mark.parametrize("reference", TABLE_REFERENCES, ids=lambda r: f"{r.table}-{r.target}")
def test_a_reference_joins_columns_of_one_type(reference: TableReference) -> None:
    """Both sides exist, and a join needs no cast."""
    here = _columns(reference.table, reference.column)
    there = _columns(reference.target, reference.target_column)
    assert [field.type for field in here] == [field.type for field in there]


def test_the_diagram_names_every_table() -> None:
    """Also one that refers to nothing."""
    text = "\n".join(render_table_keys())
    assert all(f"    {table} {{" in text for table in TABLES)
