"""``goldpan judge export``: writes judgements for other tools."""

from collections import Counter
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from batch.judge.assessments import ASSESSMENT_FORMATS, assessment_lines, verdicts_to_export
from batch.judge.stored_judgements import read_judgements
from batch.judge.verdict_feedback import feedback_lines, verdicts_on_traces
from goldpan import jobs
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from judges.outcome import OUTCOMES
from lake.fresh_read import read_fresh
from lake.objects import FolderStore
from lake.tables import Lake
from schemas.arrow import JUDGEMENTS_TABLE
from schemas.errors import UsageError

_FEEDBACK: Final = "feedback"


@click.command()
@click.argument("judge", required=False, metavar="[JUDGE]", help="Name of a judge; default: all.")
@click.option(
    "--to",
    "target",
    type=click.Choice([*ASSESSMENT_FORMATS, _FEEDBACK]),
    required=True,
    help="Tool that reads it; feedback: goldpan's own topic.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to (created if missing).",
)
@with_cli_context
def export(cli: CliContext, *, judge: str | None, target: str, out: Path) -> None:
    """Write judgements as JSON lines with the fields of another tool's own call.

    One judgement for each judge and subject: that of the newest served model. Errors are errors
    there too, with their reason. `feedback` writes records for the feedback topic, so that the
    label policy weighs them: pass and fail on traces of the lake.

    \b
    Example:
      goldpan judge export faithfulness --to mlflow --out ./export
    """
    lake, context = Lake(cli.settings.lake), jobs.job_context()
    judgements = read_fresh(
        lake,
        JUDGEMENTS_TABLE,
        context.retry,
        lambda table: verdicts_to_export(read_judgements(table, judge)),
    )
    if judge is not None and not judgements:
        raise UsageError(f"No judge {judge} has judged anything in this lake.")
    found = len(judgements)
    if target == _FEEDBACK:
        judgements = verdicts_on_traces(judgements, lake, context.retry)
        lines = feedback_lines(judgements)
    else:
        lines = assessment_lines(target, judgements)
    name = f"{judge or 'judgements'}.{target}.jsonl"
    FolderStore(out).put(name, lines)
    counts = Counter(judgement.answer.outcome for judgement in judgements)
    outcomes = {outcome: counts[outcome] for outcome in OUTCOMES}
    left_out = found - len(judgements)
    data = {
        "judgements": len(judgements),
        "outcomes": outcomes,
        "left_out": left_out,
        "file": str(out / name),
    }

    def show(console: Console) -> None:
        written = format_quantity(len(judgements), "judgement")
        each = ", ".join(f"{format_count(n)} {key}" for key, n in outcomes.items())
        console.print(f"{written} in {out / name}: {each.replace('_', ' ')}", soft_wrap=True)
        if left_out:
            console.print(
                f"{format_quantity(left_out, 'judgement')} left out: no pass or fail, or not on a "
                "trace of the lake",
                soft_wrap=True,
            )

    cli.answer(data, show)
