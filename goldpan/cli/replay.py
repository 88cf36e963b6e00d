"""``goldpan stream replay`` and ``goldpan replay``: a past range again, under another policy."""

from contextlib import closing

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from goldpan import replay_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam, NumberParam
from goldpan.cli.progress import show_progress
from goldpan.cli.replay_output import (
    diff_json,
    labels_json,
    plan_json,
    policies_of,
    progress_json,
    show_diff,
    show_labels,
    show_list,
    show_replayed,
)
from goldpan.replay_setup import ReplayFactory, ReplayTask
from goldpan.settings import Settings
from schemas.errors import UsageError
from stream.config import ByteSize
from stream.replay.metrics import ReplayObserver
from stream.replay.plan import ReplayPlan, check_replay_name
from stream.replay.replay_range import ReplayRange, make_replay_range, parse_bound, parse_days
from stream.replay.repository import ReplayState


@click.command()
@click.option("--topic", required=True, help="The topic to read again.")
@click.option("--from", "start", metavar="TIME|OFFSET", help="Where to begin, in each partition.")
@click.option(
    "--to", "end", metavar="TIME|OFFSET", help="Where to end; without it, at what is stored."
)
@click.option("--days", metavar="DAY[..DAY]", help="Whole days (UTC) instead of --from and --to.")
@click.option("--policy", help="Redaction policy of the replay: a preset or a file.")
@click.option("--label-policy", help="Label policy of the replay: a preset or a file.")
@click.option(
    "--labels-only",
    is_flag=True,
    help="Only decide the labels of the range anew, from stored rows; times are those of events.",
)
@click.option("--name", help="What to call the replay; without it, a name made of the task.")
@click.option("--records-per-second", type=NumberParam(0, min_open=True), help="Read no faster.")
@click.option("--memory", metavar="SIZE", help="Ceiling for this process, such as 1GiB.")
@click.option(
    "--from-lake",
    is_flag=True,
    help="Redact stored rows again, where Kafka has forgotten the records: for a stricter policy "
    "only, since what was taken out does not come back. The range is given as offsets.",
)
@with_cli_context
def run(  # noqa: PLR0913 - each is an option
    call: CliContext,
    *,
    topic: str,
    start: str | None,
    end: str | None,
    days: str | None,
    policy: str | None,
    label_policy: str | None,
    labels_only: bool,
    name: str | None,
    records_per_second: float | None,
    memory: str | None,
    from_lake: bool,
) -> None:
    """Read a past range of a topic again, under other policies, beside the live workers.

    The rows go to tables of their own under `<lake>/replays/NAME`; the live tables are as they were
    until `goldpan replay promote NAME`. Times are those of the records in Kafka. Only what is in
    the lake and still in Kafka can be replayed. The labels of its traces are decided anew, under
    the label policy that is given or that of the settings. Killed, it goes on when run again.

    \b
    Example:
      goldpan stream replay --topic llm.traces --days 2026-10-01..2026-10-31 --policy hipaa
      goldpan replay diff NAME
      goldpan replay promote NAME
    """
    settings = replay_setup.with_redaction_policy(call.settings, policy)
    labels = replay_setup.load_replay_label_rules(settings, label_policy)
    wanted, chosen = _asked(start, end, days), None if name is None else check_replay_name(name)
    with (
        show_progress(call) as shown,
        replay_setup.observe_replay(settings, topic, shown) as observer,
    ):
        if labels_only:
            if (policy, records_per_second, memory) != (None, None, None) or from_lake:
                raise UsageError(
                    "With --labels-only no record is read again: leave out --policy, --from-lake, "
                    "--records-per-second and --memory."
                )
            plan = replay_setup.begin_labels_only(settings, topic, wanted, chosen, labels)
        else:
            task = ReplayTask(
                topic=topic,
                asked=wanted,
                name=chosen,
                records_per_second=records_per_second,
                memory_bytes=_memory(memory, settings.stream.memory_bytes),
                from_lake=from_lake,
                labels=labels,
            )
            plan = _replay(settings, task, observer)
        if plan.labels is not None:
            replay_setup.open_replay_labels(settings, plan).stage(observer.progress)
    call.answer(plan_json(plan), lambda console: show_replayed(console, plan))


def _replay(settings: Settings, task: ReplayTask, observer: ReplayObserver) -> ReplayPlan:
    workshop = ReplayFactory.open(settings, task)
    with closing(workshop.reader):
        plan = workshop.plan()
        workshop.replay(plan, observer).run()
    return plan


def _asked(start: str | None, end: str | None, days: str | None) -> ReplayRange:
    if days is not None:
        if start is not None or end is not None:
            raise UsageError("Give --days, or --from and --to.")
        return parse_days(days)
    if start is None:
        raise UsageError("Say where to begin: --from TIME or OFFSET, or --days.")
    return make_replay_range(parse_bound(start), None if end is None else parse_bound(end))


def _memory(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return TypeAdapter(ByteSize).validate_python(text)
    except ValidationError:
        raise UsageError(f"--memory {text}: must be a size such as 1GiB.") from None


@click.command()
@with_cli_context
def list_(call: CliContext) -> None:
    """List the replays of the lake: what each is about, and how far it has come.

    \b
    Example:
      goldpan replay list
    """
    found = replay_setup.open_staging(call.settings).all()
    data = [progress_json(name, progress) for name, progress in found]
    call.answer({"replays": data}, lambda console: show_list(console, data))


@click.command()
@click.argument("name")
@click.option(
    "--samples", type=IntegerParam(0), default=3, show_default=True, help="Rows to show of."
)
@with_cli_context
@click.pass_context
def diff(ctx: click.Context, call: CliContext, *, name: str, samples: int) -> None:
    """Tell what promoting a replay would change: rows, columns, findings by type, and labels.

    Of values that change only what stands in both is shown, and placeholders. Exit code 1 if
    anything would change.

    \b
    Example:
      goldpan replay diff NAME --samples 5
    """
    staged = replay_setup.open_staging(call.settings).progress(check_replay_name(name))
    plan = staged.plan
    with show_progress(call) as report:
        rows, labels = replay_setup.compare_replay(call.settings, plan, report, samples=samples)

    def show(console: Console) -> None:
        if staged.state is ReplayState.UNFINISHED:
            read, of = format_count(staged.read), format_count(plan.offsets)
            console.print(f"not complete: {read} of {of} offsets are staged", soft_wrap=True)
        if plan.labels is not None and labels is None:
            console.print("labels are not decided yet: run its `goldpan stream replay` again")
        if rows is not None:
            show_diff(console, rows)
        if labels is not None:
            show_labels(console, labels, plan.label_policy)

    differs = any(found is not None and found.differs for found in (rows, labels))
    data = {
        "state": str(staged.state),
        **({} if rows is None else diff_json(rows)),
        "differs": differs,
        "labels": None if labels is None else labels_json(labels, plan.label_policy),
    }
    call.answer(data, show)
    if differs:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("name")
@with_cli_context
def promote(call: CliContext, *, name: str) -> None:
    """Put a replay in the place of the live rows of its range.

    One commit a table, and one more to quarantine, to take out what has moved to the table; then
    the labels of these traces are decided from what is there, in one more. Workers go on meanwhile;
    rows outside of the range stay as they are, and so do rows of the range that Kafka no longer
    had. Records that are in the lake no more (erased, say) do not come back. Killed, it goes on
    when it is run again.

    \b
    Example:
      goldpan replay promote NAME
    """
    with show_progress(call) as report:
        plan = replay_setup.set_up_promotion(call.settings, check_replay_name(name), report).run()
    call.answer(
        {"ok": True, **plan_json(plan)},
        lambda console: console.print(f"promoted {name}: {policies_of(plan)}", soft_wrap=True),
    )


@click.command()
@click.argument("name")
@with_cli_context
def abandon(call: CliContext, *, name: str) -> None:
    """Remove a replay; nothing is left of it. Of one that was promoted, only the record of it goes.

    \b
    Example:
      goldpan replay abandon NAME
    """
    replay_setup.abandon_replay(call.settings, check_replay_name(name))
    call.answer({"ok": True, "name": name}, lambda console: console.print(f"removed {name}"))
