"""``goldpan lake views``: write SQL that creates the views of spans and traces."""

import re
from pathlib import Path

import click
from rich.console import Console

from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.metrics_file import write_atomically
from lake.location import LakeLocation
from lake.trace_views import SOURCE_TABLES, SPANS_VIEW, TRACES_VIEW, write_views
from lake.view_dialects import VIEW_DIALECTS
from schemas.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_]*")


@click.command()
@click.option(
    "--for",
    "dialect",
    type=click.Choice(tuple(VIEW_DIALECTS)),
    required=True,
    help="The database that the views are for.",
)
@click.option("--prefix", default="", metavar="NAME", help="Goes before the names of the views.")
@click.option(
    "--schema",
    metavar="NAME",
    help="Schema for the views and tables, such as main.traces. Without it, the current one.",
)
@click.option(
    "--without-tables",
    is_flag=True,
    help=f"The database knows {', '.join(SOURCE_TABLES)} already, by these names.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file, not to standard output.",
)
@with_cli_context
def views(  # noqa: PLR0913 - one argument per option
    cli: CliContext,
    *,
    dialect: str,
    prefix: str,
    schema: str | None,
    without_tables: bool,
    out: Path | None,
) -> None:
    """Write SQL that creates the views _otel_spans and _trace_unified.

    They have the column names of Databricks' trace tables. The first has one row for each span, the
    second one for each trace in force, with its spans and the feedback on it. Run the statements in
    the database. Nothing in the lake is read or changed.

    \b
    Example:
      goldpan lake views --for duckdb --out views.sql
      goldpan lake views --for databricks --schema main.traces --prefix goldpan
    """
    for part in (prefix, *(schema or "").split(".")):
        if not _NAME.fullmatch(part):
            raise UsageError(f"{part!r} is no name: use letters, digits and underscores")
    location = LakeLocation(cli.settings.lake.uri, cli.settings.lake.s3_endpoint_url)
    addresses = {name: location.table_uri(name) for name in SOURCE_TABLES}
    text = write_views(
        dialect, addresses=None if without_tables else addresses, prefix=prefix, schema=schema
    )
    if out is not None:
        write_atomically(out, text.encode(), "--out")
    names = [f"{prefix}{view}" for view in (SPANS_VIEW, TRACES_VIEW)]

    def show(console: Console) -> None:
        if out is None:
            console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        else:
            console.print(f"{out}: {' and '.join(names)} for {dialect}", soft_wrap=True)

    cli.answer({"for": dialect, "views": names, "sql": text}, show)
