"""Building a release: select, compare with the last version, decide the next, write, publish."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from batch.bounded_duckdb import remove_stale_temp_dirs, temp_dir, temp_root
from batch.release.format.contract import release_contract
from batch.release.format.erasure_note import load_erasure_note
from batch.release.format.files import (
    CHECKSUMS,
    CONTRACT,
    DATA,
    DATASHEET,
    DATASHEET_HTML,
    LINEAGE,
    MANIFEST,
    STARTER,
    checksum_file,
    choose_starter_rows,
    encode_jsonl,
    encode_parquet,
    sha256,
)
from batch.release.format.lineage import lineage_event
from batch.release.format.manifest import (
    MIXED_POLICIES,
    count_mixed_policies,
    encode_manifest,
    read_manifest,
    release_facts,
)
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import add_salts, json_rows, row_commitments
from batch.release.format.version import (
    FIRST_VERSION,
    ChangeLevel,
    RowChanges,
    SemanticVersion,
    bump_version,
    compare_rows,
    row_fingerprints,
)
from batch.release.pages.datasheet import datasheet_blocks
from batch.release.pages.markup import render_html, render_markdown
from batch.release.publish.repository import (
    ReleaseClaimError,
    ReleaseRepository,
    ReleaseVersion,
    last_published_version,
)
from batch.release.publish.spec_changes import describe_spec_changes, requires_other_labels
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.retained_window import retained_window
from batch.release.sampling.selection import select_rows
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.synthetic_rows import SyntheticOffer
from lake.snapshot import TableSnapshot

VERSION_KEYS: Final = ("version", "previous", "files", "starter_rows")
"""What of a manifest depends on which release came before."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, repr=False)
class ReleaseDraft:
    """The rows of a release with their salts, and everything that is true of it in any version."""

    true: Mapping[str, Any]
    rows: pa.Table
    contents: Sequence[str]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What came of a build. ``compare_rows`` are against ``before``, the version that it follows.

    ``level`` NONE: nothing is new, and ``version`` is the one that is there. ``policies`` counts
    the rows by redaction policy, where they are of more than one. ``why`` says what of the spec is
    another than in that version, ``population`` is what the manifest says of the traces.
    """

    name: str
    version: SemanticVersion
    digest: str
    level: ChangeLevel
    changes: RowChanges
    before: SemanticVersion | None
    rows: int
    policies: Mapping[str, int]
    why: Sequence[str]
    population: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class BuildOptions:
    """What a build needs beside the lake: a secret for the salts, memory, what the code is."""

    key: bytes
    memory_bytes: int
    code: Mapping[str, str]
    progress: Progress = lambda _what: None


def draft_release(
    spec: ReleaseSpec,
    traces: TableSnapshot,
    labels: TableSnapshot,
    means: BuildOptions,
    offered: SyntheticOffer | None = None,
) -> ReleaseDraft:
    """Select the rows of a release and commit to them; nothing is written.

    ``offered`` are the synthetic rows that the spec names. Raises UsageError if the spec cannot be
    met, or if something of its window has expired; otherwise as the lake does.
    """
    window = retained_window(spec, traces, labels)
    if swept := remove_stale_temp_dirs(temp_root()):
        means.progress(f"removed the temporary folders of {swept} selections that died")
    with (
        temp_dir(temp_root()) as folder,
        SelectionEngine(
            window.spec, traces, labels, folder=folder, memory_bytes=means.memory_bytes
        ) as engine,
    ):
        selection = select_rows(window.spec, traces, engine, means.progress, offered)
    window.check_named(selection.rows)
    selection = replace(selection, spec=spec)
    rows = add_salts(selection.rows, spec.name, means.key)
    committed = row_commitments(json_rows(rows))
    true = release_facts(selection, [traces, labels], committed, key=means.key, code=means.code)
    if selection.synthetic is not None:
        true["synthetic"] = selection.synthetic.to_json()
    true |= count_mixed_policies(rows["_policy"].to_pylist())
    return ReleaseDraft(true | window.to_json(), rows, [row.content for row in committed])


def assemble_files(
    made: ReleaseDraft, version: SemanticVersion, previous: Mapping[str, Any] | None
) -> dict[str, bytes]:
    """Return all files of a version, by name."""
    rows = json_rows(made.rows)
    name, text = made.true["name"], str(version)
    page = datasheet_blocks(made.true, text, previous, rows)
    small = choose_starter_rows(rows, made.true["spec"]["starter"])
    files = {
        DATA: encode_parquet(made.rows),
        STARTER: encode_jsonl([rows[i] for i in small]),
        DATASHEET: render_markdown(page).encode(),
        DATASHEET_HTML: render_html(f"{name} {text}", page).encode(),
        CONTRACT: release_contract(name, text, made.true["spec"]["description"]),
        LINEAGE: lineage_event(made.true, text),
    }
    files[MANIFEST] = encode_manifest(made.true, version, files, previous, small)
    files[CHECKSUMS] = checksum_file(files)
    return files


def publish_draft(
    made: ReleaseDraft, shelf: ReleaseRepository, *, take_over: bool = False
) -> BuildResult:
    """Give the draft its version and publish it; if nothing is new, return the version there is.

    Raises TakenError if another builder is at it (with ``take_over`` his version is abandoned), or
    if rows that were read have been erased since.
    """
    name, count = made.true["name"], made.true["row_count"]
    mixed: Mapping[str, int] = made.true.get(MIXED_POLICIES, {})
    _refuse_erased(made, shelf)
    there = shelf.standing(name)
    before = last_published_version(there)
    found, level, why = _compared(made, shelf, before)
    told = (why, made.true["population"])
    if before is not None and level is ChangeLevel.NONE:
        old = before.version
        return BuildResult(name, old, before.digest, level, found, old, count, mixed, *told)
    version = next_version(there, level)
    files = assemble_files(
        made, version, None if before is None else predecessor_entry(before, found, why)
    )
    one = claim_version(shelf, name, there, version, files)
    if one is None:
        if not take_over:
            raise _begun_by_another(there)
        abandon_begun(shelf, there)
        return publish_draft(made, shelf, take_over=take_over)
    try:
        _refuse_erased(made, shelf)
    except ReleaseClaimError:
        shelf.abandon(one)
        raise
    shelf.fill(one, files)
    follows = before.version if before else None
    return BuildResult(name, version, one.digest, level, found, follows, count, mixed, *told)


def _refuse_erased(made: ReleaseDraft, shelf: ReleaseRepository) -> None:
    """Refuse what was read before an erasure; called before and after the claim (see `ReleaseRepository`)."""
    read = {table: pinned["version"] for table, pinned in made.true["lake"].items()}
    for fence in shelf.fences():
        for table, needed in (("traces", fence.traces), ("labels", fence.labels)):
            if read[table] < needed:
                raise ReleaseClaimError(
                    f"rows of table {table} were erased since version {read[table]}, which was "
                    f"read: build again, from version {needed} or a newer one"
                )


def claim_version(
    shelf: ReleaseRepository,
    name: str,
    there: Sequence[ReleaseVersion],
    version: SemanticVersion,
    files: Mapping[str, bytes],
) -> ReleaseVersion | None:
    """Claim a version, or take up one's own claim; None if another has begun one.

    Raises TakenError if another claims it at the same time.
    """
    begun = next((s for s in there if s.state == "begun"), None)
    mine = (version, sha256(files[MANIFEST]))
    if begun is not None and (begun.version, begun.digest) != mine:
        return None
    number = len(there) + 1 if begun is None else begun.number
    return shelf.claim(name, number, version, files)


def abandon_begun(shelf: ReleaseRepository, there: Sequence[ReleaseVersion]) -> None:
    """Abandon the versions that were begun."""
    for one in there:
        if one.state == "begun":
            shelf.abandon(one)


def _begun_by_another(there: Sequence[ReleaseVersion]) -> ReleaseClaimError:
    begun = ", ".join(f"{s.name} {s.version}" for s in there if s.state == "begun")
    return ReleaseClaimError(
        f"another builder has begun {begun}: it will be there soon; if that builder is dead, build "
        "again with --take-over"
    )


def _compared(
    made: ReleaseDraft, shelf: ReleaseRepository, before: ReleaseVersion | None
) -> tuple[RowChanges, ChangeLevel, list[str]]:
    """Return how the rows differ from those of a version, what that makes of it, and why."""
    after = row_fingerprints(json_rows(made.rows), made.contents)
    if before is None:
        found = compare_rows({}, after)
        return found, ChangeLevel.MAJOR, []
    old = read_manifest(shelf.read(before, MANIFEST))
    rows = json_rows(read_release_rows(shelf.read(before, DATA)))
    gone = load_erasure_note(shelf, before).contents(old)
    found = compare_rows(
        row_fingerprints(rows, [row.content for row in row_commitments(rows)]), after, gone
    )
    same = {key: value for key, value in old.items() if key not in VERSION_KEYS} == made.true
    why = describe_spec_changes(old["spec"], made.true["spec"])
    level = found.level if found.level is not ChangeLevel.NONE or same else ChangeLevel.PATCH
    if requires_other_labels(old["spec"], made.true["spec"]):
        level = ChangeLevel.MAJOR  # the rows stand for other traces, even if none of them is gone
    return found, level, why


def predecessor_entry(
    before: ReleaseVersion, found: RowChanges, why: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a manifest says of the version that it follows, and why it is another."""
    return {
        **({"why": list(why)} if why else {}),
        "version": str(before.version),
        "digest": f"sha256:{before.digest}",
        "changes": found.counts(),
    }


def next_version(there: Sequence[ReleaseVersion], level: ChangeLevel) -> SemanticVersion:
    """Return the version that comes next, if so much changed; none that was abandoned."""
    before = last_published_version(there)
    burnt = {s.version for s in there if s.abandoned}
    version = FIRST_VERSION if before is None else bump_version(before.version, level)
    while version in burnt:
        version = bump_version(version, level)
    return version
