"""``goldpan review``: the queue of answers that people should judge."""

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
    export_reviews,
    queue_stats_json,
    queue_stats_prometheus,
)
from goldpan import jobs, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_duration
from goldpan.cli.main import EXIT_NO
from goldpan.cli.metrics_file import with_textfile, write_metrics
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.review_output import item_json, show_item
from goldpan.review_submissions import raise_if_refused, read_reviews
from goldpan.review_submissions import submit_reviews as hand_in
from labels.queue_stats import queue_stats
from labels.review_queue import ReviewQueue
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.json_lines import escape_line_ends

P = ParamSpec("P")
VERDICTS: Final = ("pass", "fail", "unknown", WITHDRAW_VERDICT)


def with_reviewer(function: Callable[P, None]) -> Callable[P, None]:
    """Give a command the option that says who judges."""

    @click.option(
        "--reviewer",
        metavar="NAME",
        help="Who judges; a pseudonym stands for it in the lake. The name you are logged in under, "
        "if not given.",
    )
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        given = kwargs["reviewer"]
        if isinstance(given, str) and not given.strip():
            raise UsageError("--reviewer is empty: say who judges, or leave it out.")
        kwargs["reviewer"] = _login() if given is None else given
        function(*args, **kwargs)

    return command


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise UsageError("Nobody is logged in here: say who judges with --reviewer.") from None


@click.command("next")
@with_reviewer
@click.option(
    "--count", type=IntegerParam(1, 100), default=1, show_default=True, help="So many items."
)
@click.option(
    "--blind", is_flag=True, help="Without the signals and what people said: nothing to lean on."
)
@with_cli_context
def next_(call: CliContext, *, reviewer: str, count: int, blind: bool) -> None:
    """Claim the next items and show them.

    Nobody else gets them until the lease ends (a rule of the label policy), unless it asks for
    several reviewers each. Asking again shows the same items, and claims them for longer.

    \b
    Example:
      goldpan review next --reviewer ann --count 5 --json
    """
    lake = Lake(call.settings.lake)
    who = jobs.pseudonymize_reviewer(call.settings.redact, reviewer)
    handed = jobs.open_review_queue(call.settings, lake).claim(who, count)
    tables = [lake.table(name) for name in ("labels", "traces", "feedback")]
    for table in tables:
        wiring.make_retry().call(f"reading table {table.name}", table.refresh)
    sights = read_review_contexts([one.item for one in handed], *tables) if handed else {}
    items = [item_json(one, sights.get(one.item.trace_id), blind=blind) for one in handed]

    def show(console: Console) -> None:
        for item in items:
            show_item(console, item)
        if not items:
            console.print(
                "nothing waits for this reviewer now; `goldpan review stats` says what is open, "
                "in the hands of others too",
                soft_wrap=True,
            )

    call.answer({"reviewer": who, "items": items}, show)


@click.command()
@click.argument("trace_id", required=False)
@click.option(
    "--verdict",
    type=click.Choice(VERDICTS),
    help="What the answer was worth; withdraw takes a review back.",
)
@click.option("--comment", help="Why; redacted before it is stored.")
@click.option("--answer", help="The answer as it should have been; redacted before it is stored.")
@click.option("--id", "submission_id", help="Sent again under the same id, it is the same review.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE.jsonl",
    help="Many reviews, as lines of JSON: trace_id, verdict, and if wanted reviewer, comment, "
    "expected_response, submission_id. `-` is standard input.",
)
@with_reviewer
@with_cli_context
@click.pass_context
def submit(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    trace_id: str | None,
    verdict: str | None,
    comment: str | None,
    answer: str | None,
    submission_id: str | None,
    file: Path | None,
    reviewer: str,
) -> None:
    """Hand in a review, or many.

    Of a trace the last word of a reviewer counts: another verdict, answer or comment replaces what
    was there, `--verdict withdraw` takes it back, and sending it again unchanged changes nothing.
    With --file the lines that cannot be taken are named, and the exit code then is 1.

    \b
    Example:
      goldpan review submit tr-7 --verdict fail --comment "Wrong flight." --reviewer ann
      goldpan review submit --file reviews.jsonl
    """
    if (file is None) == (trace_id is None):
        raise UsageError("Name one trace with its --verdict, or a --file of reviews.")
    if file is None and verdict is None:
        raise UsageError(
            "Say what the answer was worth: --verdict pass, fail or unknown; or take a review "
            "back: --verdict withdraw."
        )
    if file is None:
        one = {"trace_id": trace_id, "verdict": verdict, "comment": comment}
        given = {**one, "expected_response": answer, "submission_id": submission_id}
        found, refused = read_reviews([json.dumps(given).encode()])
    else:
        with click.open_file(str(file), "rb") as stream:
            found, refused = read_reviews(stream)
    desk = jobs.open_review_queue(call.settings, Lake(call.settings.lake))
    taken = hand_in(call.settings, desk, found, reviewer=reviewer, now=wiring.now_us())
    taken.refused.update(refused)
    if file is None:
        raise_if_refused(taken)
    data = {
        "added": len(taken.added),
        "known": len(taken.known),
        "refused": [{"line": n, "reason": taken.refused[n]} for n in sorted(taken.refused)],
    }
    call.answer(data, lambda console: _show_taken(console, data))
    if taken.refused:
        ctx.exit(EXIT_NO)


def _show_taken(console: Console, data: Mapping[str, Any]) -> None:
    known = f", {format_count(data['known'])} were there already" if data["known"] else ""
    console.print(f"{format_count(data['added'])} reviews added{known}")
    for one in data["refused"]:
        console.print(f"line {one['line']}: {one['reason']}", markup=False, soft_wrap=True)


@click.command()
@with_cli_context
def export(call: CliContext) -> None:
    """Write all reviews as lines of JSON, each with what the reviewers decided together.

    \b
    Example:
      goldpan review export > reviews.jsonl
    """
    table = Lake(call.settings.lake).table("reviews")
    wiring.make_retry().call("reading table reviews", table.refresh)
    call.write_lines(
        escape_line_ends(json.dumps(line, ensure_ascii=False).encode()).decode()
        for line in export_reviews(table)
    )


@click.command()
@click.option("--prometheus", is_flag=True, help="As metrics, in the text format of Prometheus.")
@with_textfile
@with_cli_context
def stats(call: CliContext, *, prometheus: bool, textfile: Path | None) -> None:
    """Tell how long the queue is, what is late, and how far reviewers agree.

    \b
    Example:
      goldpan review stats --textfile /var/lib/node_exporter/goldpan.prom
    """
    now = wiring.now_us()
    queue = jobs.open_review_queue(call.settings, Lake(call.settings.lake)).queue()

    def metrics() -> bytes:
        return queue_stats_prometheus(queue_stats(queue, now))

    if not write_metrics(call, metrics, prometheus=prometheus, textfile=textfile):
        call.answer(
            queue_stats_json(queue, now),
            lambda console: _show_stats(console, queue, now),
        )


def _show_stats(console: Console, queue: ReviewQueue, now: int) -> None:
    state = queue_stats_json(queue, now)
    arms = ", ".join(f"{format_count(n)} {arm}" for arm, n in sorted(state["open_by_arm"].items()))
    console.print(f"{format_count(state['open'])} open{f' ({arms})' if arms else ''}")
    console.print(
        f"oldest {format_duration(state['oldest_seconds'])}, {format_count(state['breached'])} past "
        f"their deadline, {format_count(state['claimed'])} in the hands of a reviewer"
    )
    alpha = "not defined yet" if state["alpha"] is None else f"{state['alpha']:.2f}"
    console.print(
        f"{format_count(state['reviewed'])} traces reviewed, {format_count(state['reviewed_late'])} of "
        f"them late, {format_count(state['disputed'])} disputed; Krippendorff's alpha {alpha}"
    )
    if state["without_trace"]:
        console.print(
            f"{format_count(state['without_trace'])} more have feedback and no trace yet: they are "
            "handed out when it has come",
            soft_wrap=True,
        )
    if state["reviewers"]:
        console.print(_reviewers(state))
    if state["segments"]:
        console.print(_segments(state))


def _reviewers(state: Mapping[str, Any]) -> Table:
    table = Table("reviewer", "reviews", "fail", "shared", "as the others", box=box.SIMPLE_HEAD)
    for one in state["reviewers"]:
        agreed = "-" if one["agreed"] is None else f"{one['agreed']:.0%}"
        counts = (format_count(one[name]) for name in ("reviews", "failed", "shared"))
        table.add_row(one["reviewer"], *counts, agreed)
    return table


def _segments(state: Mapping[str, Any]) -> Table:
    table = Table("segment", "open", "late", "reviewed", "fail", box=box.SIMPLE_HEAD)
    for one in state["segments"]:
        name = ", ".join(f"{k}={v}" for k, v in one["segment"].items() if v is not None) or "-"
        counts = (format_count(one[n]) for n in ("open", "breached", "reviewed", "failed"))
        table.add_row(name, *counts)
    return table
