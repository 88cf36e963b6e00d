"""``goldpan erase apply``: erase again what was erased since this lake was backed up."""

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
    help="Where tombstones and receipts were kept, if not at GOLDPAN_LAKE__ERASURES_COPY.",
)
@without_key
@with_cli_context
def apply(call: CliContext, *, folder: str | None, lost: tuple[str, ...]) -> None:
    """Erase again what was erased since this lake was backed up.

    After a lake was put back from a copy, and before anybody reads it. The persons' ids are not
    needed: tombstones and receipts, which were kept outside of the lake, say whom and what. If it
    is interrupted, the same command goes on; where nothing is newer, it changes nothing.

    \b
    Example:
      goldpan erase apply --from /backup/erasures
    """
    missed = erasure_setup.read_missed_erasures(call.settings, folder)
    ended: ErasureOutcome | None = None
    if missed.tombstones:
        asked = erasure_setup.ErasureRequest(
            {}, "keep", frozenset(lost), _reference(missed.numbers)
        )
        with show_progress(call) as report:
            settings = erasure_setup.without_erasures_copy(call.settings)
            erasure = erasure_setup.set_up_erasure(settings, asked, report, missed)
            ended = erasure.run() if missed.finished else None
    erasure_setup.copy_erasures(call.settings)
    said = json.loads(ended.receipt) if ended else None
    data = {
        "applied": missed.numbers,
        "unfinished": list(missed.unfinished),
        "erasure": ended.number if ended else None,
        "receipt": said,
    }

    def show(console: Console) -> None:
        if said is not None:
            show_tables(console, said["tables"], "versions")
            show_releases(console, said["releases"])
        for number in missed.unfinished:
            rest = " of the copies was never finished: run `goldpan erase` for its request"
            console.print(styled("yellow", f"{number}", rest), soft_wrap=True)
        if ended is None:
            console.print("no erasure is newer than this lake", soft_wrap=True)
            return
        where = f"{call.settings.lake.uri}/erasures/{receipt_name(ended.number)}"
        console.print(f"applied again: receipt {where}", soft_wrap=True, markup=False)

    call.answer(data, show)


def _reference(numbers: list[int]) -> str:
    return f"erasures {', '.join(map(str, numbers))}, applied again to a lake that was put back"
