"""``goldpan stream``: run the worker, in one process or several, and adopt recreated topics."""

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from goldpan import child_process, logs, wiring
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.number_options import IntegerParam
from goldpan.setting_names import variable_name
from goldpan.settings import Settings
from schemas.errors import GoldpanError, UsageError
from stream.adoption import AdoptedPartition
from stream.bootstrap import run_worker
from stream.catch_up import CatchUpLimit
from stream.startup import check_dependencies, stop_gracefully
from stream.supervisor import Supervisor, WorkerCommand

PARENT_SECONDS = 1.0
_SPARE_SECONDS = 10.0


@click.command()
@click.option(
    "--until-caught-up",
    is_flag=True,
    help="Stop once the tables contain everything that the topics hold at the start, whichever "
    "worker of the group reads it.",
)
@click.option(
    "--within",
    type=IntegerParam(1),
    metavar="SECONDS",
    help="With --until-caught-up: after this time, stop with exit code 3 and name the partitions "
    "that are behind.",
)
@click.option(
    "--workers",
    type=IntegerParam(1, 256),
    default=1,
    show_default=True,
    help="Number of processes; each has the memory budget of the settings, and a metrics port of "
    "its own, counted up from the one set.",
)
@click.option(
    "--number", "worker_number", type=int, default=0, hidden=True, help="Number of this worker."
)
@click.option("--parent", type=int, hidden=True, help="Stop when this process exits.")
@click.option(
    "--deadline", type=float, hidden=True, help="End of --within, by the monotonic clock."
)
@with_cli_context
@click.pass_context
def run(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    until_caught_up: bool,
    within: int | None,
    workers: int,
    worker_number: int,
    parent: int | None,
    deadline: float | None,
) -> None:
    """Run the worker: read the topics, redact, and commit to the lake, each record exactly once.

    On SIGTERM, it flushes its buffers and exits. Missing tables are created, unless
    GOLDPAN_LAKE__CREATE is `never`.

    \b
    Example:
      export GOLDPAN_KAFKA__BOOTSTRAP_SERVERS=localhost:9092 GOLDPAN_LAKE__URI=./goldpan-lake
      export GOLDPAN_REDACT__KEY=$(openssl rand -base64 32)
      goldpan stream run --workers 2
    """
    stop = _stop_on_signals()
    condition = _stop_condition(until_caught_up=until_caught_up, within=within, deadline=deadline)
    if workers == 1:
        logs.configure_logging(cli.settings.log, worker=f"{socket.gethostname()}/{worker_number}")
        if parent is not None:
            threading.Thread(target=_stop_with_parent, args=(parent, stop), daemon=True).start()
        _work(cli.settings, stop, condition)
    elif code := _supervise(cli, workers, stop, condition):
        ctx.exit(code)
    cli.answer({"ok": True, "workers": workers}, lambda _console: None)


@dataclass(frozen=True, slots=True)
class _StopCondition:
    """When a worker stops by itself."""

    caught_up: bool
    limit: CatchUpLimit | None

    def options(self) -> list[str]:
        """Return the same as command line options for another process of this machine."""
        if not self.caught_up:
            return []
        if self.limit is None:
            return ["--until-caught-up"]
        options = (f"--within={self.limit.seconds}", f"--deadline={self.limit.deadline!r}")
        return ["--until-caught-up", *options]


def _stop_condition(
    *, until_caught_up: bool, within: int | None, deadline: float | None
) -> _StopCondition:
    if within is None:
        return _StopCondition(until_caught_up, None)
    if not until_caught_up:
        raise UsageError("--within is the time limit of --until-caught-up: give both.")
    return _StopCondition(
        until_caught_up, CatchUpLimit(within, deadline or time.monotonic() + within)
    )


def _work(settings: Settings, stop: threading.Event, condition: _StopCondition) -> None:
    with _logging_failure():
        setup = wiring.set_up_worker(settings, stop)
        run_worker(setup, until_caught_up=condition.caught_up, limit=condition.limit)


@contextmanager
def _logging_failure() -> Iterator[None]:
    """Also log an error that ends the worker as an event, for readers of the log."""
    try:
        yield
    except GoldpanError as error:
        wiring.get_logger().error("worker_failed", exc_info=error)
        raise


def _stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stop = threading.Event()

    def on_signal(signal_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal_number, signal.SIG_DFL)
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop


def _stop_with_parent(parent: int, stop: threading.Event) -> None:
    """Stop the worker when its supervisor is gone."""
    while os.getppid() == parent and not stop.wait(PARENT_SECONDS):
        pass
    stop.set()


def _supervise(
    cli: CliContext, workers: int, stop: threading.Event, condition: _StopCondition
) -> int:
    # Report wrong settings once, here, and not from each worker.
    settings = cli.settings
    wiring.check_worker_settings(settings)
    with _logging_failure(), stop_gracefully(stop, wiring.get_logger()):
        check_dependencies(
            settings.kafka, settings.stream, settings.lake, stop, wiring.get_logger()
        )
    if stop.is_set():
        return 0
    command = child_process.child_command(
        "stream", "run", f"--parent={os.getpid()}", *condition.options()
    )
    with _shared_folder(settings) as shared:
        commands = [
            WorkerCommand(
                _with_config([*command, f"--number={number}"], cli.config),
                _environment(cli.settings, number, shared),
            )
            for number in range(workers)
        ]
        return Supervisor(
            children=commands,
            stop_requested=stop.is_set,
            log=wiring.get_logger(),
            stop_seconds=cli.settings.stream.drain_seconds + _SPARE_SECONDS,
        ).run()


@contextmanager
def _shared_folder(settings: Settings) -> Iterator[Path | None]:
    """Make a folder in which one worker compiles expressions for all, unless a setting names one.

    It is in use as long as this process; None if there is no place for it.
    """
    if settings.redact.cache_dir is not None:
        yield None
        return
    with ExitStack() as stack:
        folder = None
        with suppress(OSError):
            made = tempfile.TemporaryDirectory(prefix="goldpan-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
        yield folder


def _with_config(command: list[str], config: Path | None) -> list[str]:
    return command if config is None else [*command, "--config", str(config)]


def _environment(settings: Settings, number: int, shared: Path | None) -> dict[str, str]:
    port = settings.metrics.port and settings.metrics.port + number
    own = {("metrics", "port"): str(port)}
    if settings.kafka.group_instance_id is not None:
        own["kafka", "group_instance_id"] = f"{settings.kafka.group_instance_id}-{number}"
    if shared is not None:
        own["redact", "cache_dir"] = str(shared)
    return {
        **child_process.child_environment(os.environ),
        **{variable_name(path): value for path, value in own.items()},
    }


@click.command()
@click.option("--topic", required=True, help="The recreated topic.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["earliest", "latest"]),
    default="earliest",
    show_default=True,
    help="Continue with the records that the topic holds now, or only with later ones.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@with_cli_context
def adopt(cli: CliContext, *, topic: str, start: str, yes: bool) -> None:
    """Continue with a topic that was deleted and recreated, truncated, or mirrored.

    The worker stops at such a topic, since its stored offsets belong to another one. This command
    moves the positions to the present topic; rows in the lake stay. Stop the workers of this topic
    first.

    \b
    Example:
      goldpan stream adopt --topic llm.traces --from earliest
    """
    adoption = wiring.set_up_adoption(cli.settings, topic)
    ends = wiring.open_topic_ends(cli.settings.kafka)
    watermarks = ends.watermarks(topic)
    starts = {s: low if start == "earliest" else high for s, (low, high) in watermarks.items()}
    _confirm(topic, len(starts), yes=yes, watched=cli.watched)
    moved = adoption.run(ends.cluster.incarnation(topic), starts)

    def show(console: Console) -> None:
        for adopted in moved:
            before = "none" if adopted.before is None else format_count(adopted.before)
            position = f"{before} → {format_count(adopted.after)}"
            console.print(f"{adopted.source}: position {position}", soft_wrap=True)

    cli.answer({"moved": [_adopted_json(adopted) for adopted in moved]}, show)


def _confirm(topic: str, partitions: int, *, yes: bool, watched: bool) -> None:
    if yes:
        return
    if not watched:
        raise UsageError(
            "Nobody can confirm, since there is no terminal: give --yes to move the positions."
        )
    click.confirm(
        f"Move the positions of {format_quantity(partitions, 'partition')} of {topic}?", abort=True
    )


def _adopted_json(adopted: AdoptedPartition) -> dict[str, object]:
    source = adopted.source
    return {
        "topic": source.topic,
        "partition": source.partition,
        "before": adopted.before,
        "after": adopted.after,
    }
