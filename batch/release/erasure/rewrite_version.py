"""Removes rows from one published version, safe against crashes and concurrent erasures.

Four files change, one after the other. Each is swapped for the content that was read
(`ObjectStore.swap`):

1. ``erased.json``: the removed rows, by erasure, and the new facts of the files below;
2. ``data.parquet`` and
3. ``starter.jsonl``, without those rows;
4. ``SHA256SUMS``.

| event | result |
|---|---|
| a crash before 1 has landed | the release is unchanged |
| a crash after that | verification reports an erasure under way; the next erasure, of any person, starts at 1 with the current content and removes the same rows |
| two concurrent erasures | one of them fails to swap, and starts at 1 with the current content. Rows are only ever removed, so neither restores what the other has removed |
"""  # noqa: E501 - a table

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from batch.release.erasure.criteria import ErasureCriteria, MatchReason
from batch.release.format.commitments import row_commitment
from batch.release.format.erasure_note import ErasureNote, file_facts
from batch.release.format.files import (
    CHECKSUMS,
    DATA,
    ERASURE_NOTE,
    MANIFEST,
    ROW_FILES,
    STARTER,
    encode_checksums,
    encode_jsonl,
    encode_parquet,
    parse_checksums,
    sha256,
)
from batch.release.format.manifest import FileFacts, Manifest, read_manifest
from batch.release.format.reader import read_release_rows, read_starter_rows
from batch.release.format.rows import json_rows
from batch.release.publish.repository import (
    ReleaseRepository,
    ReleaseVersion,
    parse_erasure_note,
)
from redact.crypto.signing import Signer
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """An erasure: the number and time (microseconds since 1970, UTC) of its tombstone.

    ``tables`` has, for ``traces`` and ``labels``, the table version that removed the last rows:
    a build that read an older version must not be published.
    """

    tombstone: int
    at_us: int
    signer: Signer
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class _Folder:
    """The files of a version as they were read, its manifest, and its note."""

    release: ReleaseVersion
    files: Mapping[str, bytes]
    manifest: Manifest
    note: ErasureNote


class _Swap(NamedTuple):
    """A file, the content that was read (None: it did not exist), and its new content."""

    name: str
    old: bytes | None
    new: bytes


def rewrite_version(
    repository: ReleaseRepository,
    release: ReleaseVersion,
    criteria: ErasureCriteria,
    order: ErasureOrder,
) -> None:
    """Remove the matching rows from a published version, and rows that its note lists as erased.

    Raises FatalError if a file cannot be read, since the owners of its rows are then unknown.
    """
    while True:
        swaps = _swaps(_read(repository, release), criteria, order)
        if all(repository.swap(f"{release.folder}/{s.name}", s.old, s.new) for s in swaps):
            return


def _read(repository: ReleaseRepository, release: ReleaseVersion) -> _Folder:
    names = (*ROW_FILES, CHECKSUMS, MANIFEST)
    files = {name: repository.read(release, name) for name in names}
    stored_note = repository.find_file(release, ERASURE_NOTE)
    if stored_note is not None:
        files[ERASURE_NOTE] = stored_note
    note = parse_erasure_note(release, stored_note)
    return _Folder(release, files, read_manifest(files[MANIFEST]), note)


def _swaps(folder: _Folder, criteria: ErasureCriteria, order: ErasureOrder) -> list[_Swap]:
    """Return the files that have to change, in order."""
    with _naming_version(folder.release):
        rows = read_release_rows(folder.files[DATA])
        lines = read_starter_rows(folder.files[STARTER])
        stored = {DATA: json_rows(rows), STARTER: lines}
        reasons = [criteria.match(row) for row in chain(*stored.values())]
        if not any(reasons) and not folder.note.erasures:
            return []
        hashes = {file: [row_commitment(row).row for row in some] for file, some in stored.items()}
    matched = {
        row: reason for row, reason in zip(chain(*hashes.values()), reasons, strict=True) if reason
    }
    note = _extend_note(folder, order, matched)
    gone = note.rows | matched.keys()
    writers: dict[str, Callable[[Sequence[int]], bytes]] = {
        DATA: lambda indices: encode_parquet(rows.take(pa.array(indices, pa.int64()))),
        STARTER: lambda indices: encode_jsonl([lines[i] for i in indices]),
    }
    new = {file: _rewrite(folder, file, hashes[file], gone, writers[file]) for file in ROW_FILES}
    note = replace(note, files={name: _facts(folder, name, new[name]) for name in ROW_FILES})
    return _changed_files(folder, note, new, order.signer)


def _extend_note(
    folder: _Folder, order: ErasureOrder, matched: Mapping[str, MatchReason]
) -> ErasureNote:
    """Return the note with the matched rows, except those that the release never had."""
    committed = {row for _, row in folder.manifest["rows"]}
    new = {row for row in matched.keys() & committed if row not in folder.note.rows}
    mentions = sum(matched[row] is MatchReason.MENTION for row in new)
    return folder.note.with_rows(order.tombstone, order.at_us, new, mentions)


def _rewrite(
    folder: _Folder,
    name: str,
    rows: Sequence[str],
    gone: Collection[str],
    write: Callable[[Sequence[int]], bytes],
) -> bytes | None:
    """Return a file without the removed rows, or None if it may stay as it is.

    A file is also rewritten if its rows are right but its bytes differ from the note: two
    concurrent erasures may have used different versions of the Parquet writer.
    """
    indices = [i for i, row in enumerate(rows) if row not in gone]
    stated = folder.note.files.get(name)
    committed = {row for _, row in folder.manifest["rows"]}
    other = stated is not None and stated != file_facts(folder.files[name])
    if len(indices) < len(rows) or (other and committed.issuperset(rows)):
        return write(indices)
    return None


def _facts(folder: _Folder, name: str, new: bytes | None) -> FileFacts:
    """Return the facts of a file: of its new content, or those stated before."""
    if new is not None:
        return file_facts(new)
    return folder.note.files.get(name) or folder.manifest["files"][name]


def _changed_files(
    folder: _Folder, note: ErasureNote, new: Mapping[str, bytes | None], signer: Signer
) -> list[_Swap]:
    signed = folder.files.get(ERASURE_NOTE)
    if signed is None or note.body() != folder.note.body():
        signed = note.sign(signer)
    hashes = {name: str(facts["sha256"]) for name, facts in note.files.items()}
    sums = encode_checksums(
        parse_checksums(folder.files[CHECKSUMS]) | hashes | {ERASURE_NOTE: sha256(signed)}
    )
    contents = {ERASURE_NOTE: signed, **new, CHECKSUMS: sums}
    swaps = [
        _Swap(n, folder.files.get(n), data) for n, data in contents.items() if data is not None
    ]
    return [swap for swap in swaps if swap.old != swap.new]


@contextmanager
def _naming_version(release: ReleaseVersion) -> Iterator[None]:
    """Add the version, and what to do, to an error from reading a file."""
    try:
        yield
    except (FatalError, ValueError, TypeError) as error:
        damage = str(error) if isinstance(error, FatalError) else "a row is damaged"
        raise unreadable_error(release, damage) from None


def unreadable_error(release: ReleaseVersion, damage: str) -> FatalError:
    """Return the error for a version whose rows cannot be read."""
    return FatalError(
        f"releases/{release.folder}: {damage}, so the owners of its rows are unknown: restore the "
        "file, or remove the folder of that version"
    )
