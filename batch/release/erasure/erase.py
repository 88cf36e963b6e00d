"""Erases a person from releases: rows with content and salt, everywhere, and makes successors.

1. *fence*: from here on no builder can publish what was read before the rows left the tables
   (`batch.release.publish.repository`);
2. each version: of a published one the rows are taken out (`batch.release.erasure.rewrite_version`); one that was
   only begun is abandoned and its rows are blanked, unless it holds nobody who has to go;
3. older versions of objects, which a bucket may keep, and what dead writers left are purged, also
   what dead selections spilled on this machine (`batch.bounded_duckdb`);
4. each name of which the latest version has lost rows gets a successor
   (`batch.release.erasure.successor`).

Each step may be repeated and finds what is left to do, so after a crash the same call goes on.
Copies that were exported or downloaded are out of reach.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from batch.bounded_duckdb import remove_stale_temp_dirs, temp_root
from batch.release.erasure.criteria import ErasureCriteria, MatchReason
from batch.release.erasure.rewrite_version import ErasureOrder, rewrite_version
from batch.release.erasure.successor import find_successor, is_successor, publish_successor
from batch.release.format.erasure_note import load_erasure_note
from batch.release.format.files import (
    CONTRACT,
    DATA,
    DATASHEET,
    DATASHEET_HTML,
    LINEAGE,
    MANIFEST,
    ROW_FILES,
    STARTER,
    WITHDRAWAL,
)
from batch.release.format.manifest import read_manifest
from batch.release.format.reader import read_release_rows, read_starter_rows
from batch.release.format.rows import json_rows
from batch.release.publish.repository import PublishFence, ReleaseRepository, ReleaseVersion
from schemas.errors import FatalError

Progress = Callable[[str], None]
_TOLD: Final = (DATASHEET, DATASHEET_HTML, LINEAGE, CONTRACT, WITHDRAWAL)


@dataclass(frozen=True, slots=True)
class AffectedVersion:
    """A version that holds rows of a person (``rows``), or of others who name them (``mentions``).

    ``state`` is published, withdrawn, begun or abandoned.
    """

    name: str
    version: str
    state: str
    rows: int
    mentions: int


@dataclass(frozen=True, slots=True)
class ErasedVersion:
    """What an erasure took from a version, as in `AffectedVersion`, and the version made in its place.

    Of a version that was never published it is what this call found there.
    """

    name: str
    version: str
    state: str
    rows: int
    mentions: int
    successor: str | None


def find_affected_versions(
    shelf: ReleaseRepository, wanted: ErasureCriteria
) -> list[AffectedVersion]:
    """Return the versions that hold wanted rows, by name and version; nothing is changed."""
    found = [_found(shelf, one, wanted) for one in _everything(shelf)]
    return [one for one in found if one.rows or one.mentions]


def list_trace_ids(shelf: ReleaseRepository) -> set[str]:
    """Return the ids of all traces in all versions, for who knows them by marks only."""
    return _values(shelf, "trace_id")


def list_label_events(shelf: ReleaseRepository) -> set[str]:
    """Return the ids of all label events in all versions, likewise."""
    return _values(shelf, "label_event_id") - {None}


def _values(shelf: ReleaseRepository, column: str) -> set[Any]:
    return {
        row[column]
        for one in _everything(shelf)
        for file in ROW_FILES
        for row in _rows(shelf, one, file) or ()
    }


def erase_from_releases(
    shelf: ReleaseRepository,
    wanted: ErasureCriteria,
    order: ErasureOrder,
    progress: Progress = lambda _what: None,
) -> list[ErasedVersion]:
    """Erase the wanted rows from all releases; return what this erasure took, in all its calls.

    To be called when the rows are gone from the tables. Raises FatalError where it cannot be told
    whose rows a file holds, or where a manifest names one of the traces; the rows are gone from all
    other versions by then.
    """
    tables = (order.tables.get(table, 0) for table in ("traces", "labels"))
    shelf.fence(PublishFence(order.number, *tables))
    closed = _erase_everywhere(shelf, wanted, order, progress)
    progress("purging older versions of files")
    _purge(shelf, wanted)
    remove_stale_temp_dirs(temp_root())
    for name in shelf.names():
        progress(f"making the successor of {name}")
        publish_successor(shelf, name)
    _refuse_named(shelf, wanted)
    return _done(shelf, order, closed)


def _erase_everywhere(
    shelf: ReleaseRepository, wanted: ErasureCriteria, order: ErasureOrder, progress: Progress
) -> dict[tuple[str, str], AffectedVersion]:
    """Take the rows out of all versions; return what was in those that were never published.

    Looks again until there is no version that it has not seen: another erasure at work may have
    begun a successor of rows that are wanted here. From then on it cannot (see `publish_successor`).
    """
    closed: dict[tuple[str, str], AffectedVersion] = {}
    failures: list[FatalError] = []
    seen: set[ReleaseVersion] = set()
    while todo := [one for one in _everything(shelf) if one not in seen]:
        seen.update(todo)
        for one in sorted(todo, key=lambda one: not one.published):
            progress(f"erasing from {one.name}@{one.version}")
            try:
                found = _erased_from(shelf, one, wanted, order)
            except FatalError as error:
                failures.append(error)
            else:
                closed |= {} if found is None else {(one.name, str(one.version)): found}
    if failures:
        raise failures[0]
    return closed


def _erased_from(
    shelf: ReleaseRepository, one: ReleaseVersion, wanted: ErasureCriteria, order: ErasureOrder
) -> AffectedVersion | None:
    """Take the rows out of a version; return what was there if it was never published."""
    found = None if one.published else _found(shelf, one, wanted)
    if found is None or not _closed(shelf, one, wanted):
        rewrite_version(shelf, one, wanted, order)
        return None
    return found if found.rows or found.mentions else None


def _everything(shelf: ReleaseRepository) -> Iterator[ReleaseVersion]:
    for name in shelf.names():
        yield from sorted(shelf.standing(name), key=lambda one: one.version)


def _found(
    shelf: ReleaseRepository, one: ReleaseVersion, wanted: ErasureCriteria
) -> AffectedVersion:
    whys: dict[str, MatchReason | None] = {}
    for file in ROW_FILES:
        for row in _rows(shelf, one, file) or ():
            whys[row["trace_id"]] = wanted.why(row)
    own, mentions = (sum(why is kind for why in whys.values()) for kind in MatchReason)
    return AffectedVersion(one.name, str(one.version), one.state, own, mentions)


def _rows(shelf: ReleaseRepository, one: ReleaseVersion, file: str) -> list[dict[str, Any]] | None:
    """Return the rows in a file; None if it is not there, or not published and cannot be read."""
    data = shelf.find_file(one, file)
    if data is None:
        return None
    try:
        return _read(file, data)
    except FatalError as error:
        if not one.published:
            return None
        raise FatalError(
            f"releases/{one.folder}: {error}, so nobody can tell whose rows it holds: put it back "
            "as it was, or remove the folder of that version"
        ) from None


def _read(file: str, data: bytes) -> list[dict[str, Any]]:
    if file == STARTER:
        return read_starter_rows(data)
    return json_rows(read_release_rows(data)) if data else []


def _closed(shelf: ReleaseRepository, one: ReleaseVersion, wanted: ErasureCriteria) -> bool:
    """Make sure that a version that was not published holds and gets no wanted row.

    False if it has been published meanwhile. A builder at work that read what is wanted may still
    write a file after this has looked; so each file with rows that is not there is put, empty.
    """
    if one.state == "begun":
        if _harmless(shelf, one, DATA, wanted) or is_successor(shelf, one):
            return True
        if not shelf.abandon(one):
            return False
    for file in ROW_FILES:
        path = f"{one.folder}/{file}"
        while not _harmless(shelf, one, file, wanted):
            if shelf.swap(path, shelf.find_file(one, file), b""):
                break
    return True


def _harmless(
    shelf: ReleaseRepository, one: ReleaseVersion, file: str, wanted: ErasureCriteria
) -> bool:
    """Tell whether a file is there and holds no wanted row."""
    rows = _rows(shelf, one, file)
    return rows is not None and not any(wanted.why(row) for row in rows)


def _purge(shelf: ReleaseRepository, wanted: ErasureCriteria) -> None:
    def goes(path: str, data: bytes) -> bool:
        file = path.rpartition("/")[2]
        if file not in ROW_FILES:
            return False
        try:
            return any(wanted.why(row) for row in _read(file, data))
        except FatalError:
            return True  # nobody can tell whose rows it holds

    shelf.purge(goes)


def _refuse_named(shelf: ReleaseRepository, wanted: ErasureCriteria) -> None:
    """Raise FatalError where a file without rows names somebody: none of those is written anew.

    A manifest of format 1 quotes the traces that its spec names; a stratum may be named by a value
    in which a person stands.
    """
    for one in _everything(shelf):
        if not one.published:
            continue
        files = {name: shelf.find_file(one, name) or b"" for name in (MANIFEST, *_TOLD)}
        named = wanted.names(read_manifest(files[MANIFEST]), files[MANIFEST])
        where = [MANIFEST] * named + [name for name in _TOLD if wanted.stands_in(files[name])]
        if where:
            raise FatalError(
                f"releases/{one.folder}/{where[0]} names what was erased, and cannot be written "
                "anew: remove the folder of that version, and run `goldpan erase` again"
            )


def _done(
    shelf: ReleaseRepository, order: ErasureOrder, closed: Mapping[tuple[str, str], AffectedVersion]
) -> list[ErasedVersion]:
    done = []
    for one in _everything(shelf):
        note = load_erasure_note(shelf, one)
        if (took := note.taken(order.number)) is not None:
            next_one = find_successor(shelf, shelf.standing(one.name), note, [took])
            version = None if next_one is None else str(next_one.version)
            own = len(took.rows) - took.mentions
            done.append(
                ErasedVersion(one.name, str(one.version), one.state, own, took.mentions, version)
            )
        elif (found := closed.get((one.name, str(one.version)))) is not None:
            counts = (found.rows, found.mentions)
            done.append(ErasedVersion(one.name, str(one.version), one.state, *counts, None))
    return done
