"""``goldpan release``: build, show, verify, compare, export, sign and withdraw golden sets."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from batch.engines.spark_lake import SparkAddress
from batch.release.export.formats import EXPORT_FORMATS, export_remarks
from batch.release.format.files import DATA, DATASHEET, MANIFEST, WITHDRAWAL
from batch.release.format.manifest import MIXED_POLICIES, ReleaseFacts, read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import DEVELOPMENT, HOLDOUT, json_rows
from batch.release.publish.build import BuildResult, draft_release, publish_draft
from batch.release.publish.diff import diff_releases
from batch.release.publish.reference import ReleaseReference, parse_key, parse_pin, parse_reference
from batch.release.publish.repository import ReleaseClaimError, ReleaseRepository, ReleaseVersion
from batch.release.publish.signatures import sign_version as put_signature
from batch.release.publish.verify import ReleaseVerification, withdrawal_mark
from batch.release.publish.verify import verify_release as verify_folder
from batch.release.sampling.spec import load_spec
from goldpan import release_setup
from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.engine_options import (
    engine_name,
    log_engine,
    shown_steps,
    with_engine_options,
)
from goldpan.cli.formatting import format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.number_options import IntegerParam
from goldpan.cli.plain_console import escape_controls, styled
from goldpan.cli.release_output import (
    DIGITS,
    built_json,
    difference_json,
    policies_text,
    rows_text,
    show_built,
    show_difference,
    show_population,
    show_verification,
    strata_table,
    version_json,
)
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import UsageError

_SHOWN: Final = 10


@click.command()
@click.argument(
    "spec",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="SPEC.yaml",
    help="File of the spec.",
)
@click.option(
    "--traces-version",
    type=IntegerParam(0),
    help="Version of table traces to read; default: the latest.",
)
@click.option(
    "--labels-version",
    type=IntegerParam(0),
    help="Version of table labels to read; default: the latest.",
)
@click.option(
    "--memory-mib",
    type=IntegerParam(128),
    default=1024,
    show_default=True,
    help="Memory limit of DuckDB, in MiB.",
)
@click.option(
    "--take-over", is_flag=True, help="Replace an unfinished version of a builder that died."
)
@click.option("--dry-run", is_flag=True, help="Only show what the release would contain.")
@with_engine_options
@with_cli_context
@click.pass_context
def build(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    spec: Path,
    traces_version: int | None,
    labels_version: int | None,
    memory_mib: int,
    take_over: bool,
    dry_run: bool,
    spark: SparkAddress | None,
) -> None:
    """Build a release from a spec, and publish it if anything changed.

    The changes determine the new version. Exit code 1 if another builder was first. The engine
    changes no byte of a release; with Spark, exit code 3 if the server cannot be reached.

    \b
    Example:
      goldpan release build support.yaml
      goldpan release build support.yaml --engine spark --engine-url sc://spark:15002
    """
    publisher = release_setup.load_publisher(cli.settings)
    release_spec = load_spec(spec)
    synthetic = release_setup.load_synthetic_rows(cli.settings, release_spec, spec.parent)
    expectations = release_setup.load_expectations(cli.settings, release_spec, spec.parent)
    releases = release_setup.open_releases(cli.settings)
    if publisher is not None and not dry_run:
        release_setup.refuse_other_publisher(cli.settings, releases, publisher)
    lake = Lake(cli.settings.lake)
    with shown_steps(cli, "reading the lake") as progress:
        options = release_setup.make_build_context(cli.settings, memory_mib, progress)
        log_engine(cli, "release", spark)
        options = replace(options, expectations=expectations, spark=spark)
        traces = open_snapshot(lake, "traces", traces_version)
        labels = open_snapshot(lake, "labels", labels_version)
        draft = draft_release(release_spec, traces, labels, options, synthetic)
        if dry_run:
            _show_draft(cli, draft.facts, engine_name(spark))
            return
        progress("publishing")
        try:
            built = publish_draft(draft, releases, take_over=take_over)
        except ReleaseClaimError as error:
            reason = str(error)
            cli.answer({"ok": False, "reason": reason}, lambda c: c.print(reason, markup=False))
            ctx.exit(EXIT_NO)
    if publisher is not None:
        put_signature(releases, _built_version(releases, built), publisher)
    signed_by = publisher.public if publisher else None
    cli.answer(
        built_json(built) | {"signed_by": signed_by, "engine": engine_name(spark)},
        lambda console: show_built(console, built, signed_by),
    )


def _built_version(releases: ReleaseRepository, built: BuildResult) -> ReleaseVersion:
    return releases.find(ReleaseReference(built.name, str(built.version)))


def _show_draft(cli: CliContext, facts: ReleaseFacts, engine: str) -> None:
    summary = {key: value for key, value in facts.items() if key not in {"rows", "spec"}}

    def show(console: Console) -> None:
        show_population(console, facts["population"])
        console.print(f"would contain {rows_text(facts)}")
        console.print(strata_table(facts))

    cli.answer({"dry_run": True, "engine": engine, **summary}, show)


@click.command(name="list")
@click.argument("name", required=False, metavar="[NAME]", help="Name of a release.")
@with_cli_context
def list_(cli: CliContext, *, name: str | None) -> None:
    """List releases, all or those of one name, with their versions and digests.

    \b
    Example:
      goldpan release list
    """
    releases = release_setup.open_releases(cli.settings)
    names = releases.names() if name is None else [name]
    versions = [version for each in names for version in releases.versions(each)]
    data = [version_json(version) for version in versions]

    def show(console: Console) -> None:
        if not versions:
            console.print("there are no releases")
            return
        table = Table("release", "digest", "state", box=box.SIMPLE_HEAD)
        for version in versions:
            state = f"{version.state}, rows erased" if version.erased else version.state
            table.add_row(f"{version.name}@{version.version}", version.digest[:DIGITS], state)
        console.print(table)

    cli.answer({"releases": data}, show)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]", help="A release; default: the latest version.")
@click.option("--sheet", is_flag=True, help="Print the whole datasheet.")
@with_cli_context
def show(cli: CliContext, *, release: str, sheet: bool) -> None:
    """Show rows, strata and origin of a release.

    \b
    Example:
      goldpan release show support@3 --sheet
    """
    releases = release_setup.open_releases(cli.settings)
    version = releases.find(parse_reference(release))
    manifest = read_manifest(releases.read(version, MANIFEST))
    erased = len(releases.erasure_note(version).rows)
    summary = {key: value for key, value in manifest.items() if key not in {"rows", "starter_rows"}}

    def show_release(console: Console) -> None:
        if version.withdrawn:
            console.print(styled("red", "withdrawn", ": do not use it"))
        if erased:
            rows = f"{format_quantity(erased, 'row')} erased since"
            console.print(styled("yellow", rows, "; the figures below are those of the build"))
        if sheet:
            console.print(Markdown(escape_controls(releases.read(version, DATASHEET).decode())))
            return
        console.print(f"{version.name}@{version.version}: {rows_text(manifest)}")
        console.print(f"digest sha256:{version.digest}", soft_wrap=True)
        if MIXED_POLICIES in manifest:
            console.print(policies_text(manifest[MIXED_POLICIES]), soft_wrap=True)
        show_population(console, manifest["population"])
        console.print(strata_table(manifest))

    marks = {"digest": f"sha256:{version.digest}", "withdrawn": version.withdrawn, "erased": erased}
    cli.answer(summary | marks, show_release)


@click.command()
@click.argument(
    "release", metavar="NAME[@VERSION]|FOLDER", help="A release, or a folder with its files."
)
@click.option("--expect", metavar="sha256:…", help="The pinned digest to verify against.")
@click.option(
    "--signed-by", metavar="KEY", help="Public key that the publisher must have signed with."
)
@click.option("--erased-by", metavar="KEY", help="Public key that erasures must be signed with.")
@click.option("--allow-withdrawn", is_flag=True, help="Also accept a withdrawn version.")
@with_cli_context
@click.pass_context
def verify(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    release: str,
    expect: str | None,
    signed_by: str | None,
    erased_by: str | None,
    allow_withdrawn: bool,
) -> None:
    """Prove that every byte of a release is unchanged since publication; offline for a folder.

    Exit code 1 if anything is wrong, or if the release was withdrawn; then prints the problems or
    the reason. Erased rows are counted and are not an error; all other rows are verified. `goldpan
    release build` and `goldpan erase` print the keys that they sign with.

    \b
    Example:
      goldpan release verify support@3.1.0
      goldpan release verify ./support-3.1.0 --expect sha256:4f0c…
    """
    expected = None if expect is None else parse_pin(expect)
    keys = [None if key is None else parse_key(key) for key in (erased_by, signed_by)]
    if Path(release).is_dir():
        verification = verify_folder(FolderStore(Path(release)), "", expected, *keys)
    else:
        releases = release_setup.open_releases(cli.settings)
        verification = release_setup.verify_version(
            releases, releases.find(parse_reference(release)), expected, *keys
        )
    passes = verification.passes(allow_withdrawn=allow_withdrawn)
    cli.answer(
        verification.to_json(allow_withdrawn=allow_withdrawn),
        lambda console: show_verification(console, verification, passes=passes),
    )
    if not passes:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]", help="A release; default: the latest version.")
@with_cli_context
def sign(cli: CliContext, *, release: str) -> None:
    """Verify a published version, then sign it with the publisher's key.

    If a signing key is set, `goldpan release build` signs what it publishes.

    \b
    Example:
      export GOLDPAN_RELEASE__SIGNING_KEY=$(openssl rand -base64 32)   # keep it
      goldpan release sign support@3.1.0
    """
    publisher = release_setup.load_publisher(cli.settings)
    if publisher is None:
        raise UsageError(
            "No signing key is set: set GOLDPAN_RELEASE__SIGNING_KEY to 32 random bytes in base64 "
            "(for example from `openssl rand -base64 32`), or name a file with them in "
            "GOLDPAN_RELEASE__SIGNING_KEY_FILE."
        )
    releases = release_setup.open_releases(cli.settings)
    version = releases.find(parse_reference(release))
    _require_valid(releases, version)
    release_setup.refuse_other_publisher(cli.settings, releases, publisher)
    put_signature(releases, version, publisher)
    public = publisher.public
    cli.answer(
        version_json(version) | {"signed_by": public},
        lambda console: console.print(
            f"{version.name}@{version.version} is signed by {public}", soft_wrap=True
        ),
    )


@click.command()
@click.argument("before", metavar="BEFORE", help="The earlier version, such as support@3.0.0.")
@click.argument("after", metavar="AFTER", help="The later version, such as support@latest.")
@with_cli_context
@click.pass_context
def diff(ctx: click.Context, cli: CliContext, *, before: str, after: str) -> None:
    """Compare two versions: rows added, removed and relabelled, labels, and strata.

    Exit code 1 if they differ.

    \b
    Example:
      goldpan release diff support@3.0.0 support@latest
    """
    releases = release_setup.open_releases(cli.settings)
    old, new = (releases.find(parse_reference(text)) for text in (before, after))
    if old.name != new.name:
        raise UsageError("Only two versions of the same release can be compared.")
    old_rows, new_rows = (
        json_rows(read_release_rows(releases.read(version, DATA))) for version in (old, new)
    )
    old_manifest = read_manifest(releases.read(old, MANIFEST))
    erased = releases.erasure_note(old).contents(old_manifest)
    diff = diff_releases(old_rows, new_rows, erased)
    cli.answer(difference_json(old, new, diff), lambda console: show_difference(console, diff))
    if not diff.same:
        ctx.exit(EXIT_NO)


@click.command()
@click.argument("release", metavar="NAME[@VERSION]", help="A release; default: the latest version.")
@click.option(
    "--to",
    "target",
    type=click.Choice(list(EXPORT_FORMATS)),
    required=True,
    help="Format to write.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write to (created if missing).",
)
@click.option(
    "--side",
    type=click.Choice([DEVELOPMENT, HOLDOUT, "all"]),
    default="all",
    show_default=True,
    help="Only the rows of this side of the holdout split.",
)
@with_cli_context
def export(cli: CliContext, *, release: str, target: str, out: Path, side: str) -> None:
    """Verify a release, then convert it to the format of another tool.

    \b
    Example:
      goldpan release export support@3 --to langsmith --side development --out ./export
    """
    releases = release_setup.open_releases(cli.settings)
    version = releases.find(parse_reference(release))
    verification = _require_valid(releases, version)
    rows = json_rows(read_release_rows(releases.read(version, DATA)))
    selected = [row for row in rows if side in {"all", row["split"]}]
    if rows and not selected:
        raise UsageError(
            f"{version.name}@{version.version} has no rows on the side {side}: its spec has no "
            "`holdout`, or one too small for its rows. Omit --side to export all rows."
        )
    files = EXPORT_FORMATS[target](selected, version.name, str(version.version))
    store = FolderStore(out)
    for path, content in files.items():
        store.put(path, content)
    written = sorted(str(out / path) for path in files)
    remarks = export_remarks(target, selected)

    def show(console: Console) -> None:
        rows_written = format_quantity(len(selected), "row")
        console.print(f"{rows_written} in {', '.join(written)}", soft_wrap=True)
        for remark in remarks[:_SHOWN]:
            console.print(remark, soft_wrap=True)
        if len(remarks) > _SHOWN:
            rest = format_quantity(len(remarks) - _SHOWN, "more remark")
            console.print(f"and {rest}: --json lists all")

    data = {
        "rows": len(selected),
        "erased": verification.erased,
        "files": written,
        "remarks": remarks,
    }
    cli.answer(data, show)


def _require_valid(releases: ReleaseRepository, version: ReleaseVersion) -> ReleaseVerification:
    """Return the verdict on a version; UsageError if it is not whole, or was withdrawn."""
    verification = release_setup.verify_version(releases, version)
    if not verification.ok:
        raise UsageError(
            f"{version.name}@{version.version} has changed since publication: "
            f"{verification.problems[0]} (goldpan release verify {version.name}@{version.version})"
        )
    if version.withdrawn:
        raise UsageError(
            f"{version.name}@{version.version} was withdrawn: {verification.withdrawn}"
        )
    return verification


@click.command()
@click.argument("release", metavar="NAME@VERSION", help="The version, in full.")
@click.option("--reason", required=True, help="Reason, shown to users who pinned it.")
@with_cli_context
def withdraw(cli: CliContext, *, release: str, reason: str) -> None:
    """Withdraw a version: it stays unchanged, shows the reason, and is no longer the latest.

    \b
    Example:
      goldpan release withdraw support@3.1.0 --reason "labels of 3 November were wrong"
    """
    releases = release_setup.open_releases(cli.settings)
    reference = parse_reference(release)
    if reference.selector.count(".") != 2 and not reference.selector.startswith("sha256:"):
        raise UsageError("Name the version to withdraw in full, as in name@3.1.0.")
    version = releases.find(reference)
    if not releases.put_new(
        f"{version.folder}/{WITHDRAWAL}", withdrawal_mark(version.digest, reason)
    ):
        raise UsageError(
            f"{version.name}@{version.version} was already withdrawn, for another reason."
        )
    cli.answer(
        version_json(version) | {"state": "withdrawn", "reason": reason},
        lambda console: console.print(f"withdrawn: {version.name}@{version.version}"),
    )
