"""The note of a version's erased rows, ``erased.json``; the manifest itself never changes.

Readers pin the digest of the manifest, so it is never rewritten. It holds a commitment for each
row. The note lists which of those rows are gone, by which erasure and since when, and what the
files with rows are now. It names the digest of the manifest and is signed
(`redact.crypto.signing`).

Anyone with write access to the folder can delete rows and add such a note. Verification counts the
missing rows and reports the key of the signature; no row can be changed or added. Only the
signature shows whether it was the operator of the lake that erased them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from batch.release.format.commitments import canonical_json
from batch.release.format.files import ERASURE_NOTE, ROW_FILES, pretty_json, sha256
from batch.release.format.manifest import FileFacts, Manifest
from redact.crypto.signing import Signer, verify_signature
from schemas.times import format_rfc3339_seconds, from_micros

NOTE_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class NotedErasure:
    """What the erasure of a tombstone took: commitments (``Commitment.row``) of rows, sorted.

    ``at`` is its time (RFC 3339). ``mentions`` counts rows of other persons that name the subject.
    """

    tombstone: int
    at: str
    rows: tuple[str, ...]
    mentions: int


@dataclass(frozen=True, slots=True)
class ErasureNote:
    """The note of a version. ``files`` has size and hash of each file with rows, as it is now."""

    name: str
    version: str
    digest: str
    erasures: tuple[NotedErasure, ...] = ()
    files: Mapping[str, FileFacts] = field(default_factory=dict)

    @property
    def rows(self) -> frozenset[str]:
        """Return the commitments of all rows that are gone."""
        return frozenset(row for erasure in self.erasures for row in erasure.rows)

    def contents(self, manifest: Manifest) -> list[str]:
        """Return the commitments to the content (``Commitment.content``) of these rows."""
        gone = self.rows
        return [content for content, row in manifest["rows"] if row in gone]

    def erasure(self, tombstone: int) -> NotedErasure | None:
        """Return what an erasure took, None if nothing."""
        return next((erasure for erasure in self.erasures if erasure.tombstone == tombstone), None)

    def with_rows(
        self, tombstone: int, at_us: int, rows: Collection[str], mentions: int
    ) -> "ErasureNote":
        """Return the note with the rows that an erasure takes beyond those already gone."""
        new = set(rows) - self.rows
        if not new:
            return self
        before = self.erasure(tombstone) or NotedErasure(
            tombstone, format_rfc3339_seconds(from_micros(at_us)), (), 0
        )
        grown = replace(
            before, rows=tuple(sorted({*before.rows, *new})), mentions=before.mentions + mentions
        )
        others = [erasure for erasure in self.erasures if erasure.tombstone != tombstone]
        ordered = sorted([*others, grown], key=lambda erasure: erasure.tombstone)
        return replace(self, erasures=tuple(ordered))

    def body(self) -> dict[str, object]:
        """Return the part that is signed."""
        return {
            "format": NOTE_FORMAT,
            "name": self.name,
            "version": self.version,
            "digest": f"sha256:{self.digest}",
            "row_count": len(self.rows),
            "files": {name: dict(self.files[name]) for name in sorted(self.files)},
            "erasures": [
                {
                    "erasure": erasure.tombstone,
                    "at": erasure.at,
                    "row_count": len(erasure.rows),
                    "mentions": erasure.mentions,
                    "rows": list(erasure.rows),
                }
                for erasure in self.erasures
            ],
        }

    def sign(self, signer: Signer) -> bytes:
        """Return the bytes of ``erased.json``; the same note and key give the same bytes."""
        body = self.body()
        signature = signer.sign(canonical_json(body))
        return pretty_json(body | {"signed_by": signer.public, "signature": signature})


@dataclass(frozen=True, slots=True)
class SignedErasureNote:
    """A note that was read, and the public key that signed it."""

    note: ErasureNote
    signed_by: str


def read_erasure_note(data: bytes) -> SignedErasureNote:
    """Read ``erased.json``; ValueError says what is wrong with it."""
    try:
        document = json.loads(data)
        if document["format"] > NOTE_FORMAT:
            raise ValueError(f"it has format {document['format']}: use a newer goldpan")
        note = _note(document)
        signed_by, signature = str(document["signed_by"]), str(document["signature"])
    except (KeyError, TypeError, AttributeError, RecursionError, json.JSONDecodeError):
        raise ValueError("it cannot be read") from None
    body = note.body()
    if data != pretty_json(body | {"signed_by": signed_by, "signature": signature}):
        raise ValueError("it was changed")
    if not verify_signature(signed_by, canonical_json(body), signature):
        raise ValueError("it was changed: its signature is invalid")
    return SignedErasureNote(note, signed_by)


def erasure_note_problems(note: ErasureNote, digest: str, manifest: Manifest) -> list[str]:
    """Return why a note cannot belong to the release with this manifest."""
    problems = []
    named = (note.name, note.version, note.digest)
    if named != (manifest["name"], manifest["version"], digest):
        problems.append(f"{ERASURE_NOTE} belongs to another release")
    if not note.rows <= {row for _, row in manifest["rows"]}:
        problems.append(f"{ERASURE_NOTE} lists rows that the release never had")
    if sum(len(erasure.rows) for erasure in note.erasures) != len(note.rows):
        problems.append(f"{ERASURE_NOTE} lists a row twice")
    if set(note.files) != set(ROW_FILES):
        problems.append(f"{ERASURE_NOTE} lists other files than those with rows")
    return problems


def file_facts(data: bytes) -> FileFacts:
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
                int(entry["erasure"]),
                str(entry["at"]),
                tuple(map(str, entry["rows"])),
                int(entry["mentions"]),
            )
            for entry in erasures
        ),
        {
            str(name): {"bytes": int(facts["bytes"]), "sha256": str(facts["sha256"])}
            for name, facts in document["files"].items()
        },
    )
