"""Verifies a release from its folder alone: no lake, no network, no key.

Every byte is under a hash. ``SHA256SUMS`` covers the files and must itself be exactly what the
files produce; the manifest commits to each row. A folder cannot show that all of it was replaced:
compare the digest with the pinned one for that.

Erased rows are missing from the files, and ``erased.json`` lists them: the release is valid
*except* for them, as long as all other rows are there. While an erasure is under way, each file
that it changes must have its old or its new content, and nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batch.release.format.commitments import Commitment, canonical_json, row_commitment
from batch.release.format.erasure_note import (
    ErasureNote,
    erasure_note_problems,
    file_facts,
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
from batch.release.format.manifest import Manifest, compact_json, read_manifest, rows_sha256
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import json_rows
from batch.release.publish.signatures import check_signatures, is_signature_file
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

ERASURE_UNDER_WAY: Final = (
    "an erasure has begun and is not complete: run `goldpan erase` again to complete it"
)
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class ReleaseVerification:
    """The result of a verification; ``problems`` is empty if and only if everything is valid.

    ``erased`` counts rows that are gone while everything else is valid. ``signed_by`` is the public
    key that signed their erasure (hex digits, None if no row was erased). ``publishers`` are the
    public keys that signed the release. ``withdrawn`` is the reason, if it was withdrawn.
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
        """Return whether everything is valid."""
        return not self.problems

    def passes(self, *, allow_withdrawn: bool) -> bool:
        """Return whether everything is valid and the release is in force, if it has to be."""
        return self.ok and (self.withdrawn is None or allow_withdrawn)

    def to_json(self, *, allow_withdrawn: bool = False) -> dict[str, object]:
        """Return the result as `goldpan release verify --json` prints it."""
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

    ``signer`` is the public key that must have signed erasures, if there were any; ``publisher`` is
    one that must have signed the release. Raises UsageError if there is no release; otherwise the
    errors of the store.
    """
    files = _read_files(folder, prefix)
    if MANIFEST not in files:
        raise UsageError("there is no release in that folder: it has no manifest.json")
    digest = sha256(files[MANIFEST])
    problems: list[str] = []
    if expected is not None and digest != expected:
        problems.append(f"{MANIFEST}: its digest is sha256:{digest}, not the expected one")
    try:
        manifest = read_manifest(files[MANIFEST])
        note, signed_by, note_problems = _read_note(
            files.get(ERASURE_NOTE), digest, manifest, signer
        )
        changing = _changing_files(files, manifest, note)
        problems += note_problems + _file_problems(files, changing)
        problems += _manifest_problems(manifest, files, note, changing)
        problems += _row_problems(manifest, files, note, under_way=bool(changing))
    except (FatalError, KeyError, TypeError, ValueError, AttributeError) as error:
        damage = str(error) if isinstance(error, FatalError) else f"{MANIFEST} is damaged"
        problems += [*_file_problems(files, {}), damage]
        return ReleaseVerification("", "", digest, 0, 0, None, list(dict.fromkeys(problems)))
    reason, withdrawal_problems = _read_withdrawal(files.get(WITHDRAWAL), digest)
    publishers, signature_problems = _check_publishers(files, manifest, digest, publisher)
    return ReleaseVerification(
        str(manifest["name"]),
        str(manifest["version"]),
        digest,
        len(manifest["rows"]) - len(note.rows),
        len(note.rows),
        reason,
        [*problems, *withdrawal_problems, *signature_problems],
        signed_by,
        publishers,
    )


def _check_publishers(
    files: Mapping[str, bytes], manifest: Manifest, digest: str, required: str | None
) -> tuple[list[str], list[str]]:
    """Return the keys that signed the release, and the problems of signatures."""
    keys, problems = check_signatures(
        files, str(manifest["name"]), str(manifest["version"]), digest
    )
    if required is not None and required not in keys:
        signers = f"only by {', '.join(keys)}" if keys else "by nobody"
        problems.append(f"it is not signed by {required}, {signers}")
    return keys, problems


def _read_note(
    data: bytes | None, digest: str, manifest: Manifest, signer: str | None
) -> tuple[ErasureNote, str | None, list[str]]:
    """Return the erasure note (empty if it is invalid), the key that signed it, and problems."""
    none = ErasureNote(str(manifest["name"]), str(manifest["version"]), digest)
    if data is None:
        return none, None, []
    try:
        signed = read_erasure_note(data)
    except ValueError as error:
        return none, None, [f"{ERASURE_NOTE}: {error}"]
    if problems := erasure_note_problems(signed.note, digest, manifest):
        return none, None, problems
    other = signer is not None and signed.signed_by != signer
    problems = [f"{ERASURE_NOTE} is signed with another key than the expected one"] if other else []
    return signed.note, signed.signed_by, problems


ChangingFiles = Mapping[str, frozenset[str]]
"""The files that an erasure under way changes, with the hashes that they may have."""


def _changing_files(
    files: Mapping[str, bytes], manifest: Manifest, note: ErasureNote
) -> ChangingFiles:
    if not note.erasures:
        return {}
    sums = parse_checksums(files.get(CHECKSUMS, b""))
    ends = {name: str(facts["sha256"]) for name, facts in note.files.items()}
    ends[ERASURE_NOTE] = sha256(files[ERASURE_NOTE])
    if all(sums.get(n) == end == sha256(files.get(n, b"")) for n, end in ends.items()):
        return {}
    begins = {name: str(manifest["files"][name]["sha256"]) for name in ROW_FILES}
    allowed = {n: frozenset({end, begins.get(n, end), sums.get(n, end)}) for n, end in ends.items()}
    fits = all(sha256(files.get(name, b"")) in hashes for name, hashes in allowed.items())
    return allowed if fits else {}


def _read_files(folder: ObjectStore, prefix: str) -> dict[str, bytes]:
    paths = [path for path, _ in folder.walk(prefix)]
    names = {path: path.removeprefix(prefix) for path in paths}
    # Files that a killed writer leaves behind were never part of the release.
    parts = {path: n for path, n in names.items() if not n.startswith(".writing-")}
    return {name: folder.get(path) for path, name in parts.items()}


def _file_problems(files: Mapping[str, bytes], changing: ChangingFiles) -> list[str]:
    stored = files.get(CHECKSUMS)
    if not stored:
        return [f"{CHECKSUMS} is missing: the release was never completed"]
    covered = {n: data for n, data in files.items() if not _is_separate(n)}
    hashes = parse_checksums(stored)
    extra = covered.keys() - hashes.keys() - changing.keys()
    problems = [f"{name} is missing" for name in sorted(hashes.keys() - covered.keys())]
    problems += [f"{name} does not belong here" for name in sorted(extra)]
    problems += [
        f"{name} was changed"
        for name in sorted(covered.keys() & hashes.keys())
        if sha256(covered[name]) not in {hashes[name], *changing.get(name, ())}
    ]
    if not problems and stored != encode_checksums(hashes):
        problems = [f"{CHECKSUMS} was changed"]
    return [*problems, ERASURE_UNDER_WAY] if changing else problems


def _is_separate(file: str) -> bool:
    """Return whether a file may be added later and proves its own content."""
    return file in {CHECKSUMS, WITHDRAWAL} or is_signature_file(file)


def _manifest_problems(
    manifest: Manifest, files: Mapping[str, bytes], note: ErasureNote, changing: ChangingFiles
) -> list[str]:
    stated = {**manifest["files"], **note.files}
    problems = [
        f"{name} is not what {ERASURE_NOTE if name in note.files else MANIFEST} says"
        for name, facts in sorted(stated.items())
        if name in files and name not in changing and facts != file_facts(files[name])
    ]
    problems += [f"{name} is missing" for name in sorted(manifest["files"].keys() - files.keys())]
    own = {name for name in files if _is_separate(name)} | {MANIFEST, ERASURE_NOTE}
    extra = files.keys() - manifest["files"].keys() - own
    problems += [f"{MANIFEST} does not list {name}" for name in sorted(extra)]
    if manifest["spec_sha256"] != sha256(compact_json(manifest["spec"])):
        problems.append(f"{MANIFEST}: the spec does not match its hash")
    return problems


def _row_problems(
    manifest: Manifest, files: Mapping[str, bytes], note: ErasureNote, *, under_way: bool
) -> list[str]:
    committed = [Commitment(*pair) for pair in manifest["rows"]]
    problems = []
    if manifest["row_count"] != len(committed) or manifest["rows_sha256"] != rows_sha256(committed):
        problems.append(f"{MANIFEST}: its rows do not match their count or hash")
    for name in [name for name in ROW_FILES if name in files]:
        stored = [_commitment(row) for row in _rows(name, files[name])]
        published = committed if name == DATA else _starter(manifest, committed, stored)
        expected = [row for row in published if row.row not in note.rows]
        if under_way:  # some of the rows that are being erased may still be there
            expected = [row for row in published if row in {*expected, *stored}]
        if wrong := _differing(stored, expected):
            some = ", ".join(map(str, wrong[:_SHOWN]))
            problems.append(
                f"{name}: {len(wrong)} rows do not match their commitments, such as {some}"
            )
    return problems


def _starter(
    manifest: Manifest, committed: Sequence[Commitment], stored: Sequence[Commitment | None]
) -> list[Commitment]:
    """Return the rows of the starter set as it was published.

    Manifests of format 1 do not list them: any rows of the release are accepted, in their order.
    """
    if "starter_rows" in manifest:
        return [committed[i] for i in manifest["starter_rows"]]
    present = set(stored)
    return [row for row in committed if row in present]


def _rows(name: str, data: bytes) -> list[Any]:
    """Return the rows of a file as JSON values, whatever they are."""
    if name == DATA:
        try:
            return list(json_rows(read_release_rows(data)))
        except (OverflowError, ValueError) as error:  # an impossible day or text
            raise FatalError(f"{DATA} holds a value that no row can have") from error
    return [_parse(line) for line in data.splitlines()]


def _differing(stored: Sequence[Commitment | None], committed: Sequence[Commitment]) -> list[int]:
    """Return the indices of the rows that differ, or that only one of the two has."""
    longest = max(len(stored), len(committed))
    return [i for i in range(longest) if stored[i : i + 1] != committed[i : i + 1]]


def _parse(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _commitment(row: Any) -> Commitment | None:
    try:
        return row_commitment(row)
    except (KeyError, TypeError, ValueError):
        return None


def withdrawal_mark(digest: str, reason: str) -> bytes:
    """Return the content of the file that marks a release as withdrawn, with its own hash."""
    body = {"digest": f"sha256:{digest}", "reason": reason}
    return canonical_json(body | {"sha256": sha256(canonical_json(body))}) + b"\n"


def _read_withdrawal(mark: bytes | None, digest: str) -> tuple[str | None, list[str]]:
    if mark is None:
        return None, []
    document = _parse(mark)
    reason = document.get("reason") if isinstance(document, dict) else None
    if isinstance(reason, str) and mark == withdrawal_mark(digest, reason):
        return reason, []
    return "(not readable)", [f"{WITHDRAWAL} was changed, or belongs to another release"]
