"""Builds the version that succeeds one with erased rows: the remaining rows, unchanged.

Persons ask for erasure whether or not they were drawn. So the rest of the sample is a sample of the
rest of production, drawn with the same probabilities (Särndal, Swensson and Wretman 1992, ch. 10: a
domain). Rows keep weight and inclusion probability, and their weighted sums estimate the remaining
traces without bias. The counts of production in the design date from before the erasure: the traces
that they counted cannot be counted again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from batch.release.format.commitments import row_commitments
from batch.release.format.erasure_note import ErasureNote, NotedErasure
from batch.release.format.files import DATA, MANIFEST, sha256
from batch.release.format.manifest import (
    DesignFacts,
    ErasureFacts,
    Manifest,
    count_mixed_policies,
    facts_of,
    read_manifest,
    rows_sha256,
)
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import json_rows
from batch.release.format.version import ChangeLevel, SemanticVersion
from batch.release.publish.build import (
    ReleaseDraft,
    abandon_begun,
    assemble_files,
    claim_version,
    next_version,
    previous_facts,
)
from batch.release.publish.diff import RowChanges
from batch.release.publish.repository import (
    ReleaseClaimError,
    ReleaseRepository,
    ReleaseVersion,
    latest_version,
)


def publish_successor(repository: ReleaseRepository, name: str) -> None:
    """Publish a successor if rows of the latest version of a name were erased.

    There is none if no row is left, or if the successor was withdrawn. Another version that was
    begun is abandoned, and its builder gets an error. The note is read again after the claim: an
    erasure writes its note before it reads the claims, so one of the two sees the other.
    """
    while True:
        versions = repository.versions(name)
        successor = _successor(repository, versions)
        if successor is None:
            return
        try:
            release = claim_version(repository, name, versions, successor.version, successor.files)
            if release is None:
                abandon_begun(repository, versions)
            elif repository.erasure_note(successor.source) != successor.note:
                repository.abandon(release)  # another erasure has removed rows that were read
            else:
                repository.publish(release, successor.files)
                return
        except ReleaseClaimError:
            continue


def is_successor(repository: ReleaseRepository, begun: ReleaseVersion) -> bool:
    """Return whether a version that was begun is the successor of the latest version now.

    Then it holds none of the rows erased from that version.
    """
    versions = repository.versions(begun.name)
    successor = _successor(repository, [r for r in versions if r.state != "begun"])
    if successor is None:
        return False
    digest = sha256(successor.files[MANIFEST])
    return (successor.version, digest) == (begun.version, begun.digest)


@dataclass(frozen=True, slots=True, repr=False)
class _Successor:
    """A successor: the version and the note that it is made from, its version, its files."""

    source: ReleaseVersion
    note: ErasureNote
    version: SemanticVersion
    files: Mapping[str, bytes]


def _successor(
    repository: ReleaseRepository, versions: Sequence[ReleaseVersion]
) -> _Successor | None:
    """Return the successor that is missing now, if one is."""
    source = latest_version(versions)
    if source is None or not source.erased:
        return None
    note = repository.erasure_note(source)
    manifest = read_manifest(repository.read(source, MANIFEST))
    if find_successor(repository, versions, note, note.erasures) is not None:
        return None
    draft = _remaining(repository, source, manifest, note)
    if not draft.contents:
        return None
    version = next_version(versions, ChangeLevel.MAJOR)
    changes = RowChanges(same=len(draft.contents), erased=len(note.rows))
    files = assemble_files(draft, version, previous_facts(source, changes))
    return _Successor(source, note, version, files)


def find_successor(
    repository: ReleaseRepository,
    versions: Sequence[ReleaseVersion],
    note: ErasureNote,
    erasures: Sequence[NotedErasure],
) -> ReleaseVersion | None:
    """Return the version published after these erasures removed rows from the note's version."""
    required = {(note.version, erasure.tombstone, len(erasure.rows)) for erasure in erasures}
    for release in [r for r in versions if r.published and str(r.version) != note.version]:
        stated = read_manifest(repository.read(release, MANIFEST)).get("erasures", [])
        if required <= {(entry["of"], entry["erasure"], entry["rows"]) for entry in stated}:
            return release
    return None


def _remaining(
    repository: ReleaseRepository, source: ReleaseVersion, manifest: Manifest, note: ErasureNote
) -> ReleaseDraft:
    rows = read_release_rows(repository.read(source, DATA))
    stored = row_commitments(json_rows(rows))
    committed = {row for _, row in manifest["rows"]} - note.rows
    indices = [i for i, commitment in enumerate(stored) if commitment.row in committed]
    left = rows.take(pa.array(indices, pa.int64()))
    commitments = [stored[i] for i in indices]
    sampled = left.filter(pc.is_null(left["generator"]))
    facts = facts_of(manifest)
    facts.pop("redaction_policies", None)
    if mixed := count_mixed_policies(left["_policy"].to_pylist()):
        facts["redaction_policies"] = mixed
    facts["design"] = _design(manifest["design"], sampled["stratum"].to_pylist())
    facts["row_count"] = len(commitments)
    facts["rows_sha256"] = rows_sha256(commitments)
    facts["rows"] = [list(pair) for pair in commitments]
    facts["erasures"] = [*manifest.get("erasures", []), *_erasure_facts(note)]
    if "synthetic" in facts:
        strata = left.filter(pc.is_valid(left["generator"]))["stratum"].to_pylist()
        facts["synthetic"] = {
            **facts["synthetic"],
            "rows": len(strata),
            "by_stratum": dict(sorted(Counter(strata).items())),
        }
    return ReleaseDraft(facts, left, [commitment.content for commitment in commitments])


def _erasure_facts(note: ErasureNote) -> list[ErasureFacts]:
    return [
        {"erasure": erasure.tombstone, "of": note.version, "rows": len(erasure.rows)}
        for erasure in note.erasures
    ]


def _design(design: DesignFacts, strata: Sequence[str | None]) -> DesignFacts:
    """Return the design with the remaining rows; ``erased`` counts the others by stratum."""
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
