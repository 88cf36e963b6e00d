"""``goldpan evaluation export``: writes a kept run of a gate for another tool."""

from pathlib import Path

import click
from rich.console import Console

from batch.gate.run_export import RUN_FORMATS, export_run
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_quantity
from goldpan.cli.metrics_file import write_atomically
from goldpan.cli.plain_console import escape_controls
from goldpan.gate_runs import open_gate_runs
from schemas.errors import UsageError


@click.command()
@click.argument("run", metavar="RUN", help="Name of a kept run: GATE/SERIES/LOOK.")
@click.option(
    "--format",
    "target",
    type=click.Choice(list(RUN_FORMATS)),
    required=True,
    help="Tool that reads it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.json",
    help="Write it here; default: standard output.",
)
@with_cli_context
def export(cli: CliContext, *, run: str, target: str, out: Path | None) -> None:
    """Write a kept run as JSON whose parts are the arguments of a tool's own calls.

    The decision, each requirement with its bounds, the segments, the judges and the counts of
    outcomes. What was not measured has a state and no figure. Ids follow from the run, so sending
    it twice changes nothing. No network is needed.

    \b
    Example:
      goldpan evaluation export support-release/3f9a1c02b7d4/1 --format mlflow --out run.json
    """
    kept = open_gate_runs(cli.settings).find(run)
    if kept.name != run:
        raise UsageError(
            f"{run} is a series of looks, and one look is exported: its last one is {kept.name}"
        )
    data = export_run(target, kept.document)
    if out is None:
        cli.write_lines([data.decode().removesuffix("\n")])
        return
    write_atomically(out, data, "--out")
    counts = {key: len(kept.document[key]) for key in ("requirements", "segments")}
    decision = str(kept.document["decision"])
    answer = {"run": run, "format": target, "file": str(out), "decision": decision, **counts}

    def show(console: Console) -> None:
        required, parts = (format_quantity(n, key.removesuffix("s")) for key, n in counts.items())
        console.print(f"{run} ({decision.replace('_', ' ')}) for {target}: {required}, {parts}")
        console.print(f"written to {escape_controls(str(out))}", soft_wrap=True)

    cli.answer(answer, show)
