"""``goldpan stream replay`` and ``goldpan replay``: reprocess a past range."""

from contextlib import closing

import click
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from goldpan import replay_setup, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
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
@click.option("--topic", required=True, help="Topic to read again.")
@click.option(
    "--from", "start", metavar="TIME|OFFSET", help="Start of the range, in each partition."
)
@click.option(
    "--to",
    "end",
    metavar="TIME|OFFSET",
    help="End of the range (exclusive); default: the end of what is stored.",
)
@click.option("--days", metavar="DAY[..DAY]", help="Whole days (UTC), instead of --from and --to.")
@click.option(
    "--policy", help="Redaction policy, a preset or a file; default: that of the settings."
)
@click.option(
    "--label-policy", help="Label policy, a preset or a file; default: that of the settings."
)
@click.option(
    "--labels-only",
    is_flag=True,
    help="Only recompute the labels of the range, from stored rows; times are event times.",
)
@click.option("--name", help="Name of the replay; default: derived from the other options.")
@click.option(
    "--records-per-second",
    type=NumberParam(0, min_open=True),
    help="Maximum number of records to read per second.",
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Memory limit of this process, such as 1GiB; default: GOLDPAN_STREAM__MEMORY_BYTES.",
)
@click.option(
    "--from-lake",
    is_flag=True,
    help="Redact stored rows again, for records that Kafka no longer has. Only for a stricter "
    "policy: removed values do not come back. Give the range as offsets.",
)
@with_cli_context
def run(  # noqa: PLR0913 - one argument per option
    cli: CliContext,
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
    """Read a past range of a topic again, under other policies, while workers run.

    Rows are written to staged tables under `<lake>/replays/NAME`; the live tables do not change
    until `goldpan replay promote NAME`. Times are the record times in Kafka. Only records that are
    both in the lake and in Kafka can be replayed. The labels of their traces are recomputed. If
    interrupted, run the same command again to continue.

    \b
    Example:
      goldpan stream replay --topic llm.traces --days 2026-10-01..2026-10-31 --policy hipaa
      goldpan replay diff NAME
      goldpan replay promote NAME
    """
    settings = replay_setup.with_redaction_policy(cli.settings, policy)
    replay_range = _parse_range(start, end, days)
    name = None if name is None else check_replay_name(name)
    if labels_only and (policy, records_per_second, memory, from_lake) != (None, None, None, False):
        raise UsageError(
            "--labels-only reads no records: omit --policy, --from-lake, --records-per-second and "
            "--memory."
        )
    memory_bytes = _parse_memory(memory, settings.stream.memory_bytes)
    wiring.kind_and_table(settings.kafka, topic)
    labels = replay_setup.load_replay_label_rules(settings, label_policy)
    with (
        show_progress(cli) as report,
        replay_setup.observe_replay(settings, topic, report) as observer,
    ):
        if labels_only:
            plan = replay_setup.begin_labels_only(settings, topic, replay_range, name, labels)
        else:
            task = ReplayTask(
                topic=topic,
                replay_range=replay_range,
                name=name,
                records_per_second=records_per_second,
                memory_bytes=memory_bytes,
                from_lake=from_lake,
                labels=labels,
            )
            plan = _run_replay(settings, task, observer)
        if plan.labels is not None:
            replay_setup.open_replay_labels(settings, plan).stage(observer.progress)
    cli.answer(plan_json(plan), lambda console: show_replayed(console, plan))


def _run_replay(settings: Settings, task: ReplayTask, observer: ReplayObserver) -> ReplayPlan:
    factory = ReplayFactory.open(settings, task)
    with closing(factory.reader):
        plan = factory.plan()
        factory.replay(plan, observer).run()
    return plan


def _parse_range(start: str | None, end: str | None, days: str | None) -> ReplayRange:
    if days is not None:
        if start is not None or end is not None:
            raise UsageError("Give either --days, or --from and --to.")
        return parse_days(days)
    if start is None:
        raise UsageError("Give the start of the range: --from TIME or OFFSET, or --days.")
    return make_replay_range(parse_bound(start), None if end is None else parse_bound(end))


def _parse_memory(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return TypeAdapter(ByteSize).validate_python(text)
    except ValidationError:
        raise UsageError(f"--memory {text}: must be a size such as 1GiB.") from None


@click.command()
@with_cli_context
def list_(cli: CliContext) -> None:
    """List the replays of the lake, with range, policies and progress.

    \b
    Example:
      goldpan replay list
    """
    replays = replay_setup.open_staging(cli.settings).all()
    data = [progress_json(name, progress) for name, progress in replays]
    cli.answer({"replays": data}, lambda console: show_list(console, data))


@click.command()
@click.argument("name", help="Name of the replay.")
@click.option(
    "--samples",
    type=IntegerParam(0),
    default=3,
    show_default=True,
    help="Number of changed rows to print.",
)
@with_cli_context
@click.pass_context
def diff(ctx: click.Context, cli: CliContext, *, name: str, samples: int) -> None:
    """Show what promoting a replay would change: rows, columns, findings by type, and labels.

    For changed values, only the text common to both versions and placeholders are shown; the rest
    is masked. Exit code 1 if anything would change.

    \b
    Example:
      goldpan replay diff NAME --samples 5
    """
    staged = replay_setup.open_staging(cli.settings).progress(check_replay_name(name))
    plan = staged.plan
    with show_progress(cli) as report:
        rows, labels = replay_setup.compare_replay(cli.settings, plan, report, samples=samples)

    def show(console: Console) -> None:
        if staged.state is ReplayState.UNFINISHED:
            read, total = format_count(staged.read), format_quantity(plan.offsets, "offset")
            console.print(f"not complete: {read} of {total} staged", soft_wrap=True)
        if plan.labels is not None and labels is None:
            console.print("labels are not staged yet: run its `goldpan stream replay` again")
        if rows is not None:
            show_diff(console, rows)
        if labels is not None:
            show_labels(console, labels, plan.label_policy)

    differs = any(diff is not None and diff.differs for diff in (rows, labels))
    data = {
        "state": str(staged.state),
        **({} if rows is None else diff_json(rows)),
        "differs": differs,
        "labels": None if labels is None else labels_json(labels, plan.label_policy),
    }
    cli.answer(data, show)
    if differs:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("name", help="Name of the replay.")
@with_cli_context
def promote(cli: CliContext, *, name: str) -> None:
    """Replace the live rows of a range with those of a replay.

    One commit per table, and another to quarantine that removes the records which moved to the
    table; a last one recomputes the labels of these traces. Workers keep running. Rows outside the
    range, and rows that Kafka no longer had, do not change. Records that were removed from the
    lake, such as erased ones, do not come back. If interrupted, run the same command again.

    \b
    Example:
      goldpan replay promote NAME
    """
    with show_progress(cli) as report:
        plan = replay_setup.set_up_promotion(cli.settings, check_replay_name(name), report).run()
    cli.answer(
        {"ok": True, **plan_json(plan)},
        lambda console: console.print(f"promoted {name}: {policies_of(plan)}", soft_wrap=True),
    )


@click.command()
@click.argument("name", help="Name of the replay.")
@with_cli_context
def abandon(cli: CliContext, *, name: str) -> None:
    """Remove a replay completely. The rows of a promoted replay stay in the live tables.

    \b
    Example:
      goldpan replay abandon NAME
    """
    replay_setup.remove_replay(cli.settings, check_replay_name(name))
    cli.answer({"ok": True, "name": name}, lambda console: console.print(f"removed {name}"))
