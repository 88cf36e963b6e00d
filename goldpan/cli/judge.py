"""``goldpan judge``: check a judge, run it, compare it with reviewers, import verdicts."""

from pathlib import Path
from typing import Any, Final

import click

from batch.judge.agreement_report import report_agreement
from batch.judge.cost_estimate import RunEstimate
from batch.judge.estimates import estimates_json
from batch.judge.judge_plan import JudgePlan
from batch.judge.judge_record import read_judge_records
from goldpan import jobs
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.judge_output import (
    definition_json,
    plan_json,
    show_agreement,
    show_check,
    show_estimate,
    show_import,
    show_run,
)
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import NumberParam
from goldpan.cli.plain_console import PlainConsole
from goldpan.cli.progress import show_progress
from goldpan.cli.subject_options import with_subjects
from goldpan.judge_setup import (
    NO_ROWS,
    JudgeSetup,
    SubjectChoice,
    configured_way,
    import_verdicts,
    read_reviews,
    set_up_judge,
)
from judges.definition import load_judge
from lake.fresh_read import read_fresh
from lake.tables import Lake
from schemas.arrow import JUDGEMENTS_TABLE
from schemas.errors import UsageError

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("judge", type=_FILE, metavar="JUDGE.yaml", help="File of the judge.")
@with_subjects
@with_cli_context
def check(cli: CliContext, *, judge: Path, choice: SubjectChoice) -> None:
    """Check a judge's file, and show what it would ask and cost.

    Nothing is asked and nothing is stored. Shows the question, the ways, and which one would answer
    here. With rows (--release, --from or --rows) it shows how many calls a run would make.

    \b
    Example:
      goldpan judge check faithfulness.yaml --release support@3
    """
    definition = load_judge(judge)
    estimate = None
    if choice != SubjectChoice():
        setup = set_up_judge(cli.settings, definition)
        with show_progress(cli) as report:
            estimate = setup.estimate(setup.source(choice), report)
    way = configured_way(cli.settings, definition)
    plan = None if way is None else JudgePlan(definition, way)
    data = {
        **definition_json(definition, way),
        **({} if plan is None else plan_json(plan)),
        "estimate": None if estimate is None else estimate.to_json(),
    }
    cli.answer(data, lambda console: show_check(console, definition, plan, estimate))


@click.command()
@click.argument("judge", type=_FILE, metavar="JUDGE.yaml", help="File of the judge.")
@with_subjects
@click.option(
    "--budget",
    type=NumberParam(0),
    metavar="USD",
    help="What the run may cost; default: GOLDPAN_JUDGES__BUDGET_USD.",
)
@click.option(
    "--new-epoch",
    is_flag=True,
    help="Judge rows again that an earlier model of the server has judged.",
)
@with_cli_context
def run(
    cli: CliContext, *, judge: Path, choice: SubjectChoice, budget: float | None, new_epoch: bool
) -> None:
    """Judge rows: those of a release, of some days of the lake, or of a file.

    A row is judged once: run again, only what is new, or could not be judged for now, is asked.
    The first way of the file that is configured answers for all rows. What the run will cost is
    printed before the first call. Safe to kill, and beside other runs of the same judge.

    \b
    Example:
      goldpan judge run faithfulness.yaml --from 2026-11-01 --to 2026-11-30 --budget 5
    """
    if choice == SubjectChoice():
        raise UsageError(NO_ROWS)
    setup = set_up_judge(cli.settings, load_judge(judge), only_current=new_epoch)
    source = setup.source(choice)
    limit = cli.settings.judges.budget_usd if budget is None else budget
    _refuse_unpriced(setup, limit)
    with show_progress(cli) as report:
        estimate = _estimate(setup, source, report)
    if estimate is not None:
        show_estimate(PlainConsole(stderr=True), setup.plan, estimate, limit)
    with show_progress(cli) as report:
        outcome = setup.run(
            source,
            total=0 if estimate is None else estimate.rows,
            budget_usd=limit,
            progress=report,
        )
    reviewed = setup.reviewed()
    data = {
        **definition_json(setup.plan.definition, setup.plan.way),
        **plan_json(setup.plan),
        "outcomes": outcome.counts.to_json(),
        "judged": outcome.judged,
        "known": outcome.known,
        "repeats": outcome.repeats,
        "not_sampled": outcome.not_sampled,
        "estimates": estimates_json(outcome, reviewed),
        "epochs": {str(epoch): count for epoch, count in outcome.epochs.items()},
        "calls": outcome.calls.to_json(),
        "estimate": None if estimate is None else estimate.to_json(),
        "budget_usd": limit,
    }
    cli.answer(data, lambda console: show_run(console, setup.plan, outcome, data))


def _estimate(setup: JudgeSetup, source: Any, report: Any) -> RunEstimate | None:
    """Return what a run will ask, None where nobody is asked."""
    return None if setup.plan.served_way is None else setup.estimate(source, report)


def _refuse_unpriced(setup: JudgeSetup, limit: float | None) -> None:
    if limit is not None and setup.plan.served_way and setup.plan.definition.cost is None:
        raise UsageError(
            "There is a budget, but the judge's file has no prices: add `cost` "
            "(input_per_million, output_per_million) to it, or run without a budget."
        )


@click.command()
@click.argument("judge", required=False, metavar="[JUDGE]", help="Name of a judge; default: all.")
@click.option(
    "--at-most-wrong",
    type=NumberParam(0.001, 0.5),
    default=0.2,
    show_default=True,
    help="Share of wrong verdicts that the proposed thresholds accept.",
)
@with_cli_context
def agreement(cli: CliContext, *, judge: str | None, at_most_wrong: float) -> None:
    """Compare judges with reviewers: how far they agree, and what a judge is worth.

    Only reviews whose probability is known count, those of the audit. Labels never do: they may
    rest on the judge itself. A judge is listed once for each definition and way that judged.

    \b
    Example:
      goldpan judge agreement faithfulness
    """
    lake, context = Lake(cli.settings.lake), jobs.job_context()
    records = read_fresh(
        lake,
        JUDGEMENTS_TABLE,
        context.retry,
        lambda table: read_judge_records(table, judge),
    )
    if judge is not None and not records:
        raise UsageError(f"No judge {judge} has judged anything in this lake.")
    reviewed = read_reviews(lake, context)
    reports = [report_agreement(r, reviewed, at_most_wrong=at_most_wrong) for r in records]
    data = {"judges": [report.to_json() for report in reports]}
    cli.answer(data, lambda console: show_agreement(console, reports))


@click.command("import")
@click.argument("file", type=_FILE, metavar="FILE", help="Verdicts, as JSON lines.")
@with_cli_context
@click.pass_context
def import_(ctx: click.Context, cli: CliContext, *, file: Path) -> None:
    """Take in verdicts of another evaluation; from then on they are judgements like others.

    A line is {"subject": trace or row id, "judge": name, "outcome": "pass|fail|unknown|
    not_applicable|error", "reason"?, "p_fail"?, "model"?, "cost_usd"?}. Texts in `reason` are
    redacted. A file that is imported again adds nothing. Exit code 1 if lines were refused.

    \b
    Example:
      goldpan judge import verdicts.jsonl
    """
    report = import_verdicts(cli.settings, file)
    cli.answer(report.to_json(), lambda console: show_import(console, report))
    if report.refused:
        ctx.exit(EXIT_NO)
