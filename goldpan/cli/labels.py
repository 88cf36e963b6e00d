"""``goldpan labels``: add missing labels, fit calibrations, recompute labels."""

from collections.abc import Callable, Mapping
from datetime import date
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
from goldpan.cli.formatting import format_count, format_micros, format_quantity
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from labels.calibration import Calibration
from schemas.times import shift_day

P = ParamSpec("P")


def with_extent(function: Callable[P, None]) -> Callable[P, None]:
    """Add the option ``--days`` to a command, which passes a `ScanExtent`."""

    @click.option(
        "--days",
        type=IntegerParam(1, 36_600),
        help="Only traces that started in the last N days; default: all.",
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
        ReconcileRequest(extent=extent, dry_run=dry_run, window=wiring.join_window(cli.settings)),
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
    window = wiring.join_window(cli.settings)
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
    added = "to be added" if request.dry_run else "added"
    kinds = ", ".join(f"{format_count(n)} {label}" for label, n in sorted(outcome.added.items()))
    read = f", topics read up to {format_micros(outcome.as_of)}" if outcome.as_of else ""
    traces = format_quantity(outcome.traces, "trace")
    console.print(f"{outcome.policy_version}: {traces}{read}", soft_wrap=True)
    labels = format_quantity(numbers["added"], "label")
    console.print(f"{labels} {added}{f' ({kinds})' if kinds else ''}")
    console.print(f"{format_quantity(numbers['there'], 'label')} already correct")
    for name, state in (
        ("older", "of an older policy or calibration: `goldpan labels rebuild` recomputes them"),
        ("expired", "unchanged, since their feedback or reviews have partly expired"),
        (
            "outranked",
            "unchanged, since they rest on more than the lake holds now, or on a fast clock",
        ),
    ):
        if numbers[name]:
            labels = format_quantity(numbers[name], "label")
            console.print(f"{labels} {state}", soft_wrap=True)


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
        calibration = job.learn(extent, window=wiring.join_window(cli.settings), progress=report)
    if not dry_run:
        job.publish(calibration)
    uri = cli.settings.lake.uri.rstrip("/")
    chart = calibration_store.chart_path(calibration.version)
    picture = f"{uri}/{calibration_store.CALIBRATION_FOLDER}/{chart}"
    setting = f"GOLDPAN_LABELS__CALIBRATION={calibration.version}"
    data = {
        "dry_run": dry_run,
        **calibration_summary(calibration),
        "setting": None if dry_run else setting,
        "picture": None if dry_run else picture,
    }
    cli.answer(data, lambda console: _show_calibration(console, calibration, data))


def _show_calibration(console: Console, calibration: Calibration, data: Mapping[str, Any]) -> None:
    numbers = calibration.diagnostics
    reviews, traces = (format_quantity(numbers[f"{noun}s"], noun) for noun in ("review", "trace"))
    console.print(
        f"calibration {calibration.version}: {reviews} ({format_count(numbers['audited'])} from "
        f"the audit), {traces}"
    )
    rate = numbers["failure_rate"]
    if rate is not None:
        console.print(
            f"failure rate {rate['hajek']:.3f}, {rate['confidence']:.0%} interval "
            f"{rate['low']:.3f} to {rate['high']:.3f} (audit)"
        )
    console.print(
        f"Brier score {numbers['brier']:.3f} (priors {numbers['brier_of_priors']:.3f}), "
        f"calibration error {numbers['calibration_error']:.3f} (priors "
        f"{numbers['calibration_error_of_priors']:.3f}), cross-validated",
        soft_wrap=True,
    )
    expected = numbers["expected_error"]
    console.print(
        f"with this number of reviews, probabilities are off by {expected['mean']:.3f} on "
        f"average, and by at most {expected['at_most']:.3f} with {expected['confidence']:.0%} "
        "confidence",
        soft_wrap=True,
    )
    if numbers["points_the_wrong_way"]:
        names = ", ".join(numbers["points_the_wrong_way"])
        rest = f": {names}: correct the policy"
        console.print(styled("yellow", "signals that point the wrong way", rest), soft_wrap=True)
    if data["setting"]:
        console.print(f"chart: {data['picture']}", soft_wrap=True)
        console.print(f"to use it: {data['setting']}", soft_wrap=True)
