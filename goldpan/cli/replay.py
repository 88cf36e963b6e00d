"""``goldpan stream replay`` and ``goldpan replay``: a past range again, under another policy."""

from contextlib import closing

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from goldpan import replays
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import count_text
from goldpan.cli.progress import progress
from goldpan.replays import Task, Workshop
from schemas.errors import UsageError
from stream.config import Size
from stream.replay_bounds import Asked, asked, parse_bound, parse_days
from stream.replay_plan import Plan, check_name


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
