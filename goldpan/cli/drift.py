"""``goldpan drift``: detect changes in production traffic."""

import json
from collections.abc import Callable
from datetime import date
from functools import partial

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.drift import report_store
from batch.drift.detection import (
    DriftRequest,
    compare_with_days,
    compare_with_release,
)
from batch.drift.duckdb_period import open_duckdb_period
from batch.drift.period_engine import OpenPeriod, pin_tables
from batch.drift.report import DriftReport, FailureRate, FeatureDrift
from batch.drift.spark_period import open_spark_period
from batch.engines.spark_lake import SparkAddress
from batch.release.format.files import DATA, MANIFEST
from batch.release.format.manifest import covers_all_labels, population_name, read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.publish.reference import parse_reference
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.engine_options import (
    engine_name,
    log_engine,
    shown_steps,
    with_engine_options,
)
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.plain_console import styled
from goldpan.cli.time_options import DayParam
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.times import shift_day


@click.command()
@click.option(
    "--days", type=IntegerParam(1, 366), default=7, show_default=True, help="Days in the window."
)
@click.option(
    "--against-days",
    type=IntegerParam(1, 3660),
    default=28,
    show_default=True,
    help="Days before the window to compare it with.",
)
@click.option(
    "--release", "reference", metavar="NAME[@VERSION]", help="Compare with a release instead."
)
@click.option(
    "--settled-days",
    type=IntegerParam(0, 60),
    default=1,
    show_default=True,
    help="Whole days (UTC) that must have passed since the last day; labels are as of then.",
)
@click.option("--until", type=DayParam(), metavar="YYYY-MM-DD", help="Last day of the window.")
@click.option(
    "--alpha",
    type=NumberParam(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="Probability of a false alarm in a comparison without a change.",
)
@click.option(
    "--least",
    type=NumberParam(0, 1),
    default=0.05,
    show_default=True,
    help="Smallest distance that counts as drift.",
)
@click.option(
    "--memory-mib",
    type=IntegerParam(64),
    default=1024,
    show_default=True,
    help="Memory limit of DuckDB, in MiB.",
)
@click.option("--keep", is_flag=True, help="Store the report in the lake, for `lake metrics`.")
@click.option("--no-fail", is_flag=True, help="Exit with 0 even if something has drifted.")
@with_cli_context
@click.pass_context
@with_engine_options
def drift(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    days: int,
    against_days: int,
    reference: str | None,
    settled_days: int,
    until: date | None,
    alpha: float,
    least: float,
    memory_mib: int,
    keep: bool,
    no_fail: bool,
    spark: SparkAddress | None,
) -> None:
    """Compare the last days with the days before them, or with a release.

    Features are segments, models, prompts, errors, latency, tokens, cost, labels, personal data
    found, and quarantine. A feature has drifted if the change is significant after correction for
    multiple testing and its distance is at least --least. Exit code 1 if anything has drifted, or
    if nothing could be compared. The counts do not depend on the engine; with Spark, exit code 3 if
    the server cannot be reached.

    \b
    Example:
      goldpan drift --days 7 --against-days 28
      goldpan drift --engine spark --engine-url sc://spark:15002
    """
    request = DriftRequest(
        today=_today(until, settled_days),
        days=days,
        against_days=against_days,
        settled_days=settled_days,
        alpha=alpha,
        least=least,
    )
    _refuse_beyond(request)
    log_engine(cli, "drift", spark)
    with shown_steps(cli, "counting") as report_step:
        engine: OpenPeriod = (
            partial(open_duckdb_period, memory_bytes=memory_mib * 2**20)
            if spark is None
            else partial(open_spark_period, address=spark, report=report_step)
        )
        compare = _comparison(cli, request, engine, reference)
        if spark is None:
            report = release_setup.release_retry().call("comparing", compare)
        else:
            report = compare()  # Spark's client has tried again itself
    if keep:
        store = Lake(cli.settings.lake).location.files(report_store.DRIFT_FOLDER)
        release_setup.release_retry().call(
            "storing the report", lambda: report_store.store_report(store, request.window, report)
        )
    data = report.to_json() | {"engine": engine_name(spark)}
    cli.answer(data, lambda console: _show(console, report))
    if not report.ok and not no_fail:
        ctx.exit(EXIT_NO)


def _today(until: date | None, settled_days: int) -> date:
    if until is None:
        return wiring.utc_now().date()
    return shift_day(until, 1 + settled_days)


def _refuse_beyond(request: DriftRequest) -> None:
    """Raise UsageError if a day of the comparison is outside the calendar."""
    try:
        _, last = request.reference, request.window.last
    except OverflowError:
        last = date.max
    if last >= shift_day(date.max, -366):
        raise UsageError(
            "--until, with --days and --against-days, is outside the calendar: name a past day."
        )


def _comparison(
    cli: CliContext, request: DriftRequest, engine: OpenPeriod, reference: str | None
) -> Callable[[], DriftReport]:
    """Return what compares the newest state of the lake's tables."""
    lake = Lake(cli.settings.lake)
    if reference is None:
        return lambda: compare_with_days(pin_tables(lake), request, engine)
    releases = release_setup.open_releases(cli.settings)
    release = releases.find(parse_reference(reference))
    spec = read_manifest(releases.read(release, MANIFEST))["spec"]
    if not covers_all_labels(spec):
        raise UsageError(
            f"{release.name}@{release.version} represents {population_name(spec)}, but days are "
            "compared by all their traces: build a release for this with `labels: {accept: [pass, "
            "fail, unknown, none]}`."
        )
    rows = read_release_rows(releases.read(release, DATA))
    name = f"release {release.name} {release.version}"
    return lambda: compare_with_release(pin_tables(lake), request, engine, rows, name)


def _show(console: Console, report: DriftReport) -> None:
    console.print(f"{report.window}, compared with {report.reference}", soft_wrap=True)
    if report.findings:
        console.print(_table(report.findings))
    if report.failure_rate is not None:
        before, after = map(_rate_text, report.failure_rate)
        console.print(f"failure rate of labelled traces: {before} before, {after} now")
    for name, reason in report.passed_over.items():
        console.print(styled("dim", f"{name}: not compared: {reason}"), soft_wrap=True)
    if report.drifted:
        console.print(styled("red", "drifted", f": {', '.join(report.drifted)}"), soft_wrap=True)
    elif report.findings:
        console.print(styled("green", "ok", ": nothing has drifted"))
    else:
        console.print(
            styled(
                "red",
                "nothing could be compared",
                ": the window, or what it is compared with, has no rows; see --until, --days and "
                "--against-days",
            ),
            soft_wrap=True,
        )


def _rate_text(rate: FailureRate) -> str:
    return f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def _table(findings: tuple[FeatureDrift, ...]) -> Table:
    table = Table("feature", "distance", "p", "rows", "largest change", box=box.SIMPLE_HEAD)
    for column in table.columns[1:4]:
        column.justify = "right"
    for drift in findings:
        feature = styled("red" if drift.drifted else "", drift.feature)
        rows = " / ".join(format_count(round(number)) for number in drift.rows)
        numbers = (f"{drift.distance:.3f}", f"{drift.adjusted:.2g}", rows)
        table.add_row(feature, *numbers, _largest_change(drift))
    return table


def _largest_change(drift: FeatureDrift) -> str:
    if drift.quantiles:
        return ", ".join(
            f"{name} {before:.4g} to {after:.4g}"
            for name, (before, after) in drift.quantiles.items()
        )
    largest = drift.largest
    value = json.dumps(largest.value, ensure_ascii=False)
    return f"{value}: {largest.before:.1%} to {largest.after:.1%}"
