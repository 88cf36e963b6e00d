"""Building a release: select, compare with the last version, decide the next, write, publish."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from batch.release.contract import contract
from batch.release.datasheet import datasheet
from batch.release.document import html, markdown
from batch.release.engine import Engine
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
from batch.release.manifest import facts, manifest, read_manifest
from batch.release.reading import read_rows
from batch.release.rows import commitments, json_rows, salted
from batch.release.selection import select
from batch.release.shelf import Shelf, Standing, TakenError, last_published
from batch.release.spec import Spec
from batch.release.version import (
    FIRST,
    Changes,
    Level,
    Version,
    changes,
    following,
    row_facts,
)
from lake.snapshot import Snapshot

NOT_FACTS: Final = ("version", "previous", "files")
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

    ``level`` NONE: nothing is new, and ``version`` is the one that is there.
    """

    name: str
    version: Version
    digest: str
    level: Level
    changes: Changes
    before: Version | None
    rows: int


@dataclass(frozen=True, slots=True, repr=False)
class Means:
    """What a build needs beside the lake: a secret for the salts, memory, what the code is."""

    key: bytes
    memory_bytes: int
    code: Mapping[str, str]
    progress: Progress = lambda _what: None


def draft(spec: Spec, traces: Snapshot, labels: Snapshot, means: Means) -> Draft:
    """Select the rows of a release and commit to them; nothing is written.

    Raises UsageError if the spec cannot be met, otherwise as the lake does.
    """
    with (
        tempfile.TemporaryDirectory(prefix="goldpan-release-") as folder,
        Engine(
            spec, traces, labels, folder=Path(folder), memory_bytes=means.memory_bytes
        ) as engine,
    ):
        selection = select(spec, traces, engine, means.progress)
    rows = salted(selection.rows, spec.name, means.key)
    committed = commitments(json_rows(rows))
    true = facts(selection, [traces, labels], committed, means.code)
    return Draft(true, rows, [row.content for row in committed])


def assemble(made: Draft, version: Version, previous: Mapping[str, Any] | None) -> dict[str, bytes]:
    """Return all files of a version, by name."""
    rows = json_rows(made.rows)
    name, text = made.true["name"], str(version)
    page = datasheet(made.true, text, previous, rows)
    files = {
        DATA: parquet(made.rows),
        STARTER: jsonl(starter(made.rows, made.true["spec"]["starter"])),
        SHEET: markdown(page).encode(),
        PAGE: html(f"{name} {text}", page).encode(),
        CONTRACT: contract(name, text, made.true["spec"]["description"]),
        LINEAGE: lineage(made.true, text),
    }
    files[MANIFEST] = manifest(made.true, version, files, previous)
    files[CHECKSUMS] = checksums(files)
    return files


def publish(made: Draft, shelf: Shelf, *, take_over: bool = False) -> Built:
    """Give the draft its version and publish it; if nothing is new, return the version there is.

    Raises TakenError if another builder is at it; with ``take_over`` his version is abandoned.
    """
    name = made.true["name"]
    there = shelf.standing(name)
    before = last_published(there)
    found, level = _compared(made, shelf, before)
    if before is not None and level is Level.NONE:
        count = made.true["row_count"]
        return Built(name, before.version, before.digest, level, found, before.version, count)
    previous = None if before is None else _previous(before, found)
    open_claim = next((s for s in there if not s.published and not s.abandoned), None)
    burnt = {s.version for s in there if s.abandoned}
    version = _next(before, level, burnt)
    files = assemble(made, version, previous)
    number = len(there) + 1
    if open_claim is not None:
        mine = (open_claim.version, open_claim.digest) == (version, sha256(files[MANIFEST]))
        if mine:
            number = open_claim.number
        elif not take_over:
            raise TakenError(
                f"another builder has begun {name} {open_claim.version}: it will be there soon; if "
                "that builder is dead, build again with --take-over"
            )
        else:
            shelf.abandon(open_claim)
            return publish(made, shelf, take_over=take_over)
    shelf.publish(name, number, version, files)
    return Built(
        name,
        version,
        sha256(files[MANIFEST]),
        level,
        found,
        before.version if before else None,
        made.true["row_count"],
    )


def _compared(made: Draft, shelf: Shelf, before: Standing | None) -> tuple[Changes, Level]:
    after = row_facts(json_rows(made.rows), made.contents)
    if before is None:
        found = changes({}, after)
        return found, Level.MAJOR
    old = read_manifest(shelf.read(before, MANIFEST))
    rows = json_rows(read_rows(shelf.read(before, DATA)))
    found = changes(row_facts(rows, [row.content for row in commitments(rows)]), after)
    same = {key: value for key, value in old.items() if key not in NOT_FACTS} == made.true
    return found, found.level if found.level is not Level.NONE or same else Level.PATCH


def _previous(before: Standing, found: Changes) -> dict[str, Any]:
    return {
        "version": str(before.version),
        "digest": f"sha256:{before.digest}",
        "changes": found.counts(),
    }


def _next(before: Standing | None, level: Level, burnt: set[Version]) -> Version:
    version = FIRST if before is None else following(before.version, level)
    while version in burnt:
        version = following(version, level)
    return version
