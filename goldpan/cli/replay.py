"""``goldpan stream replay`` and ``goldpan replay``: a past range again, under another policy."""

import dataclasses
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final

import click
from pydantic import TypeAdapter, ValidationError
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan import replays
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import count_text
from goldpan.cli.main import NO
from goldpan.cli.progress import progress
from goldpan.replays import Task, Workshop
from schemas.errors import UsageError
from stream.config import Size
from stream.replay_bounds import Asked, asked, parse_bound, parse_days
from stream.replay_diff import Difference
from stream.replay_plan import Plan, check_name
from stream.replay_staging import Progress, State

BEING_REMOVED: Final = "being removed"
VALUES_SHOWN: Final = 4
ROWS: Final = {
    "changed": "in the table before and after, with other values",
    "same": "in the table before and after, with the same values",
    "added": "come out of quarantine",
    "gone": "go to quarantine",
    "aside": "in quarantine before and after",
    "kept": "stay as they are: not read again, or texts of theirs have expired",
    "withheld": "not brought in: in no live table",
}
"""The rows that a diff counts, and what each number means."""


@click.command()
@click.option("--topic", required=True, help="The topic to read again.")
@click.option("--from", "start", metavar="TIME|OFFSET", help="Where to begin, in each partition.")
@click.option(
    "--to", "end", metavar="TIME|OFFSET", help="Where to end; without it, at what is stored."
)
@click.option("--days", metavar="DAY[..DAY]", help="Whole days (UTC) instead of --from and --to.")
@click.option("--policy", help="Redaction policy of the replay: a preset or a file.")
@click.option("--name", help="What to call the replay; without it, a name made of the task.")
@click.option(
    "--records-per-second", type=click.FloatRange(0, min_open=True), help="Read no faster."
)
@click.option("--memory", metavar="SIZE", help="Ceiling for this process, such as 1GiB.")
@click.option(
    "--from-lake",
    is_flag=True,
    help="Redact stored rows again, where Kafka has forgotten the records: for a stricter policy "
    "only, since what was taken out does not come back. The range is given as offsets.",
)
@with_call
def run(  # noqa: PLR0913 - each is an option
    call: Call,
    *,
    topic: str,
    start: str | None,
    end: str | None,
    days: str | None,
    policy: str | None,
    name: str | None,
    records_per_second: float | None,
    memory: str | None,
    from_lake: bool,
) -> None:
    """Read a past range of a topic again, under another policy, beside the live workers.

    The rows go to tables of their own under `<lake>/replays/NAME`; the live tables are as they were
    until `goldpan replay promote NAME`. Times are those of the records in Kafka. Only what is in
    the lake and still in Kafka can be replayed. Killed, it goes on when it is run again.

    \b
    Example:
      goldpan stream replay --topic llm.traces --days 2026-10-01..2026-10-31 --policy hipaa
      goldpan replay diff NAME
      goldpan replay promote NAME
    """
    settings = replays.with_policy(call.settings, policy)
    task = Task(
        topic=topic,
        asked=_asked(start, end, days),
        name=None if name is None else check_name(name),
        records_per_second=records_per_second,
        memory_bytes=_memory(memory, settings.stream.memory_bytes),
        from_lake=from_lake,
    )
    workshop = Workshop.open(settings, task)
    with closing(workshop.reader):
        plan = workshop.plan()
        with progress(call) as report:
            workshop.replay(plan, report).run()
    call.answer(_plan_json(plan), lambda console: _show_replayed(console, plan))


def _asked(start: str | None, end: str | None, days: str | None) -> Asked:
    if days is not None:
        if start is not None or end is not None:
            raise UsageError("Give --days, or --from and --to.")
        return parse_days(days)
    if start is None:
        raise UsageError("Say where to begin: --from TIME or OFFSET, or --days.")
    return asked(parse_bound(start), None if end is None else parse_bound(end))


def _memory(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return TypeAdapter(Size).validate_python(text)
    except ValidationError:
        raise UsageError(f"--memory {text}: must be a size such as 1GiB.") from None


def _plan_json(plan: Plan) -> dict[str, object]:
    return {
        "name": plan.name,
        "topic": plan.topic,
        "asked": plan.asked,
        "policy": plan.policy,
        "partitions": [
            {"partition": s.partition, "from": s.start, "to": s.end, "forgotten": s.forgotten}
            for s in plan.spans
        ],
    }


def _show_replayed(console: Console, plan: Plan) -> None:
    for span in plan.spans:
        console.print(f"{plan.topic}/{span.partition}: {span.start} to {span.end}", soft_wrap=True)
    forgotten = sum(span.forgotten for span in plan.spans)
    if forgotten:
        console.print(
            f"Kafka has deleted {count_text(forgotten)} of the offsets that were asked for: their "
            "rows stay as they are",
            soft_wrap=True,
        )
    console.print(f"staged as {plan.name}: goldpan replay diff {plan.name}", soft_wrap=True)


@click.command()
@with_call
def list_(call: Call) -> None:
    """List the replays of the lake: what each is about, and how far it has come.

    \b
    Example:
      goldpan replay list
    """
    found = replays.staging(call.settings).all()
    data = [_progress_json(name, progress) for name, progress in found]
    call.answer({"replays": data}, lambda console: _show_list(console, data))


def _progress_json(name: str, progress: Progress | None) -> dict[str, Any]:
    if progress is None:
        return {"name": name, "state": BEING_REMOVED}
    return _plan_json(progress.plan) | {
        "state": str(progress.state),
        "read": progress.read,
        "offsets": progress.plan.offsets,
        "created": datetime.fromtimestamp(progress.plan.created_ms / 1000, UTC).isoformat(),
    }


def _show_list(console: Console, data: list[dict[str, Any]]) -> None:
    if not data:
        console.print("there are no replays")
        return
    table = Table("name", "state", "read", "topic", "range", "policy", box=box.SIMPLE_HEAD)
    for one in data:
        if one["state"] == BEING_REMOVED:
            table.add_row(one["name"], BEING_REMOVED, "", "", "", "")
            continue
        read = f"{count_text(one['read'])} of {count_text(one['offsets'])}"
        table.add_row(one["name"], one["state"], read, one["topic"], one["asked"], one["policy"])
    console.print(table)


@click.command()
@click.argument("name")
@click.option(
    "--samples", type=click.IntRange(0), default=3, show_default=True, help="Rows to show of."
)
@with_call
@click.pass_context
def diff(ctx: click.Context, call: Call, *, name: str, samples: int) -> None:
    """Tell what promoting a replay would change: rows, columns, findings by type.

    Of values that change only what stands in both is shown, and placeholders. Exit code 1 if
    anything would change.

    \b
    Example:
      goldpan replay diff NAME --samples 5
    """
    staged = replays.staging(call.settings).progress(check_name(name))
    with progress(call) as report:
        found = replays.comparison(call.settings, name, report).run(samples=samples)

    def show(console: Console) -> None:
        if staged.state is State.UNFINISHED:
            read, of = count_text(staged.read), count_text(staged.plan.offsets)
            console.print(f"not complete: {read} of {of} offsets are staged", soft_wrap=True)
        _show_diff(console, found)

    call.answer({"state": str(staged.state), **_diff_json(found)}, show)
    if found.differs:
        ctx.exit(NO)


def _diff_json(found: Difference) -> dict[str, Any]:
    types = sorted({*found.before, *found.after})
    return {
        "differs": found.differs,
        "rows": {name: getattr(found, name) for name in ROWS},
        "columns": dict(found.columns.most_common()),
        "findings": {t: {"before": found.before[t], "after": found.after[t]} for t in types},
        "rows_without_audit": found.untold,
        "samples": [dataclasses.asdict(sample) for sample in found.samples],
    }


def _show_diff(console: Console, found: Difference) -> None:
    table = Table("rows", "", box=box.SIMPLE_HEAD)
    for name, meaning in ROWS.items():
        table.add_row(count_text(getattr(found, name)), meaning)
    console.print(table)
    if found.columns:
        table = Table("column", "rows that change", box=box.SIMPLE_HEAD)
        for column, count in found.columns.most_common():
            table.add_row(column, count_text(count))
        console.print(table)
    if found.before or found.after:
        table = Table("findings", "before", "after", box=box.SIMPLE_HEAD)
        for kind in sorted({*found.before, *found.after}):
            table.add_row(kind, count_text(found.before[kind]), count_text(found.after[kind]))
        console.print(table)
    if found.untold:
        told = f"no audit tells what was found in {count_text(found.untold)} live rows"
        console.print(told, soft_wrap=True)
    for sample in found.samples:
        console.print(f"partition {sample.partition}, offset {sample.offset}")
        for value in sample.values[:VALUES_SHOWN]:
            console.print(f"  {value.path}", markup=False, soft_wrap=True)
            console.print(f"  - {value.before}", markup=False, soft_wrap=True)
            console.print(f"  + {value.after}", markup=False, soft_wrap=True)


@click.command()
@click.argument("name")
@with_call
def promote(call: Call, *, name: str) -> None:
    """Put a replay in the place of the live rows of its range.

    One commit a table, and one more to quarantine, to take out what has moved to the table. Workers
    go on meanwhile; rows outside of the range stay as they are, and so do rows of the range that
    Kafka no longer had. Records that are in the lake no more (erased, say) do not come back.
    Killed, it goes on when it is run again.

    \b
    Example:
      goldpan replay promote NAME
    """
    with progress(call) as report:
        plan = replays.promotion(call.settings, check_name(name), report).run()
    call.answer(
        {"ok": True, **_plan_json(plan)},
        lambda console: console.print(f"promoted {name}: policy {plan.policy}", soft_wrap=True),
    )


@click.command()
@click.argument("name")
@with_call
def abandon(call: Call, *, name: str) -> None:
    """Remove a replay; nothing is left of it. Of one that was promoted, only the record of it goes.

    \b
    Example:
      goldpan replay abandon NAME
    """
    replays.abandon(call.settings, check_name(name))
    call.answer({"ok": True, "name": name}, lambda console: console.print(f"removed {name}"))
