"""``goldpan evaluation``: lists and shows the kept runs of gates."""

from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from batch.gate.gate_run import KeptRun
from batch.gate.gate_words import erased_text, plain_text
from goldpan.cli.answers_files import write_answers
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.gate_output import show_run
from goldpan.evaluation_setup import OpenedRun, open_run
from goldpan.gate_runs import open_gate_runs

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.command(name="list")
@click.argument("gate", required=False, metavar="[GATE]", help="Name of a gate.")
@with_cli_context
def list_(cli: CliContext, *, gate: str | None) -> None:
    """List kept runs, all or those of one gate, with what each decided.

    \b
    Example:
      goldpan evaluation list
    """
    runs = [
        run
        for run in open_gate_runs(cli.settings).list_runs()
        if gate in (None, run.document["inputs"]["gate"])
    ]

    def show(console: Console) -> None:
        if not runs:
            console.print("there are no kept runs")
            return
        table = Table("run", "decision", "release", "look", box=box.SIMPLE_HEAD)
        for run in runs:
            decision = plain_text(run.document["decision"])
            said = decision if run.is_complete else f"{decision}, not complete"
            looks = f"{run.document['looks']} of {run.document['planned_looks']}"
            table.add_row(run.name, said, run.document["inputs"]["release"], looks)
        console.print(table)

    cli.answer({"runs": [_listed(run) for run in runs]}, show)


@click.command()
@click.argument("run", metavar="RUN", help="GATE/SERIES/LOOK; without LOOK the last one.")
@click.option(
    "--report",
    type=_FILE,
    metavar="FILE.html",
    help="Write the report here, with answers: to rows that changed, else those that failed.",
)
@click.option(
    "--changed",
    type=_FILE,
    metavar="FILE.jsonl",
    help="Write the rows that differ here, with both answers.",
)
@with_cli_context
def show(cli: CliContext, *, run: str, report: Path | None, changed: Path | None) -> None:
    """Show a kept run: what it decided, and on request what was answered.

    Its files are compared with their checksums first. Answers to rows that were erased from the
    release since can be read by nobody.

    \b
    Example:
      goldpan evaluation show support-release/3f9a1c02b7d4/1 --report report.html
    """
    opened = open_run(cli.settings, run)
    write_answers(report, changed, opened.name, opened.run, opened.answered)

    def show_opened(console: Console) -> None:
        show_run(console, opened.run)
        console.print(_answers_text(opened), soft_wrap=True)
        if opened.erased:
            console.print(erased_text(opened.erased), soft_wrap=True)

    cli.answer(_shown(opened), show_opened)


def _answers_text(opened: OpenedRun) -> str:
    """Return how many answers can be read."""
    if opened.problem is not None:
        return f"no answers: {opened.problem}"
    held = {side: len(answers) for side, answers in opened.answered.answers.items()}
    kept = ", ".join(f"{count:,} of the {side}" for side, count in sorted(held.items()))
    return f"answers: {kept}" if kept else "answers: none are kept"


def _shown(opened: OpenedRun) -> dict[str, Any]:
    return {
        **opened.run.to_json(opened.name),
        "erased_rows": opened.erased,
        "readable_answers": {s: len(held) for s, held in opened.answered.answers.items()},
    }


def _listed(run: KeptRun) -> dict[str, Any]:
    keys = ("decision", "looks", "planned_looks", "claim", "about", "rows", "digest")
    inputs = run.document["inputs"]
    return {
        "run": run.name,
        "gate": inputs["gate"],
        "release": inputs["release"],
        **{key: run.document[key] for key in keys},
        "complete": run.is_complete,
    }
