"""Building a release: select, compare with the last version, decide the next, write, publish."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from batch.release.contract import contract
from batch.release.datasheet import datasheet
from batch.release.document import html, markdown
from batch.release.engine import Engine
from batch.release.erased import erased_of
from batch.release.expired import whole
from batch.release.files import (
    CHECKSUMS,
    CONTRACT,
    DATA,
    LINEAGE,
    MANIFEST,
    PAGE,
    SHEET,
    STARTER,
    checksums,
    jsonl,
    parquet,
    sha256,
    starter,
)
from batch.release.lineage import lineage
from batch.release.manifest import MIXED, facts, manifest, mixed_policies, read_manifest
from batch.release.reading import read_rows
from batch.release.reasons import other_labels, spec_changes
from batch.release.rows import commitments, json_rows, salted
from batch.release.selection import select
from batch.release.shelf import Shelf, Standing, TakenError, last_published
from batch.release.spec import Spec
from batch.release.synthetic import Offered
from batch.release.version import (
    FIRST,
    Changes,
    Level,
    Version,
    changes,
    following,
    row_facts,
)
from batch.scratch import root, scratch, sweep
from lake.snapshot import Snapshot

NOT_FACTS: Final = ("version", "previous", "files", "starter_rows")
"""What of a manifest depends on which release came before."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """The rows of a release with their salts, and everything that is true of it in any version."""

    true: Mapping[str, Any]
    rows: pa.Table
    contents: Sequence[str]


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a build. ``changes`` are against ``before``, the version that it follows.

    ``level`` NONE: nothing is new, and ``version`` is the one that is there. ``policies`` counts
    the rows by redaction policy, where they are of more than one. ``why`` says what of the spec is
    another than in that version, ``population`` is what the manifest says of the traces.
    """

    name: str
    version: Version
    digest: str
    level: Level
    changes: Changes
    before: Version | None
    rows: int
    policies: Mapping[str, int]
    why: Sequence[str]
    population: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Means:
    """What a build needs beside the lake: a secret for the salts, memory, what the code is."""

    key: bytes
    memory_bytes: int
    code: Mapping[str, str]
    progress: Progress = lambda _what: None


def draft(
    spec: Spec, traces: Snapshot, labels: Snapshot, means: Means, offered: Offered | None = None
) -> Draft:
    """Select the rows of a release and commit to them; nothing is written.

    ``offered`` are the synthetic rows that the spec names. Raises UsageError if the spec cannot be
    met, or if something of its window has expired; otherwise as the lake does.
    """
    window = whole(spec, traces, labels)
    if swept := sweep(root()):
        means.progress(f"removed the temporary folders of {swept} selections that died")
    with (
        scratch(root()) as folder,
        Engine(
            window.spec, traces, labels, folder=folder, memory_bytes=means.memory_bytes
        ) as engine,
    ):
        selection = select(window.spec, traces, engine, means.progress, offered)
    window.check_named(selection.rows)
    selection = replace(selection, spec=spec)
    rows = salted(selection.rows, spec.name, means.key)
    committed = commitments(json_rows(rows))
    true = facts(selection, [traces, labels], committed, key=means.key, code=means.code)
    if selection.synthetic is not None:
        true["synthetic"] = selection.synthetic.to_json()
    true |= mixed_policies(rows["_policy"].to_pylist())
    return Draft(true | window.to_json(), rows, [row.content for row in committed])


def assemble(made: Draft, version: Version, previous: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Return all files of a version, by name."""
    rows = json_rows(made.rows)
    name, text = made.true["name"], str(version)
    page = datasheet(made.true, text, previous, rows)
    small = starter(rows, made.true["spec"]["starter"])
    files = {
        DATA: parquet(made.rows),
        STARTER: jsonl([rows[i] for i in small]),
        SHEET: markdown(page).encode(),
        PAGE: html(f"{name} {text}", page).encode(),
        CONTRACT: contract(name, text, made.true["spec"]["description"]),
        LINEAGE: lineage(made.true, text),
    }
    files[MANIFEST] = manifest(made.true, version, files, previous, small)
    files[CHECKSUMS] = checksums(files)
    return files


def publish(made: Draft, shelf: Shelf, *, take_over: bool = False) -> Built:
    """Give the draft its version and publish it; if nothing is new, return the version there is.

    Raises TakenError if another builder is at it (with ``take_over`` his version is abandoned), or
    if rows that were read have been erased since.
    """
    name, count = made.true["name"], made.true["row_count"]
    mixed: Mapping[str, int] = made.true.get(MIXED, {})
    _refuse_erased(made, shelf)
    there = shelf.standing(name)
    before = last_published(there)
    found, level, why = _compared(made, shelf, before)
    told = (why, made.true["population"])
    if before is not None and level is Level.NONE:
        old = before.version
        return Built(name, old, before.digest, level, found, old, count, mixed, *told)
    version = next_version(there, level)
    files = assemble(made, version, None if before is None else previous(before, found, why))
    one = claimed(shelf, name, there, version, files)
    if one is None:
        if not take_over:
            raise _begun_by_another(there)
        abandon_begun(shelf, there)
        return publish(made, shelf, take_over=take_over)
    try:
        _refuse_erased(made, shelf)
    except TakenError:
        shelf.abandon(one)
        raise
    shelf.fill(one, files)
    follows = before.version if before else None
    return Built(name, version, one.digest, level, found, follows, count, mixed, *told)


def _refuse_erased(made: Draft, shelf: Shelf) -> None:
    """Refuse what was read before an erasure; called before and after the claim (see `Shelf`)."""
    read = {table: pinned["version"] for table, pinned in made.true["lake"].items()}
    for fence in shelf.fences():
        for table, needed in (("traces", fence.traces), ("labels", fence.labels)):
            if read[table] < needed:
                raise TakenError(
                    f"rows of table {table} were erased since version {read[table]}, which was "
                    f"read: build again, from version {needed} or a newer one"
                )


def claimed(
    shelf: Shelf,
    name: str,
    there: Sequence[Standing],
    version: Version,
    files: Mapping[str, bytes],
) -> Standing | None:
    """Claim a version, or take up one's own claim; None if another has begun one.

    Raises TakenError if another claims it at the same time.
    """
    begun = next((s for s in there if s.state == "begun"), None)
    mine = (version, sha256(files[MANIFEST]))
    if begun is not None and (begun.version, begun.digest) != mine:
        return None
    number = len(there) + 1 if begun is None else begun.number
    return shelf.claim(name, number, version, files)


def abandon_begun(shelf: Shelf, there: Sequence[Standing]) -> None:
    """Abandon the versions that were begun."""
    for one in there:
        if one.state == "begun":
            shelf.abandon(one)


def _begun_by_another(there: Sequence[Standing]) -> TakenError:
    begun = ", ".join(f"{s.name} {s.version}" for s in there if s.state == "begun")
    return TakenError(
        f"another builder has begun {begun}: it will be there soon; if that builder is dead, build "
        "again with --take-over"
    )


def _compared(
    made: Draft, shelf: Shelf, before: Standing | None
) -> tuple[Changes, Level, list[str]]:
    """Return how the rows differ from those of a version, what that makes of it, and why."""
    after = row_facts(json_rows(made.rows), made.contents)
    if before is None:
        found = changes({}, after)
        return found, Level.MAJOR, []
    old = read_manifest(shelf.read(before, MANIFEST))
    rows = json_rows(read_rows(shelf.read(before, DATA)))
    gone = erased_of(shelf, before).contents(old)
    found = changes(row_facts(rows, [row.content for row in commitments(rows)]), after, gone)
    same = {key: value for key, value in old.items() if key not in NOT_FACTS} == made.true
    why = spec_changes(old["spec"], made.true["spec"])
    level = found.level if found.level is not Level.NONE or same else Level.PATCH
    if other_labels(old["spec"], made.true["spec"]):
        level = Level.MAJOR  # the rows stand for other traces, even if none of them is gone
    return found, level, why


def previous(before: Standing, found: Changes, why: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a manifest says of the version that it follows, and why it is another."""
    return {
        **({"why": list(why)} if why else {}),
        "version": str(before.version),
        "digest": f"sha256:{before.digest}",
        "changes": found.counts(),
    }


def next_version(there: Sequence[Standing], level: Level) -> Version:
    """Return the version that comes next, if so much changed; none that was abandoned."""
    before = last_published(there)
    burnt = {s.version for s in there if s.abandoned}
    version = FIRST if before is None else following(before.version, level)
    while version in burnt:
        version = following(version, level)
    return version
