"""Proves a release from its folder alone: no lake, no network, no key.

Every byte is under a hash: the files under ``SHA256SUMS``, that under the rule that it is exactly
what the files make it, each row under its commitments in the manifest. What nothing in a folder can
tell is that somebody has made all of it anew: for that, compare the digest with the one you pinned.

Rows that were erased are missing from the files, and ``erased.json`` says which: the release then
holds *except* for them, as long as all others are there. While an erasure is under way the files
that it changes may be what they were before or what they will be, and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batch.release.format.erasure_note import (
    ErasureNote,
    erasure_note_problems,
    file_entry,
    read_erasure_note,
)
from batch.release.format.files import (
    CHECKSUMS,
    DATA,
    ERASURE_NOTE,
    MANIFEST,
    ROW_FILES,
    WITHDRAWAL,
    encode_checksums,
    parse_checksums,
    sha256,
)
from batch.release.format.manifest import compact_json, read_manifest, rows_sha256
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import Commitment, canonical_json, json_rows, row_commitment
from batch.release.publish.signatures import check_signatures, is_signature_file
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

ERASURE_UNDER_WAY: Final = (
    "an erasure was begun and has not come to its end: run `goldpan erase` again"
)
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ReleaseVerification:
    """What a verification found; ``problems`` is empty exactly if everything holds.

    ``erased`` counts rows that are gone while everything else holds; ``signed_by`` is the public
    key whose holder signed that they are (hex digits, None if none are). ``publishers`` are the
    public keys whose holders signed the release. ``withdrawn`` is the reason, if it was withdrawn.
    """

    name: str
    version: str
    digest: str
    rows: int
    erased: int
    withdrawn: str | None
    problems: Sequence[str]
    signed_by: str | None = None
    publishers: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Return whether everything holds."""
        return not self.problems

    def passes(self, *, allow_withdrawn: bool) -> bool:
        """Return whether everything holds, and the release is in force if it has to be."""
        return self.ok and (self.withdrawn is None or allow_withdrawn)

    def to_json(self, *, allow_withdrawn: bool = False) -> dict[str, Any]:
        """Return the verdict as `goldpan release verify --json` prints it."""
        return {
            "ok": self.passes(allow_withdrawn=allow_withdrawn),
            "name": self.name,
            "version": self.version,
            "digest": f"sha256:{self.digest}",
            "rows": self.rows,
            "erased": self.erased,
            "signed_by": self.signed_by,
            "publishers": list(self.publishers),
            "withdrawn": self.withdrawn,
            "problems": list(self.problems),
        }


def verify_release(
    folder: ObjectStore,
    prefix: str = "",
    expected: str | None = None,
    signer: str | None = None,
    publisher: str | None = None,
) -> ReleaseVerification:
    """Verify the release in a folder; ``expected`` is the digest that was pinned (64 hex digits).

    ``signer`` is the public key that erasures must be signed with, if there were any; ``publisher``
    is one that the release itself must be signed with. Raises UsageError if there is no release
    there, otherwise as the store does.
    """
    found = _read(folder, prefix)
    if MANIFEST not in found:
        raise UsageError("there is no release in that folder: it has no manifest.json")
    digest = sha256(found[MANIFEST])
    problems: list[str] = []
    if expected is not None and digest != expected:
        problems.append(f"{MANIFEST}: its digest is sha256:{digest}, not the one that was expected")
    try:
        manifest = read_manifest(found[MANIFEST])
        note, signed_by, faults = _note(found.get(ERASURE_NOTE), digest, manifest, signer)
        moving = _moving(found, manifest, note)
        problems += faults + _file_problems(found, moving)
        problems += _listed_problems(manifest, found, note, moving)
        problems += _row_problems(manifest, found, note, under_way=bool(moving))
    except (FatalError, KeyError, TypeError, ValueError, AttributeError) as error:
        told = str(error) if isinstance(error, FatalError) else f"{MANIFEST} is damaged"
        problems += [*_file_problems(found, {}), told]
        return ReleaseVerification("", "", digest, 0, 0, None, list(dict.fromkeys(problems)))
    reason, faults = _withdrawal(found.get(WITHDRAWAL), digest)
    publishers, unsigned = _publishers(found, manifest, digest, publisher)
    return ReleaseVerification(
        str(manifest["name"]),
        str(manifest["version"]),
        digest,
        len(manifest["rows"]) - len(note.rows),
        len(note.rows),
        reason,
        [*problems, *faults, *unsigned],
        signed_by,
        publishers,
    )


def _publishers(
    found: Mapping[str, bytes], manifest: Mapping[str, Any], digest: str, wanted: str | None
) -> tuple[list[str], list[str]]:
    """Return whose signatures the release bears, and what is wrong with them, or not there."""
    keys, faults = check_signatures(found, str(manifest["name"]), str(manifest["version"]), digest)
    if wanted is not None and wanted not in keys:
        whose = f"only by {', '.join(keys)}" if keys else "by nobody"
        faults.append(f"it is not signed by {wanted}, {whose}")
    return keys, faults


def _note(
    data: bytes | None, digest: str, manifest: Mapping[str, Any], signer: str | None
) -> tuple[ErasureNote, str | None, list[str]]:
    """Return what was erased (nothing, if that cannot be believed), who signed it, and faults."""
    none = ErasureNote(str(manifest["name"]), str(manifest["version"]), digest)
    if data is None:
        return none, None, []
    try:
        told = read_erasure_note(data)
    except ValueError as error:
        return none, None, [f"{ERASURE_NOTE}: {error}"]
    if problems := erasure_note_problems(told.note, digest, manifest):
        return none, None, problems
    other = signer is not None and told.signed_by != signer
    faults = (
        [f"{ERASURE_NOTE} is signed with another key than the one that was expected"]
        if other
        else []
    )
    return told.note, told.signed_by, faults


ChangingFiles = Mapping[str, frozenset[str]]
"""The files that an erasure under way changes, with the hashes that they may have meanwhile."""


def _moving(
    found: Mapping[str, bytes], manifest: Mapping[str, Any], note: ErasureNote
) -> ChangingFiles:
    if not note.erasures:
        return {}
    sums = parse_checksums(found.get(CHECKSUMS, b""))
    ends = {name: str(said["sha256"]) for name, said in note.files.items()}
    ends[ERASURE_NOTE] = sha256(found[ERASURE_NOTE])
    if all(sums.get(n) == end == sha256(found.get(n, b"")) for n, end in ends.items()):
        return {}
    begins = {name: str(manifest["files"][name]["sha256"]) for name in ROW_FILES}
    may_be = {n: frozenset({end, begins.get(n, end), sums.get(n, end)}) for n, end in ends.items()}
    fits = all(sha256(found.get(name, b"")) in hashes for name, hashes in may_be.items())
    return may_be if fits else {}


def _read(folder: ObjectStore, prefix: str) -> dict[str, bytes]:
    paths = [path for path, _ in folder.walk(prefix)]
    names = {path: path.removeprefix(prefix) for path in paths}
    # What a killed writer leaves behind was never a part of the release.
    kept = {path: n for path, n in names.items() if not n.startswith(".writing-")}
    return {name: folder.get(path) for path, name in kept.items()}


def _file_problems(found: Mapping[str, bytes], moving: ChangingFiles) -> list[str]:
    told = found.get(CHECKSUMS)
    if not told:
        return [f"{CHECKSUMS} is missing: the release was never finished"]
    rest = {n: data for n, data in found.items() if not _stands_apart(n)}
    said = parse_checksums(told)
    more = rest.keys() - said.keys() - moving.keys()
    problems = [f"{name} is missing" for name in sorted(said.keys() - rest.keys())]
    problems += [f"{name} does not belong here" for name in sorted(more)]
    problems += [
        f"{name} was changed"
        for name in sorted(rest.keys() & said.keys())
        if sha256(rest[name]) not in {said[name], *moving.get(name, ())}
    ]
    if not problems and told != encode_checksums(said):
        problems = [f"{CHECKSUMS} was changed"]
    return [*problems, ERASURE_UNDER_WAY] if moving else problems


def _stands_apart(file: str) -> bool:
    """Tell whether a file may come later, and says itself whether it is as it was written."""
    return file in {CHECKSUMS, WITHDRAWAL} or is_signature_file(file)


def _listed_problems(
    manifest: Mapping[str, Any],
    found: Mapping[str, bytes],
    note: ErasureNote,
    moving: ChangingFiles,
) -> list[str]:
    said = {**manifest["files"], **note.files}
    problems = [
        f"{name} is not what {ERASURE_NOTE if name in note.files else MANIFEST} says"
        for name, facts in sorted(said.items())
        if name in found and name not in moving and facts != file_entry(found[name])
    ]
    problems += [f"{name} is missing" for name in sorted(manifest["files"].keys() - found.keys())]
    own = {name for name in found if _stands_apart(name)} | {MANIFEST, ERASURE_NOTE}
    more = found.keys() - manifest["files"].keys() - own
    problems += [f"{MANIFEST} does not know {name}" for name in sorted(more)]
    if manifest["spec_sha256"] != sha256(compact_json(manifest["spec"])):
        problems.append(f"{MANIFEST}: the spec is not the one whose hash it gives")
    return problems


def _row_problems(
    manifest: Mapping[str, Any], found: Mapping[str, bytes], note: ErasureNote, *, under_way: bool
) -> list[str]:
    committed = [Commitment(*pair) for pair in manifest["rows"]]
    problems = []
    if manifest["row_count"] != len(committed) or manifest["rows_sha256"] != rows_sha256(committed):
        problems.append(f"{MANIFEST}: its rows do not fit its count or their hash")
    for name in [name for name in ROW_FILES if name in found]:
        there = [_committed(row) for row in _rows(name, found[name])]
        begun = committed if name == DATA else _starter(manifest, committed, there)
        left = [row for row in begun if row.row not in note.rows]
        if under_way:  # of what is going, some may be there still
            left = [row for row in begun if row in {*left, *there}]
        if wrong := _unlike(there, left):
            some = ", ".join(map(str, wrong[:_SHOWN]))
            problems.append(f"{name}: {len(wrong)} rows are not those committed to, such as {some}")
    return problems


def _starter(
    manifest: Mapping[str, Any], committed: Sequence[Commitment], there: Sequence[Commitment | None]
) -> list[Commitment]:
    """Return the rows of the starter set as it was published.

    Manifests of format 1 do not tell: any rows of the release would do, in their order.
    """
    if "starter_rows" in manifest:
        return [committed[i] for i in manifest["starter_rows"]]
    known = set(there)
    return [row for row in committed if row in known]


def _rows(name: str, data: bytes) -> list[Any]:
    if name == DATA:
        try:
            return list(json_rows(read_release_rows(data)))
        except (OverflowError, ValueError) as error:  # a day or a text that there cannot be
            raise FatalError(f"{DATA} holds a value that no row has had") from error
    return [_row(line) for line in data.splitlines()]


def _unlike(found: Sequence[Commitment | None], committed: Sequence[Commitment]) -> list[int]:
    """Return the numbers (from 0) of the rows that differ, or that only one of the two has."""
    longest = max(len(found), len(committed))
    return [i for i in range(longest) if found[i : i + 1] != committed[i : i + 1]]


def _row(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _committed(row: Any) -> Commitment | None:
    try:
        return row_commitment(row)
    except (KeyError, TypeError, ValueError):
        return None


def withdrawal_mark(digest: str, reason: str) -> bytes:
    """Return the mark of a withdrawn release, with a hash of its own."""
    body = {"digest": f"sha256:{digest}", "reason": reason}
    return canonical_json(body | {"sha256": sha256(canonical_json(body))}) + b"\n"


def _withdrawal(mark: bytes | None, digest: str) -> tuple[str | None, list[str]]:
    if mark is None:
        return None, []
    told = _row(mark)
    reason = told.get("reason") if isinstance(told, dict) else None
    if isinstance(reason, str) and mark == withdrawal_mark(digest, reason):
        return reason, []
    return "(not readable)", [f"{WITHDRAWAL} was changed, or is of another release"]
