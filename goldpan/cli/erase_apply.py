"""``goldpan erase apply``: repeat erasures made after this lake was backed up."""

import json

import click
from rich.console import Console

from batch.erase.erasure import ErasureOutcome
from goldpan import erasure_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.erase import show_releases, show_tables, without_key
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
    ended: ErasureOutcome | None = None
    if missed.tombs:
        asked = erasure_setup.ErasureRequest(
            {}, "keep", frozenset(lost), _reference(missed.numbers)
        )
        with show_progress(cli) as report:
            settings = erasure_setup.without_erasures_copy(cli.settings)
            erasure = erasure_setup.set_up_erasure(settings, asked, report, missed)
            ended = erasure.run() if missed.done else None
    erasure_setup.copy_erasures(cli.settings)
    said = json.loads(ended.receipt) if ended else None
    data = {
        "applied": missed.numbers,
        "unfinished": list(missed.open),
        "erasure": ended.number if ended else None,
        "receipt": said,
    }

    def show(console: Console) -> None:
        if said is not None:
            show_tables(console, said["tables"], "versions")
            show_releases(console, said["releases"])
        for number in missed.open:
            rest = " in the copies was never finished: run `goldpan erase` for its request again"
            console.print(styled("yellow", f"{number}", rest), soft_wrap=True)
        if ended is None:
            console.print("no erasure is newer than this lake", soft_wrap=True)
            return
        where = f"{cli.settings.lake.uri}/erasures/{receipt_name(ended.number)}"
        console.print(f"erasures repeated: receipt {where}", soft_wrap=True, markup=False)

    cli.answer(data, show)


def _reference(numbers: list[int]) -> str:
    return f"erasures {', '.join(map(str, numbers))}, applied again to a lake that was put back"
