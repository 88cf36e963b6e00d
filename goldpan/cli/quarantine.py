"""``goldpan quarantine``: count, show and retry quarantined records."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from functools import wraps
from typing import Any, ParamSpec

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_bytes, format_count, format_time_cell
from goldpan.cli.number_options import IntegerParam
from lake.quarantine import QuarantineFilter, read_quarantined, summarize_quarantined
from lake.tables import Lake
from schemas.arrow import QUARANTINE_TABLE
from stream.record_fetcher import RecordFetcher
from stream.redrive import RedriveResult

P = ParamSpec("P")


def with_filter(function: Callable[P, None]) -> Callable[P, None]:
    """Add options that select records to a command, which passes a `QuarantineFilter`."""

    @click.option("--topic", help="Only records of this topic.")
    @click.option("--reason", help="Only records with this reason, such as not_json.")
    @click.option("--partition", type=IntegerParam(0), help="Only this partition.")
    @click.option("--offset", type=IntegerParam(0), help="Only this offset.")
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        chosen: dict[str, Any] = {
            name: kwargs.pop(name) for name in ("topic", "reason", "partition", "offset")
        }
        kwargs["selection"] = QuarantineFilter(**chosen)
        function(*args, **kwargs)

    return command


@click.command()
@with_filter
@with_cli_context
def list_(cli: CliContext, *, selection: QuarantineFilter) -> None:
    """Count quarantined records by topic, reason and field.

    \b
    Example:
      goldpan quarantine list --topic llm.traces
    """
    groups = summarize_quarantined(
        read_quarantined(Lake(cli.settings.lake).table(QUARANTINE_TABLE), selection)
    )
    data = [
        {
            "topic": group["_topic"],
            "reason": group["reason"],
            "field": group["field"],
            "records": group["count_all"],
            "first": _iso(group["_ingested_at_min"]),
            "last": _iso(group["_ingested_at_max"]),
        }
        for group in groups
    ]
    cli.answer({"groups": data}, lambda console: show_groups(console, data))


def show_groups(console: Console, groups: list[dict[str, Any]]) -> None:
    """Print the number of quarantined records by topic, reason and field."""
    if not groups:
        console.print("quarantine is empty")
        return
    table = Table("topic", "reason", "field", "records", "last (UTC)", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for group in groups:
        number = format_count(group["records"])
        field = group["field"] or "-"
        last = format_time_cell(datetime.fromisoformat(group["last"]))
        table.add_row(group["topic"], group["reason"], field, number, last)
    console.print(table)


@click.command()
@with_filter
@click.option(
    "--limit",
    type=IntegerParam(1),
    default=20,
    show_default=True,
    help="Maximum number of records to show.",
)
@with_cli_context
def show(cli: CliContext, *, selection: QuarantineFilter, limit: int) -> None:
    """Show quarantined records: coordinates in Kafka, reason and size, but no content.

    \b
    Example:
      goldpan quarantine show --reason unknown_field --limit 5
    """
    records = read_quarantined(Lake(cli.settings.lake).table(QUARANTINE_TABLE), selection)
    data = [_record_json(row) for row in records.slice(0, limit).to_pylist()]
    more = max(0, len(records) - limit)
    cli.answer({"records": data, "more": more}, lambda console: _show_records(console, data, more))


def _record_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "topic": row["_topic"],
        "partition": row["_partition"],
        "offset": row["_offset"],
        "index": row["_index"],
        "reason": row["reason"],
        "field": row["field"],
        "detail": row["detail"],
        "size_bytes": row["size_bytes"],
        "record_timestamp": _iso(row["record_timestamp"]),
        "ingested_at": _iso(row["_ingested_at"]),
        "fingerprint": row["fingerprint"],
        "sealed": row["sealed_key_id"] is not None,
        "policy": row["_policy"],
    }


def _show_records(console: Console, records: list[dict[str, Any]], more: int) -> None:
    if not records:
        console.print("quarantine is empty")
        return
    table = Table("where", "reason", "detail", "size", "sealed", box=box.SIMPLE_HEAD)
    table.columns[3].justify = "right"
    for record in records:
        location = f"{record['topic']}/{record['partition']} @ {record['offset']}"
        if record["index"] is not None:
            location += f" #{record['index']}"
        sealed = "yes" if record["sealed"] else "no"
        size = format_bytes(record["size_bytes"])
        table.add_row(location, record["reason"], record["detail"], size, sealed)
    console.print(table)
    if more:
        console.print(f"and {format_count(more)} more: raise --limit to show them")


@click.command()
@with_filter
@click.option("--dry-run", is_flag=True, help="Only show what would happen to the records.")
@with_cli_context
def redrive(cli: CliContext, *, selection: QuarantineFilter, dry_run: bool) -> None:
    """Retry quarantined records with today's schemas and policy.

    Records that pass now are written to their table, exactly once, and removed from quarantine; so
    are records of erased persons, without being written. The others stay. Content is read from the
    sealed payload, or from Kafka while it still has the record. After a crash, run it again to
    finish.

    \b
    Example:
      goldpan quarantine redrive --reason unknown_schema --dry-run
    """
    topics = (
        [selection.topic] if selection.topic else list(wiring.tables_by_topic(cli.settings.kafka))
    )
    results: dict[str, RedriveResult] = {}
    with closing(RecordFetcher(cli.settings.kafka, monotonic=time.monotonic)) as fetcher:
        for topic in topics:
            of_topic = QuarantineFilter(
                topic, selection.reason, selection.partition, selection.offset
            )
            redrive_topic = wiring.set_up_redrive(cli.settings, topic, fetcher)
            results[topic] = redrive_topic.run(of_topic, dry_run=dry_run)
    data = [_result_json(topic, result) for topic, result in results.items()]
    cli.answer(
        {"dry_run": dry_run, "topics": data},
        lambda console: _show_results(console, results, dry_run=dry_run),
    )


def _result_json(topic: str, result: RedriveResult) -> dict[str, Any]:
    return {
        "topic": topic,
        "tried": result.tried,
        "stored": result.stored,
        "gone": result.gone,
        "still": dict(result.still),
        "erased": result.erased,
        "waiting": result.waiting,
    }


def _show_results(console: Console, results: Mapping[str, RedriveResult], *, dry_run: bool) -> None:
    stored = "would be stored" if dry_run else "stored"
    for topic, result in results.items():
        console.print(
            f"{topic}: {format_count(result.tried)} tried, {format_count(result.stored)} {stored}, "
            f"{format_count(sum(result.still.values()))} failed again, "
            f"{format_count(result.gone)} no longer in Kafka, "
            f"{format_count(result.erased)} of erased persons",
            soft_wrap=True,
        )
        if result.waiting:
            console.print(
                f"{topic}: {format_count(result.waiting)} not tried, since a worker has not "
                "committed their offsets yet; run this command again later",
                soft_wrap=True,
            )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
