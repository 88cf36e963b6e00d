"""``goldpan gate``: decides whether a candidate ships."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from batch.gate.gate_report import JUNIT, MARKDOWN
from goldpan.cli.answers_files import write_answers
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.gate_output import show_asked, show_gate, show_plan
from goldpan.cli.main import EXIT_NO
from goldpan.cli.metrics_file import write_atomically
from goldpan.cli.number_options import IntegerParam
from goldpan.gate_setup import (
    GateFiles,
    ask_reviewers,
    decide_and_keep,
    plan_of_gate,
    rows_for_judges,
    rows_for_reviewers,
)
from schemas.errors import UsageError
from schemas.json_lines import encode_json_lines

EXIT_UNSURE: Final = 4
EXIT_CANNOT_TELL: Final = 5
EXIT_CODES: Final = {
    "ship": 0,
    "block": EXIT_NO,
    "not_enough_evidence": EXIT_UNSURE,
    "cannot_tell": EXIT_CANNOT_TELL,
}
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("gate", type=_FILE, metavar="GATE.yaml", help="File of the gate.")
@click.option(
    "--candidate",
    metavar="RUN|FILE",
    help="Outputs of the candidate as JSON lines, or a kept run.",
)
@click.option(
    "--baseline",
    metavar="RUN|FILE",
    help="What to compare with: a kept run, or outputs as JSON lines.",
)
@click.option(
    "--verdicts",
    type=_FILE,
    metavar="FILE",
    help="Judgements made elsewhere, as JSON lines.",
)
@click.option(
    "--judge",
    "judges",
    type=_FILE,
    multiple=True,
    metavar="JUDGE.yaml",
    help="A judge of goldpan that has judged the answers; may be repeated.",
)
@click.option(
    "--rows-to",
    type=_FILE,
    metavar="FILE.jsonl",
    help="Write the rows for `judge run --rows` here, redacted; decide nothing.",
)
@click.option(
    "--ask-reviews",
    type=IntegerParam(1, 1_000_000),
    metavar="N",
    help="Put N answers for each judged metric into the review queue; decide nothing.",
)
@click.option(
    "--reviews-to",
    type=_FILE,
    metavar="FILE.jsonl",
    help="Let --ask-reviews write them here instead, redacted and without the verdicts.",
)
@click.option(
    "--reviews",
    type=_FILE,
    metavar="FILE",
    help="Reviews made elsewhere, as JSON lines; those in the lake count anyway.",
)
@click.option(
    "--report",
    type=_FILE,
    metavar="FILE.html",
    help="Write the report here, with answers: to rows that changed, else those that failed.",
)
@click.option("--markdown", type=_FILE, metavar="FILE.md", help="Write it as Markdown too.")
@click.option("--junit", type=_FILE, metavar="FILE.xml", help="Write the tests for CI here too.")
@click.option(
    "--changed",
    type=_FILE,
    metavar="FILE.jsonl",
    help="Write the rows that differ here, with both answers.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show what the gate will find, and what is missing; decide and keep nothing.",
)
@with_cli_context
@click.pass_context
def gate(  # noqa: PLR0913 - one for each option
    ctx: click.Context,
    cli: CliContext,
    *,
    gate: Path,
    candidate: str | None,
    baseline: str | None,
    verdicts: Path | None,
    judges: tuple[Path, ...],
    rows_to: Path | None,
    ask_reviews: int | None,
    reviews_to: Path | None,
    reviews: Path | None,
    report: Path | None,
    markdown: Path | None,
    junit: Path | None,
    changed: Path | None,
    dry_run: bool,
) -> None:
    """Decide whether a candidate ships, by the requirements of a gate file.

    The answer is ship (exit code 0), block (1), not enough evidence (4), or 5 if something could
    not be measured. Each run is kept under evaluations/ in the lake, and counts as a look at the
    candidate. The same run again is the same look.

    \b
    Example:
      goldpan gate support.yaml --candidate out.jsonl --verdicts verdicts.jsonl
    """
    if ask_reviews is None and reviews_to is not None:
        raise UsageError("--reviews-to FILE needs --ask-reviews N: it says how many to write.")
    if dry_run:
        definition, plan = plan_of_gate(cli.settings, gate)
        cli.answer(plan.to_json(), lambda console: show_plan(console, definition, plan))
        return
    files = GateFiles(gate, candidate, baseline, verdicts, reviews, judges)
    if rows_to is not None:
        _write_lines(rows_to, rows_for_judges(cli.settings, files), "--rows-to")
    if ask_reviews is not None and reviews_to is not None:
        requests = rows_for_reviewers(cli.settings, files, ask_reviews)
        _write_lines(reviews_to, requests, "--reviews-to")
    elif ask_reviews is not None:
        asked = ask_reviewers(cli.settings, files, ask_reviews)
        cli.answer(asked._asdict(), lambda console: show_asked(console, asked))
    if rows_to is not None or ask_reviews is not None:
        return
    named = decide_and_keep(cli.settings, files)
    for option, page, path in (
        ("--markdown", MARKDOWN, markdown),
        ("--junit", JUNIT, junit),
    ):
        if path is not None:
            write_atomically(path, named.pages[page], option)
    write_answers(report, changed, named.name, named.run, named.answered)
    cli.answer(named.run.to_json(named.name), lambda console: show_gate(console, named))
    ctx.exit(EXIT_CODES[named.run.decision.decision])


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]], option: str) -> None:
    write_atomically(path, encode_json_lines(rows), option)
