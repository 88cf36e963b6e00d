"""The version that follows one of which rows were erased: its rows that are left, as they were.

Those who are erased ask for it whether or not they were drawn, so what is left of the sample is a
sample of what is left of production, drawn with the same probabilities (Särndal, Swensson and
Wretman 1992, ch. 10: a domain). So rows keep weight and inclusion probability, and their weighted
sums estimate the traces that are left, without bias. The counts of production in the design are
those of the time before: the traces that they counted cannot be counted again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from batch.release.format.erasure_note import ErasureNote, NotedErasure, load_erasure_note
from batch.release.format.files import DATA, MANIFEST, sha256
from batch.release.format.manifest import (
    MIXED_POLICIES,
    count_mixed_policies,
    read_manifest,
    rows_sha256,
)
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import json_rows, row_commitments
from batch.release.format.version import ChangeLevel, RowChanges, SemanticVersion
from batch.release.publish.build import (
    VERSION_KEYS,
    ReleaseDraft,
    abandon_begun,
    assemble_files,
    claim_version,
    next_version,
    predecessor_entry,
)
from batch.release.publish.repository import (
    ReleaseClaimError,
    ReleaseRepository,
    ReleaseVersion,
    latest_version,
)

ERASURES_KEY = "erasures"
"""The key of a successor's manifest under which it says what was erased before it."""


def publish_successor(shelf: ReleaseRepository, name: str) -> None:
    """See to it that the latest version of a name is not one of which rows were erased.

    There is none if no row is left, or if the successor was withdrawn. Who has begun another
    version is told that it was abandoned. The note of the version is read again after the claim: an
    erasure writes its note before it looks at claims, so one of the two sees the other.
    """
    while True:
        there = shelf.standing(name)
        made = _made(shelf, there)
        if made is None:
            return
        try:
            one = claim_version(shelf, name, there, made.version, made.files)
            if one is None:
                abandon_begun(shelf, there)
            elif load_erasure_note(shelf, made.source) != made.note:
                shelf.abandon(one)  # another erasure has taken rows that were read
            else:
                shelf.fill(one, made.files)
                return
        except ReleaseClaimError:
            continue


def is_successor(shelf: ReleaseRepository, begun: ReleaseVersion) -> bool:
    """Tell whether a version that was begun is what would be made of the latest one now.

    So it holds nothing that was erased from that.
    """
    there = shelf.standing(begun.name)
    made = _made(shelf, [one for one in there if one.state != "begun"])
    if made is None:
        return False
    return (made.version, sha256(made.files[MANIFEST])) == (begun.version, begun.digest)


@dataclass(frozen=True, slots=True, repr=False)
class _Made:
    """A successor: of which version with which note, and its files."""

    source: ReleaseVersion
    note: ErasureNote
    version: SemanticVersion
    files: Mapping[str, bytes]


def _made(shelf: ReleaseRepository, there: Sequence[ReleaseVersion]) -> _Made | None:
    """Return the successor that is wanted now, if one is."""
    source = latest_version(there)
    if source is None or not source.erased:
        return None
    note, manifest = load_erasure_note(shelf, source), read_manifest(shelf.read(source, MANIFEST))
    if find_successor(shelf, there, note, note.erasures) is not None:
        return None
    left = _left(shelf, source, manifest, note)
    if not left.contents:
        return None
    version = next_version(there, ChangeLevel.MAJOR)
    lost = RowChanges(same=len(left.contents), erased=len(note.rows))
    return _Made(
        source, note, version, assemble_files(left, version, predecessor_entry(source, lost))
    )


def find_successor(
    shelf: ReleaseRepository,
    there: Sequence[ReleaseVersion],
    note: ErasureNote,
    erasures: Sequence[NotedErasure],
) -> ReleaseVersion | None:
    """Return the version that was made for what these erasures took from the note's version."""
    wanted = {(note.version, one.number, len(one.rows)) for one in erasures}
    for one in [s for s in there if s.published and str(s.version) != note.version]:
        told = read_manifest(shelf.read(one, MANIFEST)).get(ERASURES_KEY, [])
        if wanted <= {(o["of"], o["erasure"], o["rows"]) for o in told}:
            return one
    return None


def _left(
    shelf: ReleaseRepository, source: ReleaseVersion, manifest: Mapping[str, Any], note: ErasureNote
) -> ReleaseDraft:
    rows = read_release_rows(shelf.read(source, DATA))
    committed = row_commitments(json_rows(rows))
    known = {row for _, row in manifest["rows"]} - note.rows
    kept = [i for i, one in enumerate(committed) if one.row in known]
    left = rows.take(pa.array(kept, pa.int64()))
    pairs = [committed[i] for i in kept]
    drawn = left.filter(pc.is_null(left["generator"]))
    true = {
        key: value for key, value in manifest.items() if key not in {*VERSION_KEYS, MIXED_POLICIES}
    }
    true |= count_mixed_policies(left["_policy"].to_pylist())
    true |= {
        "design": _design(manifest["design"], drawn["stratum"].to_pylist()),
        "row_count": len(pairs),
        "rows_sha256": rows_sha256(pairs),
        "rows": [list(pair) for pair in pairs],
        ERASURES_KEY: [*manifest.get(ERASURES_KEY, []), *_told(note)],
    }
    if "synthetic" in true:
        made = left.filter(pc.is_valid(left["generator"]))["stratum"].to_pylist()
        true["synthetic"] |= {"rows": len(made), "by_stratum": dict(sorted(Counter(made).items()))}
    return ReleaseDraft(true, left, [pair.content for pair in pairs])


def _told(note: ErasureNote) -> list[dict[str, Any]]:
    return [
        {"erasure": one.number, "of": note.version, "rows": len(one.rows)} for one in note.erasures
    ]


def _design(design: Mapping[str, Any], strata: Sequence[str | None]) -> dict[str, Any]:
    """Return the design with the rows that are left; ``erased`` counts the others by stratum."""
    left = Counter(strata)
    return {
        **design,
        "strata": [
            {
                **stratum,
                "rows": left[stratum["name"]],
                "erased": stratum.get("erased", 0) + stratum["rows"] - left[stratum["name"]],
            }
            for stratum in design["strata"]
        ],
    }
