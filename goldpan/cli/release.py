"""``goldpan release``: build golden sets, look at them, prove them, hand them on, withdraw them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from batch.release.build import Built, Progress, draft, publish
from batch.release.diff import difference
from batch.release.erased import erased_of
from batch.release.exports import FORMATS, remarks
from batch.release.files import DATA, MANIFEST, SHEET, WITHDRAWN
from batch.release.manifest import MIXED, read_manifest
from batch.release.publisher import sign as put_signature
from batch.release.reading import read_rows
from batch.release.rows import json_rows
from batch.release.shelf import Shelf, Standing, TakenError
from batch.release.sides import DEVELOPMENT, HOLDOUT
from batch.release.spec import load_spec
from batch.release.verify import Verdict, withdrawal
from batch.release.verify import verify as verify_folder
from batch.release.version import Reference, parse_key, parse_pin, parse_reference
from goldpan import releases, synthetic
from goldpan.cli.call import Call, with_call
from goldpan.cli.figures import count_text
from goldpan.cli.main import NO
from goldpan.cli.plain_numbers import Whole
from goldpan.cli.release_show import (
    DIGITS,
    built_json,
    difference_json,
    policies_text,
    rows_text,
    show_built,
    show_difference,
    show_population,
    show_verdict,
    standing_json,
    strata_table,
)
from goldpan.cli.shown import PlainConsole, marked, visible
from lake.objects import FolderStore
from lake.snapshot import snapshot
from lake.tables import Lake
from schemas.errors import UsageError

_SHOWN: Final = 10


@click.command()
@click.argument("spec", type=click.Path(path_type=Path, dir_okay=False), metavar="SPEC.yaml")
@click.option("--traces-version", type=Whole(0), help="Version of table traces to read.")
@click.option("--labels-version", type=Whole(0), help="Version of table labels to read.")
@click.option("--memory-mib", type=Whole(128), default=1024, show_default=True)
@click.option("--take-over", is_flag=True, help="Abandon a version that a dead builder left open.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be in it.")
@with_call
@click.pass_context
def build(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: Call,
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
    publisher = releases.publisher(call.settings)
    described = load_spec(spec)
    offered = synthetic.offered(call.settings, described, spec.parent)
    shelf = releases.shelf(call.settings)
    if publisher is not None and not dry_run:
        releases.refuse_other_publisher(call.settings, shelf, publisher)
    lake = Lake(call.settings.lake)
    with _progress(call) as progress:
        means = releases.means(call.settings, memory_mib, progress)
        traces = snapshot(lake, "traces", traces_version)
        labels = snapshot(lake, "labels", labels_version)
        made = draft(described, traces, labels, means, offered)
        if dry_run:
            _tell_draft(call, made.true)
            return
        progress("publishing")
        try:
            built = publish(made, shelf, take_over=take_over)
        except TakenError as error:
            told = str(error)
            call.answer({"ok": False, "reason": told}, lambda c: c.print(told, markup=False))
            ctx.exit(NO)
    if publisher is not None:
        put_signature(shelf, _of(shelf, built), publisher)
    signed_by = publisher.public if publisher else None
    call.answer(
        built_json(built) | {"signed_by": signed_by},
        lambda console: show_built(console, built, signed_by),
    )


def _of(shelf: Shelf, built: Built) -> Standing:
    return shelf.find(Reference(built.name, str(built.version)))


@contextmanager
def _progress(call: Call) -> Iterator[Progress]:
    """Yield what the steps of a build are told to; shown only if a person watches."""
    console = PlainConsole(stderr=True)
    if not call.watched:
        yield lambda _what: None
        return
    with console.status("reading the lake") as status:
        yield status.update


def _tell_draft(call: Call, true: Mapping[str, Any]) -> None:
    kept = {key: value for key, value in true.items() if key not in {"rows", "spec"}}

    def show(console: Console) -> None:
        show_population(console, true["population"])
        console.print(f"would be {rows_text(true)}")
        console.print(strata_table(true))

    call.answer({"dry_run": True, **kept}, show)


@click.command(name="list")
@click.argument("name", required=False)
@with_call
def list_(call: Call, *, name: str | None) -> None:
    """List releases, all or those of one name, with their versions and digests.

    \b
    Example:
      goldpan release list
    """
    shelf = releases.shelf(call.settings)
    names = shelf.names() if name is None else [name]
    found = [one for each in names for one in shelf.standing(each)]
    data = [standing_json(one) for one in found]

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
@with_call
def show(call: Call, *, release: str, sheet: bool) -> None:
    """Show what a release is: rows, strata, where it came from.

    \b
    Example:
      goldpan release show support@3 --sheet
    """
    shelf = releases.shelf(call.settings)
    one = shelf.find(parse_reference(release))
    manifest = read_manifest(shelf.read(one, MANIFEST))
    gone = len(erased_of(shelf, one).rows)
    kept = {key: value for key, value in manifest.items() if key not in {"rows", "starter_rows"}}

    def tell(console: Console) -> None:
        if one.withdrawn:
            console.print(marked("red", "withdrawn", ": do not use it"))
        if gone:
            console.print(
                marked(
                    "yellow", f"{count_text(gone)} of its rows were erased", "; below is as built"
                )
            )
        if sheet:
            console.print(Markdown(visible(shelf.read(one, SHEET).decode())))
            return
        console.print(f"{one.name}@{one.version}: {rows_text(manifest)}")
        console.print(f"digest sha256:{one.digest}", soft_wrap=True)
        if MIXED in manifest:
            console.print(policies_text(manifest[MIXED]), soft_wrap=True)
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
@with_call
@click.pass_context
def verify(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: Call,
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
        shelf = releases.shelf(call.settings)
        verdict = releases.verified(shelf, shelf.find(parse_reference(release)), expected, *keys)
    passes = verdict.passes(allow_withdrawn=allow_withdrawn)
    call.answer(
        verdict.to_json(allow_withdrawn=allow_withdrawn),
        lambda console: show_verdict(console, verdict, passes=passes),
    )
    if not passes:
        ctx.exit(NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]")
@with_call
def sign(call: Call, *, release: str) -> None:
    """Sign a version that is there already, as its publisher, after proving it.

    `goldpan release build` signs by itself what it publishes while a signing key is set.

    \b
    Example:
      export GOLDPAN_RELEASE__SIGNING_KEY=$(openssl rand -base64 32)   # keep it
      goldpan release sign support@3.1.0
    """
    publisher = releases.publisher(call.settings)
    if publisher is None:
        raise UsageError(
            "No signing key is set: put 32 random bytes in base64 (for example from "
            "`openssl rand -base64 32`) into GOLDPAN_RELEASE__SIGNING_KEY, or name a file in "
            "GOLDPAN_RELEASE__SIGNING_KEY_FILE."
        )
    shelf = releases.shelf(call.settings)
    one = shelf.find(parse_reference(release))
    _proved(shelf, one)
    releases.refuse_other_publisher(call.settings, shelf, publisher)
    put_signature(shelf, one, publisher)
    public = publisher.public
    call.answer(
        standing_json(one) | {"signed_by": public},
        lambda console: console.print(
            f"{one.name}@{one.version} is signed by {public}", soft_wrap=True
        ),
    )


@click.command()
@click.argument("before", metavar="NAME@VERSION")
@click.argument("after", metavar="NAME@VERSION")
@with_call
@click.pass_context
def diff(ctx: click.Context, call: Call, *, before: str, after: str) -> None:
    """Tell how two versions differ: rows added, removed, relabelled, and what that does to strata.

    Exit code 1 if they differ.

    \b
    Example:
      goldpan release diff support@3.0.0 support@latest
    """
    shelf = releases.shelf(call.settings)
    old, new = (shelf.find(parse_reference(text)) for text in (before, after))
    if old.name != new.name:
        raise UsageError("Two versions of one release can be compared, not two releases.")
    rows = [json_rows(read_rows(shelf.read(one, DATA))) for one in (old, new)]
    gone = erased_of(shelf, old).contents(read_manifest(shelf.read(old, MANIFEST)))
    found = difference(rows[0], rows[1], gone)
    call.answer(difference_json(old, new, found), lambda console: show_difference(console, found))
    if not found.same:
        ctx.exit(NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]")
@click.option("--to", "target", type=click.Choice(list(FORMATS)), required=True)
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
@with_call
def export(call: Call, *, release: str, target: str, out: Path, side: str) -> None:
    """Write a release in the format of another tool, after proving it.

    \b
    Example:
      goldpan release export support@3 --to langsmith --side development --out ./export
    """
    shelf = releases.shelf(call.settings)
    one = shelf.find(parse_reference(release))
    verdict = _proved(shelf, one)
    rows = json_rows(read_rows(shelf.read(one, DATA)))
    chosen = [row for row in rows if side in {"all", row["split"]}]
    if rows and not chosen:
        raise UsageError(
            f"{one.name}@{one.version} has no row on the side {side}: its spec has no "
            "`holdout`, or one too small for its rows. Leave --side out for all rows."
        )
    files = FORMATS[target](chosen, one.name, str(one.version))
    store = FolderStore(out)
    for path, data in files.items():
        store.put(path, data)
    written = sorted(str(out / path) for path in files)
    noted = remarks(target, chosen)

    def show(console: Console) -> None:
        console.print(f"{count_text(len(chosen))} rows in {', '.join(written)}", soft_wrap=True)
        for one in noted[:_SHOWN]:
            console.print(one, soft_wrap=True)
        if len(noted) > _SHOWN:
            console.print(f"and {count_text(len(noted) - _SHOWN)} more such cells: see --json")

    told = {"rows": len(chosen), "erased": verdict.erased, "files": written, "remarks": noted}
    call.answer(told, show)


def _proved(shelf: Shelf, one: Standing) -> Verdict:
    """Return the verdict on a version; UsageError if it is not whole, or was withdrawn."""
    verdict = releases.verified(shelf, one)
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
@with_call
def withdraw(call: Call, *, release: str, reason: str) -> None:
    """Withdraw a version: it stays as it is, bears the reason, and is no longer the latest.

    \b
    Example:
      goldpan release withdraw support@3.1.0 --reason "labels of 3 November were wrong"
    """
    shelf = releases.shelf(call.settings)
    asked = parse_reference(release)
    if asked.which.count(".") != 2 and not asked.which.startswith("sha256:"):
        raise UsageError("Name the version to withdraw in full, as in name@3.1.0.")
    one = shelf.find(asked)
    if not shelf.put_new(f"{one.folder}/{WITHDRAWN}", withdrawal(one.digest, reason)):
        raise UsageError(f"{one.name}@{one.version} has been withdrawn before, for another reason.")
    call.answer(
        standing_json(one) | {"state": "withdrawn", "reason": reason},
        lambda console: console.print(f"withdrawn: {one.name}@{one.version}"),
    )
