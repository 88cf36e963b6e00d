"""``goldpan erase apply``: repeat erasures made after this lake was backed up."""

import json

import click
from rich.console import Console

from batch.erase.erasure import ErasureOutcome
from goldpan import erasure_setup, erasures_copy
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.erase import show_evaluations, show_releases, show_tables, without_key
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import show_progress
from lake.erasure_copies import receipt_name


@click.command()
@click.option(
    "--from",
    "folder",
    metavar="FOLDER",
    help="Copies of tombstones and receipts, if not at GOLDPAN_LAKE__ERASURES_COPY.",
)
@without_key
@with_cli_context
def apply(cli: CliContext, *, folder: str | None, lost: tuple[str, ...]) -> None:
    """Repeat the erasures made after this lake was backed up.

    Run it after restoring a lake from a backup, before anyone reads it. The persons' ids are not
    needed: the tombstones and receipts, copied outside the lake, identify what to erase. If
    interrupted, run the same command again. If no erasure is newer, it changes nothing.

    \b
    Example:
      goldpan erase apply --from /backup/erasures
    """
    missed = erasure_setup.read_missed_erasures(cli.settings, folder)
    outcome: ErasureOutcome | None = None
    if missed.tombstones:
        request = erasure_setup.ErasureRequest(
            {}, "keep", frozenset(lost), _reference(missed.numbers)
        )
        with show_progress(cli) as report:
            settings = erasure_setup.without_erasures_copy(cli.settings)
            erasure = erasure_setup.set_up_erasure(settings, request, report, missed)
            outcome = erasure.run() if missed.finished else None
    erasures_copy.copy_erasures(cli.settings)
    receipt = json.loads(outcome.receipt) if outcome else None
    data = {
        "applied": missed.numbers,
        "unfinished": list(missed.unfinished),
        "erasure": outcome.number if outcome else None,
        "receipt": receipt,
    }

    def show(console: Console) -> None:
        if receipt is not None:
            show_tables(console, receipt["tables"], "versions")
            show_releases(console, receipt["releases"])
            show_evaluations(console, receipt.get("evaluations", []))
        for number in missed.unfinished:
            rest = ": run `goldpan erase` for its request again"
            console.print(
                styled("yellow", f"erasure {number} was never finished", rest), soft_wrap=True
            )
        if outcome is None:
            console.print("no erasure is newer than this lake", soft_wrap=True)
            return
        file = f"{cli.settings.lake.uri}/erasures/{receipt_name(outcome.number)}"
        console.print(f"erasures repeated: receipt {file}", soft_wrap=True, markup=False)

    cli.answer(data, show)


def _reference(numbers: list[int]) -> str:
    return f"erasures {', '.join(map(str, numbers))}, applied again to a lake that was put back"
