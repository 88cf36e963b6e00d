"""What a release says of its rows that were erased: ``erased.json``, beside a manifest that stays.

The manifest is what its digest was pinned for, so it is never written anew. It holds a commitment
for each row, and this note says which of those have no row any more, by which erasure, since when;
and what the files with rows are now. It is bound to the digest of the manifest and may be signed
(`redact.crypto.signing`).

Who can write into the folder can delete rows and write such a note himself. He is told of as an
eraser, never passed over: the rows that are gone are counted, and no row can be changed or added.
Whether it was the keeper of the lake who erased them, his signature tells.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from batch.release.format.files import ERASURE_NOTE, ROW_FILES, pretty_json, sha256
from batch.release.format.rows import canonical_json
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from redact.crypto.signing import Signer, verify_signature
from schemas.errors import FatalError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class NotedErasure:
    """What one erasure took: commitments (``Commitment.row``) of rows, in order.

    ``at`` is its time (RFC 3339); ``mentions`` of the rows were those of others, who are named.
    """

    number: int
    at: str
    rows: tuple[str, ...]
    mentions: int


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """The note of a version. ``files`` gives size and hash of each file with rows, as it is now."""

    name: str
    version: str
    digest: str
    erasures: tuple[NotedErasure, ...] = ()
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def rows(self) -> frozenset[str]:
        """Return the commitments of all rows that are gone."""
        return frozenset(row for one in self.erasures for row in one.rows)

    def contents(self, manifest: Mapping[str, Any]) -> list[str]:
        """Return the commitments to the content (``Commitment.content``) of these rows."""
        gone = self.rows
        return [content for content, row in manifest["rows"] if row in gone]

    def taken(self, number: int) -> NotedErasure | None:
        """Return what an erasure took, None if nothing."""
        return next((one for one in self.erasures if one.number == number), None)

    def adding(
        self, number: int, at_us: int, rows: Collection[str], mentions: int
    ) -> "ErasureNote":
        """Return the note with what an erasure takes beside what is gone already."""
        new = set(rows) - self.rows
        if not new:
            return self
        before = self.taken(number) or NotedErasure(number, _moment(at_us), (), 0)
        grown = replace(
            before, rows=tuple(sorted({*before.rows, *new})), mentions=before.mentions + mentions
        )
        others = [one for one in self.erasures if one.number != number]
        ordered = sorted([*others, grown], key=lambda one: one.number)
        return replace(self, erasures=tuple(ordered))

    def body(self) -> dict[str, Any]:
        """Return what is signed."""
        return {
            "format": FORMAT,
            "name": self.name,
            "version": self.version,
            "digest": f"sha256:{self.digest}",
            "row_count": len(self.rows),
            "files": {name: dict(self.files[name]) for name in sorted(self.files)},
            "erasures": [
                {
                    "erasure": one.number,
                    "at": one.at,
                    "row_count": len(one.rows),
                    "mentions": one.mentions,
                    "rows": list(one.rows),
                }
                for one in self.erasures
            ],
        }

    def signed(self, signer: Signer) -> bytes:
        """Return the bytes of ``erased.json``; the same note and key give the same."""
        body = self.body()
        return pretty_json(
            body | {"signed_by": signer.public, "signature": signer.sign(canonical_json(body))}
        )


@dataclass(frozen=True, slots=True)
class SignedErasureNote:
    """A note that was read, and the public key whose holder signed it."""

    note: ErasureNote
    signed_by: str


def read_erasure_note(data: bytes) -> SignedErasureNote:
    """Read ``erased.json``; ValueError says what is wrong with it."""
    try:
        document = json.loads(data)
        if document["format"] > FORMAT:
            raise ValueError(f"it has format {document['format']}: use a newer goldpan")
        note = _note(document)
        signed_by, signature = str(document["signed_by"]), str(document["signature"])
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError):
        raise ValueError("it cannot be read") from None
    body = note.body()
    if data != pretty_json(body | {"signed_by": signed_by, "signature": signature}):
        raise ValueError("it was changed")
    if not verify_signature(signed_by, canonical_json(body), signature):
        raise ValueError("it was changed: its signature does not hold")
    return SignedErasureNote(note, signed_by)


def parse_erasure_note(one: ReleaseVersion, data: bytes | None) -> ErasureNote:
    """Return the note of a version, one without erasures if it has none; FatalError if damaged."""
    if data is None:
        return ErasureNote(one.name, str(one.version), one.digest)
    try:
        return read_erasure_note(data).note
    except ValueError as error:
        raise FatalError(
            f"releases/{one.folder}/{ERASURE_NOTE}: {error}. Put the file back as it was, or remove the "
            "folder of that version"
        ) from None


def load_erasure_note(shelf: ReleaseRepository, one: ReleaseVersion) -> ErasureNote:
    """Read the note of a version on a shelf; as `parse_erasure_note`."""
    return parse_erasure_note(one, shelf.find_file(one, ERASURE_NOTE))


def erasure_note_problems(note: ErasureNote, digest: str, manifest: Mapping[str, Any]) -> list[str]:
    """Return why a note cannot be about the release with this manifest."""
    problems = []
    told = (note.name, note.version, note.digest)
    if told != (manifest["name"], manifest["version"], digest):
        problems.append(f"{ERASURE_NOTE} is of another release")
    if not note.rows <= {row for _, row in manifest["rows"]}:
        problems.append(f"{ERASURE_NOTE} tells of rows that the release never had")
    if sum(len(one.rows) for one in note.erasures) != len(note.rows):
        problems.append(f"{ERASURE_NOTE} tells of a row twice")
    if set(note.files) != set(ROW_FILES):
        problems.append(f"{ERASURE_NOTE} tells of other files than those with rows")
    return problems


def file_entry(data: bytes) -> dict[str, Any]:
    """Return size and hash of a file."""
    return {"bytes": len(data), "sha256": sha256(data)}


def _note(document: Mapping[str, Any]) -> ErasureNote:
    erasures: Sequence[Mapping[str, Any]] = document["erasures"]
    return ErasureNote(
        str(document["name"]),
        str(document["version"]),
        str(document["digest"]).removeprefix("sha256:"),
        tuple(
            NotedErasure(
                int(o["erasure"]), str(o["at"]), tuple(map(str, o["rows"])), int(o["mentions"])
            )
            for o in erasures
        ),
        {
            str(name): {"bytes": int(said["bytes"]), "sha256": str(said["sha256"])}
            for name, said in document["files"].items()
        },
    )


def _moment(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
