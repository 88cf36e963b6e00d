"""``goldpan labels``: add missing labels, fit calibrations, recompute labels."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any, ParamSpec

import click
from rich.console import Console

from batch.labels import calibration_store
from batch.labels.calibrator import calibration_summary
from batch.labels.reconciler import ReconcileReport, ReconcileRequest
from batch.labels.trace_buckets import ScanExtent
from goldpan import jobs, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from labels.calibration import Calibration
from schemas.times import shift_day

P = ParamSpec("P")


def with_extent(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the option that says which part of the lake it looks at, as an `ScanExtent`."""

    @click.option(
        "--days",
        type=IntegerParam(1, 36_600),
        help="Only traces that started in the last so many days; default: all.",
    )
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        days = kwargs.pop("days")
        kwargs["extent"] = ScanExtent(_days_ago(days) if isinstance(days, int) else None)
        function(*args, **kwargs)

    return command


def _days_ago(days: int) -> date:
    return shift_day(wiring.utc_now().date(), -days)


@click.command()
@with_extent
@click.option("--dry-run", is_flag=True, help="Only show what would be added.")
@with_cli_context
def reconcile(cli: CliContext, *, extent: ScanExtent, dry_run: bool) -> None:
    """Add label events that the worker could not decide.

    These rest on feedback after the join window, on records that only met in the lake, on missing
    feedback, on ended sessions, or on reviews. Safe at any time, while workers run, and after a
    crash: over an unchanged lake it adds nothing. Run it every night, and after reviews.

    \b
    Example:
      goldpan labels reconcile --days 60
    """
    _run(
        cli,
        ReconcileRequest(extent=extent, dry_run=dry_run, window=jobs.join_window(cli.settings)),
    )


@click.command()
@with_extent
@click.option("--dry-run", is_flag=True, help="Only show what would be added.")
@with_cli_context
def rebuild(cli: CliContext, *, extent: ScanExtent, dry_run: bool) -> None:
    """Recompute all labels under a new policy version or calibration, as new revisions.

    Earlier revisions stay in the table, but no longer count. A policy that was changed without a
    new version is refused: raise its `version`.

    \b
    Example:
      GOLDPAN_LABELS__CALIBRATION=2 goldpan labels rebuild
    """
    window = jobs.join_window(cli.settings)
    _run(cli, ReconcileRequest(rebuild=True, extent=extent, dry_run=dry_run, window=window))


def _run(cli: CliContext, request: ReconcileRequest) -> None:
    job = jobs.set_up_reconciler(cli.settings)
    with show_progress(cli) as report:
        outcome = job.run(request, report)
    data = {"dry_run": request.dry_run, **outcome.to_json()}
    cli.answer(data, lambda console: _show(console, request, outcome, data))


def _show(
    console: Console,
    request: ReconcileRequest,
    outcome: ReconcileReport,
    numbers: Mapping[str, Any],
) -> None:
    would = "would be added" if request.dry_run else "added"
    kinds = ", ".join(f"{format_count(n)} {label}" for label, n in sorted(outcome.added.items()))
    read = f", the topics read up to {_time(outcome.as_of)}" if outcome.as_of else ""
    console.print(
        f"{outcome.policy_version}: {format_count(outcome.traces)} traces{read}", soft_wrap=True
    )
    console.print(
        f"{format_count(numbers['added'])} labels {would}{f' ({kinds})' if kinds else ''}"
    )
    console.print(f"{format_count(numbers['there'])} were right already")
    if numbers["older"]:
        console.print(
            f"{format_count(numbers['older'])} were decided under an older policy or calibration: "
            "`goldpan labels rebuild` decides them anew"
        )
    if numbers["expired"]:
        console.print(
            f"{format_count(numbers['expired'])} rest on feedback or reviews of which something has "
            "expired: left as they are"
        )
    if numbers["outranked"]:
        console.print(
            f"{format_count(numbers['outranked'])} rest on more than the lake holds now, or on a "
            "clock that ran ahead: left as they are"
        )


def _time(us: int) -> str:
    return f"{datetime.fromtimestamp(us // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@click.command()
@with_extent
@click.option("--dry-run", is_flag=True, help="Fit and show the calibration, but do not write it.")
@with_cli_context
def calibrate(cli: CliContext, *, extent: ScanExtent, dry_run: bool) -> None:
    """Fit a new calibration: how reliable each signal is, learned from the reviews.

    Writes `calibrations/<version>.json` and a chart (SVG) to the lake. The calibration is used only
    once the printed setting is set for the workers and for `goldpan labels rebuild`.

    \b
    Example:
      goldpan labels calibrate
    """
    job = jobs.set_up_calibrator(cli.settings)
    with show_progress(cli) as report:
        learnt = job.learn(extent, window=jobs.join_window(cli.settings), progress=report)
    if not dry_run:
        job.publish(learnt)
    uri = cli.settings.lake.uri.rstrip("/")
    picture = f"{uri}/{calibration_store.CALIBRATION_FOLDER}/{calibration_store.chart_path(learnt.version)}"
    setting = f"GOLDPAN_LABELS__CALIBRATION={learnt.version}"
    data = {
        "dry_run": dry_run,
        **calibration_summary(learnt),
        "setting": None if dry_run else setting,
        "picture": None if dry_run else picture,
    }
    cli.answer(data, lambda console: _show_learnt(console, learnt, data))


def _show_learnt(console: Console, learnt: Calibration, data: Mapping[str, Any]) -> None:
    told = learnt.diagnostics
    console.print(
        f"calibration {learnt.version}: {told['reviews']} reviews, {told['audited']} of them of "
        f"the audit; {format_count(told['traces'])} traces"
    )
    rate = told["failure_rate"]
    if rate is not None:
        console.print(
            f"failure rate {rate['hajek']:.3f}, {rate['confidence']:.0%} interval "
            f"{rate['low']:.3f} to {rate['high']:.3f} (audit)"
        )
    console.print(
        f"Brier {told['brier']:.3f} (priors {told['brier_of_priors']:.3f}), calibration error "
        f"{told['calibration_error']:.3f} (priors {told['calibration_error_of_priors']:.3f}), "
        "cross-validated",
        soft_wrap=True,
    )
    expected = told["expected_error"]
    console.print(
        f"with so many reviews, probabilities are off by {expected['mean']:.3f} on the average, "
        f"and with {expected['confidence']:.0%} by at most {expected['at_most']:.3f}",
        soft_wrap=True,
    )
    if told["points_the_wrong_way"]:
        names = ", ".join(told["points_the_wrong_way"])
        what = f": {names}: mend the policy"
        console.print(styled("yellow", "points the wrong way", what), soft_wrap=True)
    if data["setting"]:
        console.print(f"picture: {data['picture']}", soft_wrap=True)
        console.print(f"to use it: {data['setting']}", soft_wrap=True)
