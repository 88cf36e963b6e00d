"""``goldpan release pull``: a version as a folder of one's own, proved; what CI begins with."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console

from batch.release.format.files import MANIFEST, sha256
from batch.release.publish.reference import parse_key, parse_reference
from batch.release.publish.repository import ReleaseVersion
from batch.release.publish.verify import verify_release
from goldpan import release_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.main import EXIT_NO
from goldpan.cli.release_output import show_verdict
from lake.objects import FolderStore, ObjectStore
from schemas.errors import UsageError

_WHOLE: Final = len("sha256:") + 64


@click.command()
@click.argument("release", metavar="NAME@sha256:…")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--signed-by", metavar="KEY", help="The public key of the publisher.")
@click.option("--allow-withdrawn", is_flag=True, help="A version that was withdrawn passes too.")
@with_cli_context
@click.pass_context
def pull(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    release: str,
    folder: Path,
    signed_by: str | None,
    allow_withdrawn: bool,
) -> None:
    """Copy a version into a folder, and prove that it is the one that was pinned.

    With the whole digest, nothing that another has put in its place passes; NAME@VERSION works too,
    and proves only that the version is whole. Pulled again, the folder is brought up to date: rows
    that were erased since are gone. Exit code 1 if it is not as it was published, or was withdrawn;
    then nothing is written.

    \b
    Example:
      goldpan release pull support@sha256:4f0c… ./golden
    """
    publisher = None if signed_by is None else parse_key(signed_by)
    asked = parse_reference(release)
    shelf = release_setup.open_releases(call.settings)
    one = shelf.find(asked)
    pinned = len(asked.selector) == _WHOLE
    verdict = release_setup.verify_version(shelf, one, None, None, publisher)
    if passes := verdict.passes(allow_withdrawn=allow_withdrawn):
        store = FolderStore(folder)
        _refuse_other_folder(folder, one)
        release_setup.release_retry().call(
            f"copying {one.name}@{one.version}", lambda: _copy(shelf.files, one, store)
        )
        verdict = verify_release(store, "", one.digest, None, publisher)
        passes = verdict.passes(allow_withdrawn=allow_withdrawn)

    def show(console: Console) -> None:
        show_verdict(console, verdict, passes=passes)
        if passes:
            console.print(f"in {folder}", soft_wrap=True)
        if passes and not pinned:
            console.print(f"pin it as {one.name}@sha256:{one.digest}", soft_wrap=True)

    told = verdict.to_json(allow_withdrawn=allow_withdrawn)
    call.answer(told | {"folder": str(folder), "pinned": pinned}, show)
    if not passes:
        ctx.exit(EXIT_NO)


def _refuse_other_folder(folder: Path, one: ReleaseVersion) -> None:
    """Raise UsageError for a folder that holds anything but this release."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    manifest = folder / MANIFEST
    if not manifest.is_file() or sha256(manifest.read_bytes()) != one.digest:
        raise UsageError(
            f"{folder} holds something else than {one.name}@{one.version}: name a new folder."
        )


def _copy(files: ObjectStore, one: ReleaseVersion, store: FolderStore) -> None:
    """Make a folder the same as that of a version: what is not there any more goes."""
    prefix = f"{one.folder}/"
    found = {path.removeprefix(prefix): path for path, _ in files.walk(prefix)}
    for name, path in sorted(found.items()):
        store.put(name, files.get(path))
    for name in [name for name, _ in store.walk("") if name not in found]:
        store.remove(name)
