"""``goldpan judge metrics``: measures answers by layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.judge.agreement_report import MOST_VALUES
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.plain_console import escape_controls
from goldpan.cli.progress import show_progress
from goldpan.cli.subject_options import with_subjects
from goldpan.judge_setup import SubjectChoice
from goldpan.metric_setup import MeasuredRows, read_measured_rows
from judges.definition import load_judge
from judges.metrics.judged import WrongWayError
from judges.metrics.metric import MetricEstimate
from judges.metrics.report import JUDGE_ROLES, MeasuredMetric, measure_metrics, segments_of
from schemas.errors import UsageError

_FORMATS: Final = {"share": "{:.1%}", "rank": "{:.3f}", "ms": "{:,.0f} ms", "usd": "${:,.4g}"}


@click.command()
@click.argument("judges", nargs=-1, metavar="[[NAME=]JUDGE.yaml]...", help="Files of judges.")
@with_subjects
@click.option(
    "--by",
    "segment",
    metavar="SEGMENT",
    help="Print each metric by a segment too, such as app or prompt_version.",
)
@with_cli_context
def metrics(
    cli: CliContext, *, judges: tuple[str, ...], choice: SubjectChoice, segment: str | None
) -> None:
    """Measure answers by layer: retrieval, generation, agent and operations.

    Nobody is asked. A judge's file stands for what `judge run` has stored; checks and the local
    model answer at once. Judges are known by name: faithfulness, relevance, citations_supported
    and task_success. NAME= gives a judge of another name one of these. Imported verdicts count
    under their name. A metric that cannot be measured says why.

    \b
    Example:
      goldpan judge metrics faithfulness.yaml --release support@3
    """
    files = _files(judges)
    with show_progress(cli) as report:
        measured = read_measured_rows(cli.settings, choice, files, report)
    known = segments_of(measured.rows, MOST_VALUES)
    if segment is not None and segment not in known:
        names = ", ".join(known) or "none"
        raise UsageError(
            f"--by {segment}: rows differ in no such segment, or it has more than {MOST_VALUES} "
            f"values. Segments: {names}."
        )
    chosen = known if cli.machine else [segment] if segment else []
    try:
        found = measure_metrics(measured.rows, chosen)
    except WrongWayError as error:
        raise UsageError(f"{error}: give a judge that another way answers.") from None
    data = {
        "rows": len(measured.rows),
        "weight": measured.weight,
        "not_sampled": measured.not_sampled,
        "judges": measured.judges_json(),
        "metrics": [metric.to_json() for metric in found],
    }
    cli.answer(data, lambda console: _show(console, measured, found))


def _files(arguments: Sequence[str]) -> dict[str, Path]:
    """Return files of judges by the name that metrics use."""
    files: dict[str, Path] = {}
    for argument in arguments:
        name, equals, rest = argument.partition("=")
        path = Path(rest if equals else argument)
        role = name if equals else load_judge(path).judge
        if role not in JUDGE_ROLES:
            raise UsageError(
                f"{argument}: no metric is measured by a judge {role}. Say which one it is, as in "
                f"{JUDGE_ROLES[0]}={path}; known are {', '.join(JUDGE_ROLES)}."
            )
        if role in files:
            raise UsageError(f"{argument}: there is another file for {role}.")
        files[role] = path
    return files


def _show(console: Console, measured: MeasuredRows, metrics: Sequence[MeasuredMetric]) -> None:
    """Print metrics by layer, and why others have no figure."""
    weight = measured.weight
    stand = f", which stand for {weight:,.0f}" if weight > len(measured.rows) else ""
    console.print(f"{format_quantity(len(measured.rows), 'row')}{stand}")
    if measured.not_sampled:
        count = format_quantity(measured.not_sampled, "row")
        console.print(f"{count} in no metric: named by the spec, or synthetic")
    for name, judged in measured.judges_json().items():
        console.print(f"{name}: {_judge_text(judged)}", soft_wrap=True)
    table = Table("layer", "metric", "estimate", "95 % interval", "rows", box=box.SIMPLE_HEAD)
    layer = None
    for metric in metrics:
        estimate = metric.estimate
        if estimate.estimate is None:
            continue
        shown = "" if estimate.layer == layer else estimate.layer
        layer = estimate.layer
        table.add_row(shown, estimate.name, *_cells(estimate))
        for values in metric.segments.values():
            for value, part in values.items():
                table.add_row("", f"  {escape_controls(value) or '(none)'}", *_cells(part))
    console.print(table)
    for metric in metrics:
        name, left = metric.estimate.name, metric.estimate.left_out
        if metric.why_not is not None:
            console.print(f"{name} is not measured: {metric.why_not}", soft_wrap=True)
        elif left:
            parts = ", ".join(f"{key.replace('_', ' ')} {n:,}" for key, n in left.items())
            console.print(f"{name} leaves out: {parts}{_range(metric.estimate)}", soft_wrap=True)


def _judge_text(judged: dict[str, Any]) -> str:
    if judged["version"] is None:
        model = f" by {escape_controls(judged['model'])}" if judged["model"] else ""
        text = f"imported verdicts{model}"
    else:
        text = (
            f"judge {judged['judge']}, version {judged['version']}, by {judged['way']} "
            f"{judged['model']}"
        )
    text += f": {format_quantity(judged['rows'], 'row')}"
    if len(judged["epochs"]) > 1:
        epochs = ", ".join(f"{format_count(n)} in epoch {e}" for e, n in judged["epochs"].items())
        text += f" ({epochs}; epochs do not compare by themselves)"
    return text


def _cells(estimate: MetricEstimate) -> tuple[str, str, str]:
    rows = format_count(estimate.rows)
    if estimate.estimate is None:
        return "", "", rows
    text = _FORMATS[estimate.unit]
    low = text.format(estimate.low or 0.0)
    high = "no upper limit" if estimate.high is None else text.format(estimate.high)
    return text.format(estimate.estimate), f"{low} to {high}", rows


def _range(estimate: MetricEstimate) -> str:
    """Return what unknown and error allow, where there are such rows."""
    if estimate.least is None or estimate.most is None or estimate.least == estimate.most:
        return ""
    return f"; unknown and error allow {estimate.least:.1%} to {estimate.most:.1%}"
