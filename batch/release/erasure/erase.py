"""Erases persons from all versions of the releases, and publishes successors.

1. *fence*: from here on, a build that read the tables before the rows left them cannot be published
   (`batch.release.publish.repository`);
2. *versions*: rows are removed from each published version
   (`batch.release.erasure.rewrite_version`); a version that was only begun is abandoned and its
   files with rows are emptied, unless it holds no matching row;
3. *purge*: older versions of objects, which a bucket may keep, unfinished uploads, and the
   temporary files of dead selections on this machine (`batch.bounded_duckdb`) are removed;
4. *successors*: each name whose latest version has lost rows gets a successor
   (`batch.release.erasure.successor`).

Each step may be repeated and finds what is left to do, so after a crash the same call continues.
Copies that were exported or downloaded are out of reach.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from batch.bounded_duckdb import remove_stale_temp_dirs, temp_root
from batch.progress import ReportStep, no_step
from batch.release.erasure.criteria import ErasureCriteria, MatchReason
from batch.release.erasure.rewrite_version import ErasureOrder, rewrite_version, unreadable_error
from batch.release.erasure.successor import find_successor, is_successor, publish_successor
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
from batch.release.format.rows import ReleaseRow, json_rows
from batch.release.publish.repository import (
    PublishFence,
    ReleaseRepository,
    ReleaseVersion,
)
from schemas.errors import FatalError

_TEXT_FILES: Final = (DATASHEET, DATASHEET_HTML, LINEAGE, CONTRACT, WITHDRAWAL)


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
    """What an erasure removed from a version, as in `AffectedVersion`, and its successor.

    For a version that was never published the counts are what this call found in it.
    """

    name: str
    version: str
    state: str
    rows: int
    mentions: int
    successor: str | None


def find_affected_versions(
    repository: ReleaseRepository, criteria: ErasureCriteria
) -> list[AffectedVersion]:
    """Return the versions that hold matching rows, by name and version; nothing is changed."""
    counted = [_count(repository, release, criteria) for release in _all_versions(repository)]
    return [version for version in counted if version.rows or version.mentions]


def list_trace_ids(repository: ReleaseRepository) -> set[str]:
    """Return the ids of all traces in all versions, for callers that know only their marks."""
    return _values(repository, "trace_id")


def list_label_events(repository: ReleaseRepository) -> set[str]:
    """Return the ids of all label events in all versions."""
    return _values(repository, "label_event_id")


def _values(
    repository: ReleaseRepository, column: Literal["trace_id", "label_event_id"]
) -> set[str]:
    return {
        value
        for release in _all_versions(repository)
        for file in ROW_FILES
        for row in _rows(repository, release, file) or ()
        if (value := row[column]) is not None
    }


def erase_from_releases(
    repository: ReleaseRepository,
    criteria: ErasureCriteria,
    order: ErasureOrder,
    progress: ReportStep = no_step,
) -> list[ErasedVersion]:
    """Erase the matching rows from all releases; return what this erasure removed in all its calls.

    Call it when the rows are gone from the tables. Raises FatalError where the owners of rows
    cannot be determined, or where a manifest names one of the traces; by then the rows are gone
    from all other versions.
    """
    tables = (order.tables.get(table, 0) for table in ("traces", "labels"))
    repository.add_fence(PublishFence(order.tombstone, *tables))
    unpublished = _erase_everywhere(repository, criteria, order, progress)
    progress("purging older versions of files")
    _purge(repository, criteria)
    remove_stale_temp_dirs(temp_root())
    for name in repository.names():
        progress(f"making the successor of {name}")
        publish_successor(repository, name)
    _refuse_named(repository, criteria)
    return _erased_versions(repository, order, unpublished)


def _erase_everywhere(
    repository: ReleaseRepository,
    criteria: ErasureCriteria,
    order: ErasureOrder,
    progress: ReportStep,
) -> dict[tuple[str, str], AffectedVersion]:
    """Remove the rows from all versions; return what was in those that were never published.

    Lists the versions again until all have been handled: a concurrent erasure may have begun a
    successor with rows that match here. From then on it cannot (see `publish_successor`).
    """
    unpublished: dict[tuple[str, str], AffectedVersion] = {}
    failures: list[FatalError] = []
    handled: set[ReleaseVersion] = set()
    while new := [r for r in _all_versions(repository) if r not in handled]:
        handled.update(new)
        for release in sorted(new, key=lambda r: not r.published):
            progress(f"erasing from {release.name}@{release.version}")
            try:
                counted = _erase_from(repository, release, criteria, order)
            except FatalError as error:
                failures.append(error)
            else:
                if counted is not None:
                    unpublished[release.name, str(release.version)] = counted
    if failures:
        raise failures[0]
    return unpublished


def _erase_from(
    repository: ReleaseRepository,
    release: ReleaseVersion,
    criteria: ErasureCriteria,
    order: ErasureOrder,
) -> AffectedVersion | None:
    """Remove the rows from a version; return what was in it if it was never published."""
    counted = None if release.published else _count(repository, release, criteria)
    if counted is None or not _close(repository, release, criteria):
        rewrite_version(repository, release, criteria, order)
        return None
    return counted if counted.rows or counted.mentions else None


def _all_versions(repository: ReleaseRepository) -> Iterator[ReleaseVersion]:
    for name in repository.names():
        yield from sorted(repository.versions(name), key=lambda release: release.version)


def _count(
    repository: ReleaseRepository, release: ReleaseVersion, criteria: ErasureCriteria
) -> AffectedVersion:
    reasons: dict[str, MatchReason | None] = {}
    for file in ROW_FILES:
        for row in _rows(repository, release, file) or ():
            reasons[row["trace_id"]] = criteria.match(row)
    own, mentions = (sum(reason is kind for reason in reasons.values()) for kind in MatchReason)
    return AffectedVersion(release.name, str(release.version), release.state, own, mentions)


def _rows(
    repository: ReleaseRepository, release: ReleaseVersion, file: str
) -> list[ReleaseRow] | None:
    """Return the rows of a file; None if it is missing, or unpublished and unreadable."""
    data = repository.find_file(release, file)
    if data is None:
        return None
    try:
        return _decode(file, data)
    except FatalError as error:
        if not release.published:
            return None
        raise unreadable_error(release, str(error)) from None


def _decode(file: str, data: bytes) -> list[ReleaseRow]:
    if file == STARTER:
        return read_starter_rows(data)
    return json_rows(read_release_rows(data)) if data else []


def _close(
    repository: ReleaseRepository, release: ReleaseVersion, criteria: ErasureCriteria
) -> bool:
    """Make sure that an unpublished version holds no matching row and never gets one.

    False if it has been published by now. A builder at work that has read matching rows may still
    write a file after this check, so each missing file with rows is put, empty.
    """
    if release.state == "begun":
        if _is_clean(repository, release, DATA, criteria) or is_successor(repository, release):
            return True
        if not repository.abandon(release):
            return False
    for file in ROW_FILES:
        path = f"{release.folder}/{file}"
        while not _is_clean(repository, release, file, criteria):
            if repository.swap(path, repository.find_file(release, file), b""):
                break
    return True


def _is_clean(
    repository: ReleaseRepository,
    release: ReleaseVersion,
    file: str,
    criteria: ErasureCriteria,
) -> bool:
    """Return whether a file exists and holds no matching row."""
    rows = _rows(repository, release, file)
    return rows is not None and not any(criteria.match(row) for row in rows)


def _purge(repository: ReleaseRepository, criteria: ErasureCriteria) -> None:
    def matches(path: str, data: bytes) -> bool:
        file = path.rpartition("/")[2]
        if file not in ROW_FILES:
            return False
        try:
            return any(criteria.match(row) for row in _decode(file, data))
        except FatalError:
            return True  # the owners of its rows cannot be determined

    repository.purge(matches)


def _refuse_named(repository: ReleaseRepository, criteria: ErasureCriteria) -> None:
    """Raise FatalError where a file without rows names a person: such files are never rewritten.

    A manifest of format 1 quotes the traces that its spec names; the name of a stratum may hold a
    value that names a person.
    """
    for release in _all_versions(repository):
        if not release.published:
            continue
        files = {
            name: repository.find_file(release, name) or b"" for name in (MANIFEST, *_TEXT_FILES)
        }
        manifest = read_manifest(files[MANIFEST])
        named = criteria.occur_in_manifest(manifest, files[MANIFEST])
        where = [MANIFEST] * named + [n for n in _TEXT_FILES if criteria.occur_in(files[n])]
        if where:
            raise FatalError(
                f"releases/{release.folder}/{where[0]} names what was erased, and cannot be "
                "rewritten: remove the folder of that version, and run `goldpan erase` again"
            )


def _erased_versions(
    repository: ReleaseRepository,
    order: ErasureOrder,
    unpublished: Mapping[tuple[str, str], AffectedVersion],
) -> list[ErasedVersion]:
    erased = []
    for release in _all_versions(repository):
        version = str(release.version)
        note = repository.erasure_note(release)
        counted = unpublished.get((release.name, version))
        if (erasure := note.erasure(order.tombstone)) is not None:
            versions = repository.versions(release.name)
            successor = find_successor(repository, versions, note, [erasure])
            erased.append(
                ErasedVersion(
                    release.name,
                    version,
                    release.state,
                    len(erasure.rows) - erasure.mentions,
                    erasure.mentions,
                    None if successor is None else str(successor.version),
                )
            )
        elif counted is not None:
            counts = (counted.rows, counted.mentions)
            erased.append(ErasedVersion(release.name, version, release.state, *counts, None))
    return erased
