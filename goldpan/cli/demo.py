"""``goldpan demo``: the whole pipeline in a minute, without anything else installed."""

import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from goldpan import child_process
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.demo_gate_output import show_gate_files
from goldpan.cli.demo_output import outcome_json, show_outcome
from goldpan.cli.main import EXIT_NO
from goldpan.cli.otel_demo_output import otel_outcome_json, show_otel_outcome
from goldpan.cli.progress import show_progress
from goldpan.demo.month import make_month
from goldpan.demo.otel_run import run_otel_demo
from goldpan.demo.outcome import read_outcome
from goldpan.demo.run import GATE_FILE, DemoFolder, run_demo
from goldpan.demo.script import write_script
from goldpan.demo.traffic import load_all_conversations, load_shipped_conversations

TRAFFIC_SECONDS: Final = 6.0
SEED: Final = 7
_FOLDER: Final = "./goldpan-demo"
"""Where a demo that was not kept suggests to keep one."""


@click.command()
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the lake in this folder (created if missing).",
)
@click.option(
    "--source",
    type=click.Choice(["records", "otel"]),
    default="records",
    show_default=True,
    help="Records of the contract, or captured OpenTelemetry traffic.",
)
@with_cli_context
@click.pass_context
def demo(ctx: click.Context, cli: CliContext, *, keep: Path | None, source: str) -> None:
    """Run the whole pipeline: embedded Kafka broker, real conversations, worker and lake.

    Needs no Kafka, no Docker and no network. A month of conversations comes first, is judged, and
    reviewed in part; a golden set is made of it, and a gate ships one of two candidates. Then other
    conversations are sent in real time. Some records are broken on purpose.

    With `--source otel` the traffic is spans, logs, runs and feedback as OpenTelemetry's Collector,
    MLflow, LangSmith and Phoenix send them: the worker assembles them to traces.

    \b
    Example:
      goldpan demo --keep ./goldpan-demo
      goldpan demo --source otel
    """
    if source == "otel":
        _demo_otel(ctx, cli, keep)
        return
    started = time.monotonic()
    with _folder(keep) as folder, show_progress(cli) as report:
        demo_folder = DemoFolder(folder.resolve())
        run = run_demo(
            demo_folder,
            make_month(load_all_conversations(), last_day=_yesterday(), seed=SEED),
            write_script(load_shipped_conversations(), seconds=TRAFFIC_SECONDS, seed=SEED),
            report,
        )
        report("reading the lake", 0, 0)
        outcome = read_outcome(demo_folder.lake_uri, run)
    seconds = time.monotonic() - started

    def show(console: Console) -> None:
        show_outcome(console, outcome)
        if keep:
            console.print("\nTo look at", style="bold")
            show_gate_files(console, outcome.gate, str(keep))
        gate = shlex.quote(f"{keep or _FOLDER}/{GATE_FILE}")
        _show_next_commands(console, keep, "judge agreement", f"gate {gate} --dry-run")

    cli.answer(outcome_json(outcome, seconds=seconds, folder=str(keep) if keep else None), show)
    if not outcome.report.ok:
        ctx.exit(EXIT_NO)


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _demo_otel(ctx: click.Context, cli: CliContext, keep: Path | None) -> None:
    started = time.monotonic()
    with _folder(keep) as folder, show_progress(cli) as report:
        outcome = run_otel_demo(DemoFolder(folder.resolve()), report)
    seconds = time.monotonic() - started

    def show(console: Console) -> None:
        show_otel_outcome(console, outcome)
        _show_next_commands(console, keep)

    folder_name = str(keep) if keep else None
    cli.answer(otel_outcome_json(outcome, seconds=seconds, folder=folder_name), show)
    if not outcome.report.ok:
        ctx.exit(EXIT_NO)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="goldpan-demo-") as folder:
            yield Path(folder)
    else:
        yield keep


def _show_next_commands(console: Console, keep: Path | None, *more: str) -> None:
    """Print commands to try next, ready to copy; ``more`` are those of one demo alone."""
    console.print()
    console.print("What to try next", style="bold")
    goldpan = _program()
    folder = shlex.quote(str(keep or _FOLDER))
    in_lake = f". {folder}/env && {goldpan}"
    first = f"{in_lake} lake tables" if keep else f"{goldpan} demo --keep {folder}"
    console.print(f"  {first}", soft_wrap=True, markup=False)
    for command in ("lake verify --deep", "quarantine show", *more):
        console.print(f"  {in_lake} {command}", soft_wrap=True, markup=False)


def _program() -> str:
    """Return the command that runs this program from here: its name or its path."""
    if shutil.which("goldpan"):
        return "goldpan"
    script = Path(sys.executable).parent / "goldpan"
    if not script.exists():
        return shlex.join(child_process.interpreter_command())
    here = Path.cwd()
    path = script.relative_to(here) if script.is_relative_to(here) else script
    return shlex.quote(str(path))
