"""Upgrades older lakes: creates the tables and adds the columns that they lack.

Changing the schema of a Delta table is one commit of metadata. No file is rewritten; older rows
have null in the new columns. Older workers continue: their next commit conflicts with the change,
fails, and is repeated on top of it. Columns are only ever added, and only nullable ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake.exceptions import DeltaError
from deltalake.schema import Schema

from lake.causes import describe_cause
from lake.commit import NO_POST_COMMIT_HOOKS
from lake.handle import TableHandle, refresh_handle
from lake.retry import Retry
from lake.schema_check import check_schema, missing_columns
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.arrow import TABLES
from schemas.errors import CommitUnknownError, FatalError


@dataclass(frozen=True, slots=True)
class AddedColumns:
    """The columns that were added to a table; all of them, if the table was ``created``."""

    table: str
    columns: tuple[str, ...]
    created: bool = False


def upgrade_lake(lake: Lake, retry: Retry, *, dry_run: bool = False) -> list[AddedColumns]:
    """Create missing tables, add missing columns, and return both; with ``dry_run`` only return.

    Safe beside workers of any version, when run twice at once, and when killed: run it again.
    Raises FatalError if a table differs in another way (then no table was changed), or if the lake
    fails for too long.
    """
    later = retry.call("looking for tables", lake.later_tables)
    handles = [(name, lake.handle(name)) for name in TABLE_LAYOUTS if name not in later]
    missing = {name: _addable(name, handle) for name, handle in handles}
    if not dry_run:
        # Tables first: a lake that has the columns has the tables, so a missing one was lost.
        retry.call("creating tables", lake.create_later_tables)
        for name, handle in handles:
            if missing[name]:
                _add(name, handle, retry)
    created = [AddedColumns(name, tuple(TABLES[name].arrow.names), created=True) for name in later]
    return created + [
        AddedColumns(name, tuple(f.name for f in fields))
        for name, fields in missing.items()
        if fields
    ]


def _addable(name: str, handle: TableHandle) -> list[pa.Field]:
    expected = TABLES[name].arrow
    fields = missing_columns(handle, expected)
    needed = [field.name for field in fields if not field.nullable]
    if needed:
        raise FatalError(
            f"table {name} lacks {', '.join(needed)}, which must not be null: such columns cannot "
            "be added to existing rows. Use the version that created this lake"
        )
    names = {field.name for field in fields}
    check_schema(name, handle, pa.schema([f for f in expected if f.name not in names]))
    return fields


def _add(name: str, handle: TableHandle, retry: Retry) -> None:
    def attempt() -> None:
        refresh_handle(handle, name)
        _send(name, handle, _addable(name, handle))

    retry.call(f"adding columns to table {name}", attempt)


def _send(name: str, handle: TableHandle, fields: Sequence[pa.Field]) -> None:
    """Add columns in one commit; if it fails, the next attempt shows whether it landed."""
    if not fields:
        return
    try:
        handle.alter.add_columns(
            Schema.from_arrow(pa.schema(list(fields))).fields,
            post_commithook_properties=NO_POST_COMMIT_HOOKS,
        )
    except (DeltaError, OSError) as error:
        raise CommitUnknownError(
            f"table {name}: it is unknown whether columns were added ({describe_cause(error)})"
        ) from error
