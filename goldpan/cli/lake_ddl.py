"""``goldpan lake ddl``: write SQL that shows the lake in a warehouse."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.metrics_file import write_atomically
from lake.location import LakeLocation
from lake.warehouse_ddl import WAREHOUSES, WarehousePlace, bucket_address, write_warehouse_ddl
from schemas.errors import UsageError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9]*://[^\s'`\\;?#]+")
_BIGQUERY: Final = (
    "BigQuery cannot read the tables of a lake: it accepts no column whose name begins with "
    "_partition, and each table has one. Load an export of a release there, or read the lake from "
    "another warehouse (docs/warehouses.md)"
)


@click.command()
@click.option(
    "--for",
    "warehouse",
    type=click.Choice((*WAREHOUSES, "bigquery")),
    required=True,
    help="The warehouse that the statements are for.",
)
@click.option(
    "--schema",
    metavar="NAME",
    help="Schema for the tables and views: DATABASE.SCHEMA in Snowflake, DATABASE in Athena, "
    "CATALOG.SCHEMA in Trino and Databricks. It must exist.",
)
@click.option(
    "--address",
    metavar="URI",
    help="Address of the lake as the warehouse sees it. Without it, that of GOLDPAN_LAKE__URI.",
)
@click.option("--volume", metavar="NAME", help="Snowflake's external volume with the lake.")
@click.option(
    "--volume-address",
    metavar="URI",
    help="Address at which that volume begins. Without it, the bucket of the lake.",
)
@click.option(
    "--integration",
    metavar="NAME",
    help="Snowflake's catalog integration for Delta files in object storage.",
)
@click.option("--prefix", default="", metavar="NAME", help="Goes before the names of the views.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file, not to standard output.",
)
@with_cli_context
def ddl(  # noqa: PLR0913 - one argument per option
    cli: CliContext,
    *,
    warehouse: str,
    schema: str | None,
    address: str | None,
    volume: str | None,
    volume_address: str | None,
    integration: str | None,
    prefix: str,
    out: Path | None,
) -> None:
    """Write SQL that shows the lake in a warehouse.

    The statements register the Delta tables where they are, and create views over them: one for
    each table, with what each column holds and its class of personal data, and _otel_spans and
    _trace_unified. Nothing in the lake is read or changed. BigQuery cannot read a lake.

    \b
    Example:
      goldpan lake ddl --for athena --schema traces --out lake.sql
      goldpan lake ddl --for snowflake --schema LLM.TRACES --volume LAKE --integration DELTA
    """
    if warehouse == "bigquery":
        raise UsageError(_BIGQUERY)
    own = WAREHOUSES[warehouse]
    if prefix:
        _require_name(prefix)
    where = address or _lake_address(LakeLocation(cli.settings.lake.uri))
    needed = {"--volume": volume, "--integration": integration}
    for option, value in needed.items():
        _require_use(option, value, needed=own.volume, warehouse=warehouse)
    if volume_address is not None:
        _require_use("--volume-address", volume_address, needed=own.volume, warehouse=warehouse)
    _require_addresses(warehouse, where, volume_address)
    place = WarehousePlace(
        _schema(schema, own.schema_parts, warehouse),
        where,
        volume or "",
        volume_address or bucket_address(where),
        integration or "",
    )
    made = write_warehouse_ddl(warehouse, place, prefix=prefix)
    if out is not None:
        write_atomically(out, made.sql.encode(), "--out")

    def show(console: Console) -> None:
        if out is None:
            console.print(made.sql, end="", markup=False, highlight=False, soft_wrap=True)
        else:
            counts = f"{len(made.tables)} tables and {len(made.views)} views for {warehouse}"
            console.print(f"{out}: {counts}", soft_wrap=True, markup=False)

    cli.answer(
        {
            "for": warehouse,
            "tables": list(made.tables),
            "views": list(made.views),
            "sql": made.sql,
        },
        show,
    )


def _lake_address(location: LakeLocation) -> str:
    """Return the address of a lake in a bucket."""
    if not location.on_s3:
        raise UsageError(
            f"a warehouse reads buckets, and the lake is the folder {location.folder}: set "
            "GOLDPAN_LAKE__URI, or give the address of the lake with --address"
        )
    return location.uri


def _require_addresses(warehouse: str, lake: str, volume: str | None) -> None:
    for text in (lake, *([] if volume is None else [volume])):
        if not _ADDRESS.fullmatch(text):
            raise UsageError(f"{text!r} is no address, such as s3://bucket/lake")
    if warehouse == "athena" and not lake.startswith("s3://"):
        raise UsageError(f"Athena reads addresses that begin with s3://, and not {lake!r}")


def _schema(schema: str | None, parts: Sequence[str], warehouse: str) -> str:
    """Return the schema if it has the parts that a warehouse names."""
    form = ".".join(parts)
    if schema is None:
        raise UsageError(f"{warehouse} needs --schema {form}")
    given = schema.split(".")
    for part in given:
        _require_name(part)
    if len(given) != len(parts):
        raise UsageError(f"--schema {schema!r} does not have the form {form} that {warehouse} uses")
    return schema


def _require_use(option: str, value: str | None, *, needed: bool, warehouse: str) -> None:
    if needed and value is None:
        raise UsageError(f"{warehouse} needs {option} (docs/warehouses.md)")
    if not needed and value is not None:
        raise UsageError(f"{option} is for snowflake, not for {warehouse}")
    if value is not None and "://" not in value:
        _require_name(value)


def _require_name(text: str) -> None:
    if not _NAME.fullmatch(text):
        raise UsageError(
            f"{text!r} is no name: use letters, digits and underscores, and no digit first"
        )
