"""``goldpan drift``: whether production is still what it was."""

import json
from datetime import date, datetime
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.drift import report_store
from batch.drift.detection import DriftRequest, compare_with_days, compare_with_release
from batch.drift.report import DriftReport, FailureRate, FeatureDrift
from batch.release.format.files import DATA, MANIFEST
from batch.release.format.manifest import covers_all_labels, population_name, read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.publish.reference import parse_reference
from goldpan import release_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.plain_console import styled
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.times import shift_day

_DAY: Final = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option(
    "--days", type=IntegerParam(1, 366), default=7, show_default=True, help="Days in the window."
)
@click.option(
    "--against-days",
    type=IntegerParam(1, 3660),
    default=28,
    show_default=True,
    help="Days before the window that it is compared with.",
)
@click.option("--release", "reference", metavar="NAME[@VERSION]", help="Compare with a release.")
@click.option(
    "--settled-days",
    type=IntegerParam(0, 60),
    default=1,
    show_default=True,
    help="Whole days (UTC) that must have passed since the last day; labels are as of then.",
)
@click.option("--until", type=_DAY, metavar="YYYY-MM-DD", help="Last day of the window.")
@click.option(
    "--alpha",
    type=NumberParam(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="How often a comparison without a change may alarm.",
)
@click.option(
    "--least",
    type=NumberParam(0, 1),
    default=0.05,
    show_default=True,
    help="The smallest distance that matters.",
)
@click.option("--memory-mib", type=IntegerParam(64), default=1024, show_default=True)
@click.option("--keep", is_flag=True, help="Keep the report in the lake, for `lake metrics`.")
@click.option("--no-fail", is_flag=True, help="Exit with 0 whatever was found.")
@with_cli_context
@click.pass_context
def drift(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    days: int,
    against_days: int,
    reference: str | None,
    settled_days: int,
    until: datetime | None,
    alpha: float,
    least: float,
    memory_mib: int,
    keep: bool,
    no_fail: bool,
) -> None:
    """Tell whether the last days differ from those before them, or from a release.

    Segments, models, prompts, errors, latency, tokens, cost, labels, personal data that was found,
    and quarantine. What has drifted is a difference that is certain for as many features and days
    as there are, and no smaller than --least. Exit code 1 if there is one, or if nothing could be
    compared.

    \b
    Example:
      goldpan drift --days 7 --against-days 28
    """
    asked = DriftRequest(
        today=_today(until, settled_days),
        days=days,
        against_days=against_days,
        settled_days=settled_days,
        alpha=alpha,
        least=least,
        memory_bytes=memory_mib * 2**20,
    )
    _refuse_beyond(asked)
    found = _compared(call, asked, reference)
    if keep:
        store = Lake(call.settings.lake).location.files(report_store.DRIFT_FOLDER)
        release_setup.release_retry().call(
            "keeping the report", lambda: report_store.store_report(store, asked.window, found)
        )
    call.answer(found.to_json(), lambda console: _show(console, found))
    if not found.ok and not no_fail:
        ctx.exit(EXIT_NO)


def _today(until: datetime | None, settled_days: int) -> date:
    if until is None:
        return wiring.utc_now().date()
    return shift_day(until.date(), 1 + settled_days)


def _refuse_beyond(asked: DriftRequest) -> None:
    """Raise UsageError if the days that were asked for are not all in the calendar."""
    try:
        _, last = asked.reference, asked.window.last
    except OverflowError:
        last = date.max
    if last >= shift_day(date.max, -366):
        raise UsageError(
            "--until, with --days and --against-days, leads out of the calendar: name a day that "
            "has been."
        )


def _compared(call: CliContext, asked: DriftRequest, reference: str | None) -> DriftReport:
    lake = Lake(call.settings.lake)
    if reference is None:
        return release_setup.release_retry().call(
            "comparing", lambda: compare_with_days(lake, asked)
        )
    shelf = release_setup.open_releases(call.settings)
    one = shelf.find(parse_reference(reference))
    spec = read_manifest(shelf.read(one, MANIFEST))["spec"]
    if not covers_all_labels(spec):
        raise UsageError(
            f"{one.name}@{one.version} speaks for {population_name(spec)}, and days are compared "
            "with all their traces: build a release for this with `labels: {accept: [pass, fail, "
            "unknown, none]}`."
        )
    rows, name = read_release_rows(shelf.read(one, DATA)), f"release {one.name} {one.version}"
    return release_setup.release_retry().call(
        "comparing", lambda: compare_with_release(lake, asked, rows, name)
    )


def _show(console: Console, found: DriftReport) -> None:
    console.print(f"{found.window}, compared with {found.reference}", soft_wrap=True)
    if found.findings:
        console.print(_table(found.findings))
    if found.failure_rate is not None:
        before, after = map(_rate_text, found.failure_rate)
        console.print(f"failed, of what was decided: {before} before, {after} now")
    for name, why in found.passed_over.items():
        console.print(styled("dim", f"{name}: not compared: {why}"), soft_wrap=True)
    if found.drifted:
        console.print(styled("red", "drifted", f": {', '.join(found.drifted)}"), soft_wrap=True)
    elif found.findings:
        console.print(styled("green", "ok", ": nothing has drifted"))
    else:
        console.print(
            styled(
                "red",
                "nothing could be compared",
                ": rows are missing in the window, or in what it is compared with; see --until, "
                "--days and --against-days",
            ),
            soft_wrap=True,
        )


def _rate_text(rate: FailureRate) -> str:
    return f"{rate.share:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def _table(findings: tuple[FeatureDrift, ...]) -> Table:
    table = Table("feature", "distance", "p", "rows", "what changed most", box=box.SIMPLE_HEAD)
    for column in table.columns[1:4]:
        column.justify = "right"
    for one in findings:
        feature = styled("red" if one.drifted else "", one.feature)
        rows = " / ".join(format_count(round(many)) for many in one.rows)
        table.add_row(feature, f"{one.distance:.3f}", f"{one.adjusted:.2g}", rows, _most(one))
    return table


def _most(one: FeatureDrift) -> str:
    if one.quantiles:
        return ", ".join(
            f"{name} {before:.4g} to {after:.4g}" for name, (before, after) in one.quantiles.items()
        )
    most = one.largest
    return f"{json.dumps(most.value, ensure_ascii=False)}: {most.before:.1%} to {most.after:.1%}"
