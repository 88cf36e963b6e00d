"""``goldpan review``: claim, submit, export and count reviews."""

import getpass
import json
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.reviews.review_context import read_review_contexts
from batch.reviews.review_export import (
    WITHDRAW_VERDICT,
    export_answer_reviews,
    export_reviews,
    queue_stats_json,
    queue_stats_prometheus,
)
from goldpan import jobs, wiring
from goldpan.answer_setup import find_answer_queue
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_duration, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.metrics_file import with_textfile, write_metrics
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.review_output import answer_json, item_json, show_item
from goldpan.review_submissions import raise_if_refused, read_reviews, submit_reviews
from judges.gate.answer_queue import NO_ANSWERS
from labels.queue_stats import queue_stats
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.json_lines import encode_json_line

P = ParamSpec("P")
TRACES: Final = "traces"
ANSWERS: Final = "answers"
VERDICTS: Final = ("pass", "fail", "unknown", WITHDRAW_VERDICT)


def with_reviewer(function: Callable[P, None]) -> Callable[P, None]:
    """Add the option ``--reviewer`` to a command."""

    @click.option(
        "--reviewer",
        metavar="NAME",
        help="Name of the reviewer, stored as a pseudonym; default: your login name.",
    )
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        reviewer = kwargs["reviewer"]
        if isinstance(reviewer, str) and not reviewer.strip():
            raise UsageError("--reviewer is empty: name the reviewer, or omit the option.")
        kwargs["reviewer"] = _login_name() if reviewer is None else reviewer
        function(*args, **kwargs)

    return command


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise UsageError(
            "There is no login name here: name the reviewer with --reviewer."
        ) from None


@click.command("next")
@with_reviewer
@click.option(
    "--count", type=IntegerParam(1, 100), default=1, show_default=True, help="Number of items."
)
@click.option(
    "--blind", is_flag=True, help="Hide signals and user feedback, to avoid biasing the reviewer."
)
@click.option(
    "--only",
    type=click.Choice((TRACES, ANSWERS)),
    help="Hand out traces alone, or candidates' answers alone.",
)
@with_cli_context
def next_(cli: CliContext, *, reviewer: str, count: int, blind: bool, only: str | None) -> None:
    """Claim the next items and show them.

    No other reviewer gets them until the lease ends (see the label policy), unless an item needs
    several reviewers. Running it again shows the same items and extends the lease. Answers of a
    candidate that a gate asked about come first, without saying whose they are.

    \b
    Example:
      goldpan review next --reviewer ann --count 5 --json
    """
    lake = Lake(cli.settings.lake)
    pseudonym = jobs.pseudonymize_reviewer(cli.settings.redact, reviewer)
    items = [] if only == TRACES else _claim_answers(cli, lake, pseudonym, count)
    if only != ANSWERS and len(items) < count:
        items += _claim_traces(cli, lake, pseudonym, count - len(items), blind=blind)

    def show(console: Console) -> None:
        for item in items:
            show_item(console, item)
        if not items:
            console.print(
                "there is no item for this reviewer now; `goldpan review stats` shows all open "
                "items, including those claimed by others",
                soft_wrap=True,
            )

    cli.answer({"reviewer": pseudonym, "items": items}, show)


def _claim_answers(cli: CliContext, lake: Lake, pseudonym: str, count: int) -> list[dict[str, Any]]:
    wiring.refuse_other_keys(cli.settings, lake)
    queue = find_answer_queue(cli.settings, lake)
    return [] if queue is None else [answer_json(each) for each in queue.claim(pseudonym, count)]


def _claim_traces(
    cli: CliContext, lake: Lake, pseudonym: str, count: int, *, blind: bool
) -> list[dict[str, Any]]:
    claimed = jobs.open_review_queue(cli.settings, lake).claim(pseudonym, count)
    if not claimed:
        return []
    tables = [lake.table(name) for name in ("labels", "traces", "feedback")]
    for table in tables:
        wiring.make_retry().call(f"reading table {table.name}", table.refresh)
    contexts = read_review_contexts([each.item for each in claimed], *tables)
    return [item_json(each, contexts.get(each.item.trace_id), blind=blind) for each in claimed]


@click.command()
@click.argument(
    "trace_id", required=False, metavar="[TRACE_ID]", help="The reviewed trace, without --file."
)
@click.option(
    "--answer-id",
    metavar="ID",
    help="The reviewed answer of a candidate, instead of a trace.",
)
@click.option(
    "--verdict",
    type=click.Choice(VERDICTS),
    help="Whether the answer was good; withdraw takes a review back.",
)
@click.option("--comment", help="Reason; redacted before it is stored.")
@click.option("--answer", help="Correct answer; redacted before it is stored.")
@click.option(
    "--id",
    "submission_id",
    help="Id of the submission; repeated with the same id, it is the same review.",
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE.jsonl",
    help="Many reviews as JSON lines, with trace_id or answer_id, verdict, and optionally "
    "reviewer, comment, expected_response, submission_id; - is standard input.",
)
@with_reviewer
@with_cli_context
@click.pass_context
def submit(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    trace_id: str | None,
    answer_id: str | None,
    verdict: str | None,
    comment: str | None,
    answer: str | None,
    submission_id: str | None,
    file: Path | None,
    reviewer: str,
) -> None:
    """Submit one or more reviews.

    For each item, the last review of a reviewer counts: another verdict, answer or comment
    replaces the previous one, `--verdict withdraw` removes it, and an unchanged review changes
    nothing. With --file, refused lines are listed, and the exit code is then 1.

    \b
    Example:
      goldpan review submit tr-7 --verdict fail --comment "Wrong flight." --reviewer ann
      goldpan review submit --file reviews.jsonl
    """
    if sum(each is not None for each in (file, trace_id, answer_id)) != 1:
        raise UsageError(
            "Name one trace, or one --answer-id, with its --verdict; or a --file of reviews."
        )
    if file is None and verdict is None:
        raise UsageError(
            "Give a verdict: --verdict pass, fail or unknown; or withdraw a review with --verdict "
            "withdraw."
        )
    if file is None:
        review = {
            "trace_id": trace_id,
            "answer_id": answer_id,
            "verdict": verdict,
            "comment": comment,
            "expected_response": answer,
            "submission_id": submission_id,
        }
        reviews, refused = read_reviews([json.dumps(review).encode()])
        raise_if_refused(refused)
    else:
        with click.open_file(str(file), "rb") as stream:
            reviews, refused = read_reviews(stream)
    lake = Lake(cli.settings.lake)
    report = submit_reviews(cli.settings, lake, reviews, reviewer=reviewer, now=wiring.now_us())
    report.refused.update(refused)
    if file is None:
        raise_if_refused(report.refused)
    data = {
        "added": len(report.added),
        "known": len(report.already_known),
        "refused": [{"line": n, "reason": report.refused[n]} for n in sorted(report.refused)],
    }
    cli.answer(data, lambda console: _show_submitted(console, data))
    if report.refused:
        ctx.exit(EXIT_NO)


def _show_submitted(console: Console, data: Mapping[str, Any]) -> None:
    unchanged = f", {format_count(data['known'])} unchanged" if data["known"] else ""
    console.print(f"{format_quantity(data['added'], 'review')} added{unchanged}")
    for line in data["refused"]:
        console.print(f"line {line['line']}: {line['reason']}", markup=False, soft_wrap=True)


@click.command()
@click.option(
    "--answers", is_flag=True, help="Write the reviews of candidates' answers, not of traces."
)
@with_cli_context
def export(cli: CliContext, *, answers: bool) -> None:
    """Write all reviews as JSON lines, each with the combined verdict of its trace.

    \b
    Example:
      goldpan review export > reviews.jsonl
    """
    if answers:
        queue = find_answer_queue(cli.settings, Lake(cli.settings.lake))
        lines = [] if queue is None else list(export_answer_reviews(queue.stored()))
        cli.write_lines(encode_json_line(line).decode() for line in lines)
        return
    table = Lake(cli.settings.lake).table("reviews")
    wiring.make_retry().call("reading table reviews", table.refresh)
    cli.write_lines(encode_json_line(line).decode() for line in export_reviews(table))


@click.command()
@click.option("--prometheus", is_flag=True, help="Print in the Prometheus text format.")
@with_textfile
@with_cli_context
def stats(cli: CliContext, *, prometheus: bool, textfile: Path | None) -> None:
    """Show queue length, late items, and how far reviewers agree.

    \b
    Example:
      goldpan review stats --textfile /var/lib/node_exporter/goldpan.prom
    """
    now = wiring.now_us()
    lake = Lake(cli.settings.lake)
    queue = jobs.open_review_queue(cli.settings, lake).queue()
    asked = find_answer_queue(cli.settings, lake)
    answers = NO_ANSWERS if asked is None else asked.queue().counts(now)

    def metrics() -> bytes:
        return queue_stats_prometheus(queue_stats(queue, now), answers)

    if not write_metrics(cli, metrics, prometheus=prometheus, textfile=textfile):
        state = queue_stats_json(queue, now) | {"answers": answers._asdict()}
        cli.answer(state, lambda console: _show_stats(console, state))


def _show_stats(console: Console, state: Mapping[str, Any]) -> None:
    arms = ", ".join(f"{format_count(n)} {arm}" for arm, n in sorted(state["open_by_arm"].items()))
    console.print(f"{format_count(state['open'])} open{f' ({arms})' if arms else ''}")
    oldest = format_duration(state["oldest_seconds"])
    late, claimed = format_count(state["breached"]), format_count(state["claimed"])
    console.print(f"oldest {oldest}, {late} past the deadline, {claimed} claimed")
    alpha = "not defined yet" if state["alpha"] is None else f"{state['alpha']:.2f}"
    late, disputed = format_count(state["reviewed_late"]), format_count(state["disputed"])
    console.print(
        f"{format_quantity(state['reviewed'], 'trace')} reviewed, {late} of them late, {disputed} "
        f"disputed; Krippendorff's alpha {alpha}"
    )
    if state["without_trace"]:
        console.print(
            f"{format_count(state['without_trace'])} more with feedback but without trace: queued "
            "once the trace is stored",
            soft_wrap=True,
        )
    if state["answers"]["asked"]:
        counts = {name: format_count(count) for name, count in state["answers"].items()}
        console.print(
            f"answers of candidates: {counts['asked']} asked about, {counts['open']} open, "
            f"{counts['claimed']} claimed, {counts['reviewed']} reviewed, {counts['undecided']} "
            "that reviewers cannot tell or dispute",
            soft_wrap=True,
        )
    if state["reviewers"]:
        console.print(_reviewer_table(state))
    if state["segments"]:
        console.print(_segment_table(state))


def _reviewer_table(state: Mapping[str, Any]) -> Table:
    table = Table("reviewer", "reviews", "fail", "shared", "agreement", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in state["reviewers"]:
        agreement = "-" if row["agreed"] is None else f"{row['agreed']:.0%}"
        counts = (format_count(row[name]) for name in ("reviews", "failed", "shared"))
        table.add_row(row["reviewer"], *counts, agreement)
    return table


def _segment_table(state: Mapping[str, Any]) -> Table:
    table = Table("segment", "open", "late", "reviewed", "fail", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in state["segments"]:
        name = ", ".join(f"{k}={v}" for k, v in row["segment"].items() if v is not None) or "-"
        counts = (format_count(row[n]) for n in ("open", "breached", "reviewed", "failed"))
        table.add_row(name, *counts)
    return table
