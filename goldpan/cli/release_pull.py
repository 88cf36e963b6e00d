"""``goldpan release pull``: copy a version into a folder and verify it, for CI."""

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
from goldpan.cli.release_output import show_verification
from lake.objects import FolderStore, ObjectStore
from schemas.errors import UsageError

_FULL_DIGEST: Final = len("sha256:") + 64


@click.command()
@click.argument("release", metavar="NAME@sha256:…", help="The version, by its digest.")
@click.argument(
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to: new, empty, or with the same version.",
)
@click.option(
    "--signed-by", metavar="KEY", help="Public key that the publisher must have signed with."
)
@click.option("--allow-withdrawn", is_flag=True, help="Also accept a withdrawn version.")
@with_cli_context
@click.pass_context
def pull(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    release: str,
    folder: Path,
    signed_by: str | None,
    allow_withdrawn: bool,
) -> None:
    """Copy a version into a folder, and prove that it is the pinned one.

    The full digest detects any replacement. NAME@VERSION is accepted too, but proves only that the
    version is complete. Pulling again updates the folder: rows erased since then are removed. Exit
    code 1 if the version has changed since publication or was withdrawn; then nothing is written.

    \b
    Example:
      goldpan release pull support@sha256:4f0c… ./golden
    """
    publisher = None if signed_by is None else parse_key(signed_by)
    reference = parse_reference(release)
    releases = release_setup.open_releases(cli.settings)
    version = releases.find(reference)
    pinned = len(reference.selector) == _FULL_DIGEST
    verification = release_setup.verify_version(releases, version, None, None, publisher)
    if passes := verification.passes(allow_withdrawn=allow_withdrawn):
        store = FolderStore(folder)
        _refuse_other_folder(folder, version)
        release_setup.release_retry().call(
            f"copying {version.name}@{version.version}",
            lambda: _copy(releases.files, version, store),
        )
        verification = verify_release(store, "", version.digest, None, publisher)
        passes = verification.passes(allow_withdrawn=allow_withdrawn)

    def show(console: Console) -> None:
        show_verification(console, verification, passes=passes)
        if passes:
            console.print(f"written to {folder}", soft_wrap=True)
        if passes and not pinned:
            console.print(f"pin it as {version.name}@sha256:{version.digest}", soft_wrap=True)

    data = verification.to_json(allow_withdrawn=allow_withdrawn)
    cli.answer(data | {"folder": str(folder), "pinned": pinned}, show)
    if not passes:
        ctx.exit(EXIT_NO)


def _refuse_other_folder(folder: Path, version: ReleaseVersion) -> None:
    """Raise UsageError if a folder contains anything but this release."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    manifest = folder / MANIFEST
    if not manifest.is_file() or sha256(manifest.read_bytes()) != version.digest:
        raise UsageError(
            f"{folder} contains something other than {version.name}@{version.version}: name a new "
            "folder."
        )


def _copy(files: ObjectStore, version: ReleaseVersion, store: FolderStore) -> None:
    """Make a folder equal to that of a version, and remove other files."""
    prefix = f"{version.folder}/"
    paths = {path.removeprefix(prefix): path for path, _ in files.walk(prefix)}
    for name, path in sorted(paths.items()):
        store.put(name, files.get(path))
    for name in [name for name, _ in store.walk("") if name not in paths]:
        store.remove(name)
