"""Takes rows out of one published version, whoever else does the same and wherever one dies.

Four files change, one after the other, each swapped for what was read of it (`ObjectStore.swap`):

1. ``erased.json``: which rows are gone, by which erasure, and what the files of steps 2 and 3 are;
2. ``data.parquet`` and
3. ``starter.jsonl``, without those rows;
4. ``SHA256SUMS``.

| what happens | what is then |
|---|---|
| it dies before 1 has landed | the release is as it was |
| it dies after that | verification says that an erasure is under way; who erases again, for whomever, begins at 1 with what is there, and takes the same rows out |
| two are at it | a swap fails for the one who saw less; he begins at 1 with what is there. So rows only ever go: nobody puts back what another has taken |
"""  # noqa: E501 - a table

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa

from batch.release.erasure.criteria import ErasureCriteria, MatchReason
from batch.release.format.erasure_note import ErasureNote, file_entry, parse_erasure_note
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
from batch.release.format.manifest import read_manifest
from batch.release.format.reader import read_release_rows, read_starter_rows
from batch.release.format.rows import json_rows, row_commitment
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from redact.crypto.signing import Signer
from schemas.errors import FatalError


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """An erasure: the number and time (microseconds since 1970, UTC) of its tombstone.

    ``tables`` gives, for ``traces`` and ``labels``, the version of the table in which the last rows
    were taken out: whoever read an older one must not publish any more.
    """

    number: int
    at_us: int
    signer: Signer
    tables: Mapping[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class _Folder:
    """What was read of a version: its files, its manifest, its note (without erasures if none)."""

    one: ReleaseVersion
    files: Mapping[str, bytes]
    manifest: Mapping[str, Any]
    note: ErasureNote


class _Step(NamedTuple):
    """A file, what was read of it (None: there was none), and what it is to be."""

    name: str
    old: bytes | None
    new: bytes


def rewrite_version(
    shelf: ReleaseRepository, one: ReleaseVersion, wanted: ErasureCriteria, order: ErasureOrder
) -> None:
    """Take the wanted rows out of a published version, and what was told erased and is still there.

    Raises FatalError where a file cannot be read: then nobody can tell whose rows it holds.
    """
    while True:
        steps = _steps(_read(shelf, one), wanted, order)
        if all(shelf.swap(f"{one.folder}/{step.name}", step.old, step.new) for step in steps):
            return


def _read(shelf: ReleaseRepository, one: ReleaseVersion) -> _Folder:
    files = {name: shelf.read(one, name) for name in (*ROW_FILES, CHECKSUMS, MANIFEST)}
    told = shelf.find_file(one, ERASURE_NOTE)
    if told is not None:
        files[ERASURE_NOTE] = told
    return _Folder(one, files, read_manifest(files[MANIFEST]), parse_erasure_note(one, told))


def _steps(folder: _Folder, wanted: ErasureCriteria, order: ErasureOrder) -> list[_Step]:
    """Return the files that are to change, in order."""
    with _named(folder.one):
        rows, lines = (
            read_release_rows(folder.files[DATA]),
            read_starter_rows(folder.files[STARTER]),
        )
        read = {DATA: json_rows(rows), STARTER: lines}
        whys = [wanted.why(row) for row in chain(*read.values())]
        if not any(whys) and not folder.note.erasures:
            return []
        names = {file: [row_commitment(row).row for row in some] for file, some in read.items()}
    going = {n: why for n, why in zip(chain(*names.values()), whys, strict=True) if why}
    note = _told(folder, order, going)
    gone = note.rows | going.keys()
    writers: dict[str, Callable[[Sequence[int]], bytes]] = {
        DATA: lambda kept: encode_parquet(rows.take(pa.array(kept, pa.int64()))),
        STARTER: lambda kept: encode_jsonl([lines[i] for i in kept]),
    }
    made = {file: _without(folder, file, names[file], gone, writers[file]) for file in ROW_FILES}
    note = replace(note, files={name: _facts(folder, name, made[name]) for name in ROW_FILES})
    return _changed(folder, note, made, order.signer)


def _told(folder: _Folder, order: ErasureOrder, going: Mapping[str, MatchReason]) -> ErasureNote:
    """Return the note with what goes now; of rows that the release never had it tells nothing."""
    committed = {row for _, row in folder.manifest["rows"]}
    new = {row for row in going.keys() & committed if row not in folder.note.rows}
    mentions = sum(going[row] is MatchReason.MENTION for row in new)
    return folder.note.adding(order.number, order.at_us, new, mentions)


def _without(
    folder: _Folder,
    name: str,
    found: Sequence[str],
    gone: Collection[str],
    write: Callable[[Sequence[int]], bytes],
) -> bytes | None:
    """Return a file anew without rows that are gone, or None if it may stay as it is.

    It is written anew too if it is not what its note says, though its rows are right: two who
    erased at once may have had different versions of what writes Parquet.
    """
    kept = [i for i, row in enumerate(found) if row not in gone]
    said = folder.note.files.get(name)
    committed = {row for _, row in folder.manifest["rows"]}
    other = said is not None and said != file_entry(folder.files[name])
    if len(kept) < len(found) or (other and committed.issuperset(found)):
        return write(kept)
    return None


def _facts(folder: _Folder, name: str, made: bytes | None) -> Mapping[str, Any]:
    """Return size and hash that a file shall have: those that were told, unless it is made anew."""
    if made is not None:
        return file_entry(made)
    return folder.note.files.get(name) or dict(folder.manifest["files"][name])


def _changed(
    folder: _Folder, note: ErasureNote, made: Mapping[str, bytes | None], signer: Signer
) -> list[_Step]:
    told = folder.files.get(ERASURE_NOTE)
    if told is None or note.body() != folder.note.body():
        told = note.signed(signer)
    hashes = {name: str(said["sha256"]) for name, said in note.files.items()}
    sums = encode_checksums(
        parse_checksums(folder.files[CHECKSUMS]) | hashes | {ERASURE_NOTE: sha256(told)}
    )
    wanted = {ERASURE_NOTE: told, **made, CHECKSUMS: sums}
    steps = [_Step(n, folder.files.get(n), new) for n, new in wanted.items() if new is not None]
    return [step for step in steps if step.old != step.new]


@contextmanager
def _named(one: ReleaseVersion) -> Iterator[None]:
    """Say of which version a file cannot be read, and what to do."""
    try:
        yield
    except (FatalError, ValueError, TypeError) as error:
        told = str(error) if isinstance(error, FatalError) else "a row is damaged"
        raise FatalError(
            f"releases/{one.folder}: {told}, so nobody can tell whose rows it holds: put it back "
            "as it was, or remove the folder of that version"
        ) from None
