"""Proves a release from its folder alone: no lake, no network, no key.

Every byte is under a hash: the files under ``SHA256SUMS``, that under the rule that it is exactly
what the files make it, each row under its commitments in the manifest. What nothing in a folder can
tell is that somebody has made all of it anew: for that, compare the digest with the one you pinned.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batch.release.files import CHECKSUMS, DATA, MANIFEST, STARTER, WITHDRAWN, checksums, sha256
from batch.release.manifest import read_manifest, rows_sha256
from batch.release.reading import read_rows
from batch.release.rows import Commitment, canonical, commitment, json_rows
from lake.objects import ObjectStore
from schemas.errors import FatalError, UsageError

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found; ``problems`` is empty exactly if everything holds.

    ``erased`` counts rows that are gone while everything else holds.
    """

    name: str
    version: str
    digest: str
    rows: int
    erased: int
    withdrawn: str | None
    problems: Sequence[str]

    @property
    def ok(self) -> bool:
        """Return whether everything holds."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as `goldpan release verify --json` prints it."""
        return {
            "ok": self.ok,
            "name": self.name,
            "version": self.version,
            "digest": f"sha256:{self.digest}",
            "rows": self.rows,
            "erased": self.erased,
            "withdrawn": self.withdrawn,
            "problems": list(self.problems),
        }


def verify(folder: ObjectStore, prefix: str = "", expected: str | None = None) -> Verdict:
    """Verify the release in a folder; ``expected`` is the digest that was pinned (hex digits).

    Raises UsageError if there is no release there, otherwise as the store does.
    """
    found = _read(folder, prefix)
    if MANIFEST not in found:
        raise UsageError("there is no release in that folder: it has no manifest.json")
    digest = sha256(found[MANIFEST])
    problems = _file_problems(found)
    if expected is not None and not digest.startswith(expected):
        problems.append(f"{MANIFEST}: its digest is sha256:{digest}, not the one that was expected")
    try:
        manifest = read_manifest(found[MANIFEST])
        problems += _listed_problems(manifest, found)
        problems += _row_problems(manifest, found)
    except (FatalError, KeyError, TypeError, ValueError, AttributeError) as error:
        told = str(error) if isinstance(error, FatalError) else f"{MANIFEST} is damaged"
        return Verdict("", "", digest, 0, 0, None, [*problems, told])
    reason, faults = _withdrawal(found.get(WITHDRAWN), digest)
    return Verdict(
        str(manifest["name"]),
        str(manifest["version"]),
        digest,
        len(manifest["rows"]),
        0,
        reason,
        [*problems, *faults],
    )


def _read(folder: ObjectStore, prefix: str) -> dict[str, bytes]:
    paths = [path for path, _ in folder.walk(prefix)]
    names = {path: path.removeprefix(prefix) for path in paths}
    # What a killed writer leaves behind was never a part of the release.
    kept = {path: n for path, n in names.items() if not n.startswith(".writing-")}
    return {name: folder.get(path) for path, name in kept.items()}


def _file_problems(found: Mapping[str, bytes]) -> list[str]:
    told = found.get(CHECKSUMS)
    if not told:
        return [f"{CHECKSUMS} is missing: the release was never finished"]
    rest = {n: data for n, data in found.items() if n not in {CHECKSUMS, WITHDRAWN}}
    if told == checksums(rest):
        return []
    listed = dict(_lines(told))
    problems = [f"{name} is missing" for name in sorted(listed.keys() - rest.keys())]
    problems += [f"{name} does not belong here" for name in sorted(rest.keys() - listed.keys())]
    problems += [
        f"{name} was changed"
        for name in sorted(rest.keys() & listed.keys())
        if sha256(rest[name]) != listed[name]
    ]
    return problems or [f"{CHECKSUMS} was changed"]


def _lines(told: bytes) -> list[tuple[str, str]]:
    lines = [line.partition("  ") for line in told.decode(errors="replace").splitlines()]
    return [(name, digest) for digest, _, name in lines]


def _listed_problems(manifest: Mapping[str, Any], found: Mapping[str, bytes]) -> list[str]:
    problems = [
        f"{name} is not what {MANIFEST} says"
        for name, said in sorted(manifest["files"].items())
        if name in found
        and (said["sha256"], said["bytes"]) != (sha256(found[name]), len(found[name]))
    ]
    problems += [f"{name} is missing" for name in sorted(manifest["files"].keys() - found.keys())]
    more = found.keys() - manifest["files"].keys() - {MANIFEST, CHECKSUMS, WITHDRAWN}
    problems += [f"{MANIFEST} does not know {name}" for name in sorted(more)]
    if manifest["spec_sha256"] != sha256(_compact(manifest["spec"])):
        problems.append(f"{MANIFEST}: the spec is not the one whose hash it gives")
    return problems


def _compact(spec: Mapping[str, Any]) -> bytes:
    return json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()


def _row_problems(manifest: Mapping[str, Any], found: Mapping[str, bytes]) -> list[str]:
    committed = [Commitment(*pair) for pair in manifest["rows"]]
    problems = []
    if manifest["row_count"] != len(committed) or manifest["rows_sha256"] != rows_sha256(committed):
        problems.append(f"{MANIFEST}: its rows do not fit its count or their hash")
    if DATA in found:
        rows = json_rows(read_rows(found[DATA]))
        wrong = _unlike([_committed(row) for row in rows], committed)
        if wrong:
            some = ", ".join(map(str, wrong[:_SHOWN]))
            problems.append(f"{DATA}: {len(wrong)} rows are not those committed to, such as {some}")
    if STARTER in found:
        there = set(committed)
        lines = found[STARTER].splitlines()
        strays = [i for i, line in enumerate(lines) if _committed(_row(line)) not in there]
        if strays:
            problems.append(f"{STARTER}: {len(strays)} lines are no rows of the release")
    return problems


def _unlike(found: Sequence[Commitment | None], committed: Sequence[Commitment]) -> list[int]:
    """Return the numbers (from 0) of the rows that differ, or that only one of the two has."""
    longest = max(len(found), len(committed))
    return [i for i in range(longest) if found[i : i + 1] != committed[i : i + 1]]


def _row(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _committed(row: Any) -> Commitment | None:
    try:
        return commitment(row)
    except (KeyError, TypeError, ValueError):
        return None


def withdrawal(digest: str, reason: str) -> bytes:
    """Return the mark of a withdrawn release, with a hash of its own."""
    body = {"digest": f"sha256:{digest}", "reason": reason}
    return canonical(body | {"sha256": sha256(canonical(body))}) + b"\n"


def _withdrawal(mark: bytes | None, digest: str) -> tuple[str | None, list[str]]:
    if mark is None:
        return None, []
    told = _row(mark)
    reason = told.get("reason") if isinstance(told, dict) else None
    if isinstance(reason, str) and mark == withdrawal(digest, reason):
        return reason, []
    return "(not readable)", [f"{WITHDRAWN} was changed, or is of another release"]
