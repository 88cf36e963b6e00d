"""``goldpan release``: build golden sets, look at them, prove them, hand them on, withdraw them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from batch.release.export.formats import EXPORT_FORMATS, export_remarks
from batch.release.format.files import DATA, DATASHEET, MANIFEST, WITHDRAWAL
from batch.release.format.manifest import MIXED_POLICIES, ReleaseFacts, read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import DEVELOPMENT, HOLDOUT, json_rows
from batch.release.publish.build import BuildResult, Progress, draft_release, publish_draft
from batch.release.publish.diff import diff_releases
from batch.release.publish.reference import ReleaseReference, parse_key, parse_pin, parse_reference
from batch.release.publish.repository import (
    ReleaseClaimError,
    ReleaseRepository,
    ReleaseVersion,
)
from batch.release.publish.signatures import sign_version as put_signature
from batch.release.publish.verify import ReleaseVerification, withdrawal_mark
from batch.release.publish.verify import verify_release as verify_folder
from batch.release.sampling.spec import load_spec
from goldpan import release_setup, synthetic_rows
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import PlainConsole, escape_controls, styled
from goldpan.cli.release_output import (
    DIGITS,
    built_json,
    difference_json,
    policies_text,
    rows_text,
    show_built,
    show_difference,
    show_population,
    show_verdict,
    strata_table,
    version_json,
)
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import UsageError

_SHOWN: Final = 10


@click.command()
@click.argument("spec", type=click.Path(path_type=Path, dir_okay=False), metavar="SPEC.yaml")
@click.option("--traces-version", type=IntegerParam(0), help="Version of table traces to read.")
@click.option("--labels-version", type=IntegerParam(0), help="Version of table labels to read.")
@click.option("--memory-mib", type=IntegerParam(128), default=1024, show_default=True)
@click.option("--take-over", is_flag=True, help="Abandon a version that a dead builder left open.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be in it.")
@with_cli_context
@click.pass_context
def build(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    spec: Path,
    traces_version: int | None,
    labels_version: int | None,
    memory_mib: int,
    take_over: bool,
    dry_run: bool,
) -> None:
    """Build a release by its spec, and publish it if anything is new.

    The version is decided from what changed. Exit code 1 if another builder was first.

    \b
    Example:
      goldpan release build support.yaml
    """
    publisher = release_setup.load_publisher(call.settings)
    described = load_spec(spec)
    offered = synthetic_rows.read_synthetic_rows(call.settings, described, spec.parent)
    shelf = release_setup.open_releases(call.settings)
    if publisher is not None and not dry_run:
        release_setup.refuse_other_publisher(call.settings, shelf, publisher)
    lake = Lake(call.settings.lake)
    with _progress(call) as progress:
        means = release_setup.make_build_context(call.settings, memory_mib, progress)
        traces = open_snapshot(lake, "traces", traces_version)
        labels = open_snapshot(lake, "labels", labels_version)
        made = draft_release(described, traces, labels, means, offered)
        if dry_run:
            _tell_draft(call, made.facts)
            return
        progress("publishing")
        try:
            built = publish_draft(made, shelf, take_over=take_over)
        except ReleaseClaimError as error:
            told = str(error)
            call.answer({"ok": False, "reason": told}, lambda c: c.print(told, markup=False))
            ctx.exit(EXIT_NO)
    if publisher is not None:
        put_signature(shelf, _of(shelf, built), publisher)
    signed_by = publisher.public if publisher else None
    call.answer(
        built_json(built) | {"signed_by": signed_by},
        lambda console: show_built(console, built, signed_by),
    )


def _of(shelf: ReleaseRepository, built: BuildResult) -> ReleaseVersion:
    return shelf.find(ReleaseReference(built.name, str(built.version)))


@contextmanager
def _progress(call: CliContext) -> Iterator[Progress]:
    """Yield what the steps of a build are told to; shown only if a person watches."""
    console = PlainConsole(stderr=True)
    if not call.watched:
        yield lambda _what: None
        return
    with console.status("reading the lake") as status:
        yield status.update


def _tell_draft(call: CliContext, facts: ReleaseFacts) -> None:
    kept = {key: value for key, value in facts.items() if key not in {"rows", "spec"}}

    def show(console: Console) -> None:
        show_population(console, facts["population"])
        console.print(f"would be {rows_text(facts)}")
        console.print(strata_table(facts))

    call.answer({"dry_run": True, **kept}, show)


@click.command(name="list")
@click.argument("name", required=False)
@with_cli_context
def list_(call: CliContext, *, name: str | None) -> None:
    """List releases, all or those of one name, with their versions and digests.

    \b
    Example:
      goldpan release list
    """
    shelf = release_setup.open_releases(call.settings)
    names = shelf.names() if name is None else [name]
    found = [one for each in names for one in shelf.versions(each)]
    data = [version_json(one) for one in found]

    def show(console: Console) -> None:
        if not found:
            console.print("there is no release yet")
            return
        table = Table("release", "digest", "state", box=box.SIMPLE_HEAD)
        for one in found:
            state = f"{one.state}, rows erased" if one.erased else one.state
            table.add_row(f"{one.name}@{one.version}", one.digest[:DIGITS], state)
        console.print(table)

    call.answer({"releases": data}, show)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]")
@click.option("--sheet", is_flag=True, help="The whole datasheet.")
@with_cli_context
def show(call: CliContext, *, release: str, sheet: bool) -> None:
    """Show what a release is: rows, strata, where it came from.

    \b
    Example:
      goldpan release show support@3 --sheet
    """
    shelf = release_setup.open_releases(call.settings)
    one = shelf.find(parse_reference(release))
    manifest = read_manifest(shelf.read(one, MANIFEST))
    gone = len(shelf.erasure_note(one).rows)
    kept = {key: value for key, value in manifest.items() if key not in {"rows", "starter_rows"}}

    def tell(console: Console) -> None:
        if one.withdrawn:
            console.print(styled("red", "withdrawn", ": do not use it"))
        if gone:
            console.print(
                styled(
                    "yellow", f"{format_count(gone)} of its rows were erased", "; below is as built"
                )
            )
        if sheet:
            console.print(Markdown(escape_controls(shelf.read(one, DATASHEET).decode())))
            return
        console.print(f"{one.name}@{one.version}: {rows_text(manifest)}")
        console.print(f"digest sha256:{one.digest}", soft_wrap=True)
        if MIXED_POLICIES in manifest:
            console.print(policies_text(manifest[MIXED_POLICIES]), soft_wrap=True)
        show_population(console, manifest["population"])
        console.print(strata_table(manifest))

    marks = {"digest": f"sha256:{one.digest}", "withdrawn": one.withdrawn, "erased": gone}
    call.answer(kept | marks, tell)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]|FOLDER")
@click.option("--expect", metavar="sha256:…", help="The digest that was pinned.")
@click.option("--signed-by", metavar="KEY", help="The public key of the publisher.")
@click.option("--erased-by", metavar="KEY", help="The public key that erasures are signed with.")
@click.option("--allow-withdrawn", is_flag=True, help="A version that was withdrawn passes too.")
@with_cli_context
@click.pass_context
def verify(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
    *,
    release: str,
    expect: str | None,
    signed_by: str | None,
    erased_by: str | None,
    allow_withdrawn: bool,
) -> None:
    """Prove that every byte of a release is as it was published; offline, for a folder.

    Exit code 1, and what is wrong, if anything is, or the reason if it was withdrawn. Rows that
    were erased are counted and are not wrong: all others are proved. `goldpan release build` and
    `goldpan erase` print the keys that they sign with.

    \b
    Example:
      goldpan release verify support@3.1.0
      goldpan release verify ./support-3.1.0 --expect sha256:4f0c…
    """
    expected = None if expect is None else parse_pin(expect)
    keys = [None if key is None else parse_key(key) for key in (erased_by, signed_by)]
    if Path(release).is_dir():
        verdict = verify_folder(FolderStore(Path(release)), "", expected, *keys)
    else:
        shelf = release_setup.open_releases(call.settings)
        verdict = release_setup.verify_version(
            shelf, shelf.find(parse_reference(release)), expected, *keys
        )
    passes = verdict.passes(allow_withdrawn=allow_withdrawn)
    call.answer(
        verdict.to_json(allow_withdrawn=allow_withdrawn),
        lambda console: show_verdict(console, verdict, passes=passes),
    )
    if not passes:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]")
@with_cli_context
def sign(call: CliContext, *, release: str) -> None:
    """Sign a version that is there already, as its publisher, after proving it.

    `goldpan release build` signs by itself what it publishes while a signing key is set.

    \b
    Example:
      export GOLDPAN_RELEASE__SIGNING_KEY=$(openssl rand -base64 32)   # keep it
      goldpan release sign support@3.1.0
    """
    publisher = release_setup.load_publisher(call.settings)
    if publisher is None:
        raise UsageError(
            "No signing key is set: put 32 random bytes in base64 (for example from "
            "`openssl rand -base64 32`) into GOLDPAN_RELEASE__SIGNING_KEY, or name a file in "
            "GOLDPAN_RELEASE__SIGNING_KEY_FILE."
        )
    shelf = release_setup.open_releases(call.settings)
    one = shelf.find(parse_reference(release))
    _proved(shelf, one)
    release_setup.refuse_other_publisher(call.settings, shelf, publisher)
    put_signature(shelf, one, publisher)
    public = publisher.public
    call.answer(
        version_json(one) | {"signed_by": public},
        lambda console: console.print(
            f"{one.name}@{one.version} is signed by {public}", soft_wrap=True
        ),
    )


@click.command()
@click.argument("before", metavar="NAME@VERSION")
@click.argument("after", metavar="NAME@VERSION")
@with_cli_context
@click.pass_context
def diff(ctx: click.Context, call: CliContext, *, before: str, after: str) -> None:
    """Tell how two versions differ: rows added, removed, relabelled, and what that does to strata.

    Exit code 1 if they differ.

    \b
    Example:
      goldpan release diff support@3.0.0 support@latest
    """
    shelf = release_setup.open_releases(call.settings)
    old, new = (shelf.find(parse_reference(text)) for text in (before, after))
    if old.name != new.name:
        raise UsageError("Two versions of one release can be compared, not two releases.")
    rows = [json_rows(read_release_rows(shelf.read(one, DATA))) for one in (old, new)]
    gone = shelf.erasure_note(old).contents(read_manifest(shelf.read(old, MANIFEST)))
    found = diff_releases(rows[0], rows[1], gone)
    call.answer(difference_json(old, new, found), lambda console: show_difference(console, found))
    if not found.same:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]")
@click.option("--to", "target", type=click.Choice(list(EXPORT_FORMATS)), required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder to write into (made if missing).",
)
@click.option(
    "--side",
    type=click.Choice([DEVELOPMENT, HOLDOUT, "all"]),
    default="all",
    show_default=True,
    help="Only the rows of one side of the holdout line.",
)
@with_cli_context
def export(call: CliContext, *, release: str, target: str, out: Path, side: str) -> None:
    """Write a release in the format of another tool, after proving it.

    \b
    Example:
      goldpan release export support@3 --to langsmith --side development --out ./export
    """
    shelf = release_setup.open_releases(call.settings)
    one = shelf.find(parse_reference(release))
    verdict = _proved(shelf, one)
    rows = json_rows(read_release_rows(shelf.read(one, DATA)))
    chosen = [row for row in rows if side in {"all", row["split"]}]
    if rows and not chosen:
        raise UsageError(
            f"{one.name}@{one.version} has no row on the side {side}: its spec has no "
            "`holdout`, or one too small for its rows. Leave --side out for all rows."
        )
    files = EXPORT_FORMATS[target](chosen, one.name, str(one.version))
    store = FolderStore(out)
    for path, data in files.items():
        store.put(path, data)
    written = sorted(str(out / path) for path in files)
    noted = export_remarks(target, chosen)

    def show(console: Console) -> None:
        console.print(f"{format_count(len(chosen))} rows in {', '.join(written)}", soft_wrap=True)
        for one in noted[:_SHOWN]:
            console.print(one, soft_wrap=True)
        if len(noted) > _SHOWN:
            console.print(f"and {format_count(len(noted) - _SHOWN)} more such cells: see --json")

    told = {"rows": len(chosen), "erased": verdict.erased, "files": written, "remarks": noted}
    call.answer(told, show)


def _proved(shelf: ReleaseRepository, one: ReleaseVersion) -> ReleaseVerification:
    """Return the verdict on a version; UsageError if it is not whole, or was withdrawn."""
    verdict = release_setup.verify_version(shelf, one)
    if not verdict.ok:
        raise UsageError(
            f"{one.name}@{one.version} is not as it was published: {verdict.problems[0]} "
            f"(goldpan release verify {one.name}@{one.version})"
        )
    if one.withdrawn:
        raise UsageError(f"{one.name}@{one.version} was withdrawn: {verdict.withdrawn}")
    return verdict


@click.command()
@click.argument("release", metavar="NAME@VERSION")
@click.option("--reason", required=True, help="Why, for those who pinned it.")
@with_cli_context
def withdraw(call: CliContext, *, release: str, reason: str) -> None:
    """Withdraw a version: it stays as it is, bears the reason, and is no longer the latest.

    \b
    Example:
      goldpan release withdraw support@3.1.0 --reason "labels of 3 November were wrong"
    """
    shelf = release_setup.open_releases(call.settings)
    asked = parse_reference(release)
    if asked.selector.count(".") != 2 and not asked.selector.startswith("sha256:"):
        raise UsageError("Name the version to withdraw in full, as in name@3.1.0.")
    one = shelf.find(asked)
    if not shelf.put_new(f"{one.folder}/{WITHDRAWAL}", withdrawal_mark(one.digest, reason)):
        raise UsageError(f"{one.name}@{one.version} has been withdrawn before, for another reason.")
    call.answer(
        version_json(one) | {"state": "withdrawn", "reason": reason},
        lambda console: console.print(f"withdrawn: {one.name}@{one.version}"),
    )
