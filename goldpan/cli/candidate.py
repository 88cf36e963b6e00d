"""``goldpan candidate run``: runs a model over the rows of a release."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console

from batch.gate.candidate_run import CandidateEstimate
from batch.gate.candidate_work import BUDGET
from batch.gate.gate_lines import UNRECORDED
from goldpan.candidate_setup import (
    CandidateChoice,
    CandidateReport,
    encode_candidate,
    run_candidate,
)
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.metrics_file import write_atomically
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.plain_console import PlainConsole, escape_controls
from goldpan.cli.progress import show_progress
from judges.outcome import PASSING_ERRORS

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--model", required=True, metavar="NAME", help="The model, as its server names it.")
@click.option(
    "--release", required=True, metavar="NAME[@VERSION]", help="Ask what the rows of it asked."
)
@click.option(
    "--out",
    type=_FILE,
    required=True,
    metavar="FILE.jsonl",
    help="Write the outputs here; FILE.jsonl.work beside it is what a later run goes on with.",
)
@click.option(
    "--instructions",
    type=_FILE,
    metavar="FILE",
    help="A text that takes the place of the rows' system messages.",
)
@click.option(
    "--tools",
    type=_FILE,
    metavar="FILE.json",
    help="Definitions of tools; default: those that rows of the release call.",
)
@click.option(
    "--max-tokens",
    type=IntegerParam(1, 1_000_000),
    default=4096,
    show_default=True,
    metavar="N",
    help="Tokens of one reply, at most.",
)
@click.option(
    "--price",
    type=(NumberParam(0), NumberParam(0)),
    metavar="INPUT OUTPUT",
    help="US dollars for a million tokens; default: goldpan's list of prices.",
)
@click.option(
    "--budget",
    type=NumberParam(0),
    metavar="USD",
    help="What all runs for FILE.jsonl may cost; default: GOLDPAN_CANDIDATE__BUDGET_USD.",
)
@with_cli_context
def run(  # noqa: PLR0913 - one for each option
    cli: CliContext,
    *,
    model: str,
    release: str,
    out: Path,
    instructions: Path | None,
    tools: Path | None,
    max_tokens: int,
    price: tuple[float, float] | None,
    budget: float | None,
) -> None:
    """Run a model over the rows of a release, for `goldpan gate --candidate`.

    The server is that of GOLDPAN_CANDIDATE__URL. A tool answers as the row recorded it; a row whose
    model calls one in another way is unknown. Answers are redacted before they are written. Safe to
    kill: the same command again asks only what has no answer yet.

    \b
    Example:
      goldpan candidate run --model small-2 --release support@1 --out out.jsonl
    """
    choice = CandidateChoice(model, release, out, max_tokens, instructions, tools, price, budget)

    def show(estimate: CandidateEstimate, limit: float | None) -> None:
        text = _estimate_text(model, estimate, limit)
        PlainConsole(stderr=True).print(escape_controls(text), soft_wrap=True)

    with show_progress(cli) as report:
        outcome = run_candidate(cli.settings, choice, show, report)
    write_atomically(out, encode_candidate(outcome.lines), "--out")
    data = {
        "model": model,
        "release": outcome.release,
        "rows": len(outcome.lines),
        "answered": outcome.answered,
        "errors": outcome.errors,
        "calls": outcome.calls,
        "models_served": outcome.models,
        "spent_usd": outcome.spent_usd,
    }
    cli.answer(data, lambda console: _show(console, out, outcome))


def _estimate_text(model: str, estimate: CandidateEstimate, budget: float | None) -> str:
    calls = format_quantity(estimate.calls, "call")
    text = (
        f"{format_quantity(estimate.rows, 'row')}: {calls} to {model}, at most "
        f"{format_count(estimate.tokens)} tokens"
    )
    if estimate.cost_usd is not None:
        text += f", at most ${estimate.cost_usd:,.4g}"
    if estimate.known:
        text += f", {format_count(estimate.known)} answered before"
    if estimate.held_back:
        text += f", {format_count(estimate.held_back)} held back: they hold personal data"
    if budget is not None:
        text += f"; it stops asking at ${budget:,.4g}"
    return f"{text}; calls of tools make further calls"


def _show(console: Console, out: Path, report: CandidateReport) -> None:
    rows = format_quantity(len(report.lines), "row")
    console.print(f"{rows} of {report.release}: {format_count(report.answered)} answered")
    for reason, count in report.errors.items():
        word = "unknown" if reason == UNRECORDED else "error"
        console.print(f"  {word}: {reason} {format_count(count)}")
    if report.answered:
        served = ", ".join(
            f"{escape_controls(name)} ({format_quantity(count, 'reply', 'replies')})"
            for name, count in sorted(report.models.items())
        )
        named = served or "a model that the server does not name"
        console.print(f"served by: {named}", soft_wrap=True)
    if report.spent_usd is not None:
        console.print(f"cost of all runs so far: at most ${report.spent_usd:,.4g}")
    if BUDGET in report.errors:
        console.print("no other call fits the budget: run it again with a larger --budget")
    if not (PASSING_ERRORS - {BUDGET}).isdisjoint(report.errors):
        console.print("some errors may pass: run the same command again")
    console.print(f"written to {escape_controls(str(out))}", soft_wrap=True)
