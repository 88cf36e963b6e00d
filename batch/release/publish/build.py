"""Builds a release: selects rows, compares them with the last version, writes and publishes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from batch.engines.spark_lake import SparkAddress
from batch.progress import ReportStep, no_step
from batch.release.format.commitments import add_salts, row_commitments
from batch.release.format.contract import release_contract
from batch.release.format.files import (
    CHECKSUMS,
    CONTRACT,
    DATA,
    DATASHEET,
    DATASHEET_HTML,
    LINEAGE,
    MANIFEST,
    STARTER,
    checksum_file,
    choose_starter_rows,
    encode_jsonl,
    encode_parquet,
    sha256,
)
from batch.release.format.lineage import lineage_event
from batch.release.format.manifest import (
    PopulationFacts,
    PreviousFacts,
    ReleaseFacts,
    count_mixed_policies,
    encode_manifest,
    facts_of,
    read_manifest,
)
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import json_rows
from batch.release.format.version import (
    FIRST_VERSION,
    ChangeLevel,
    SemanticVersion,
    bump_version,
)
from batch.release.pages.datasheet import datasheet_blocks
from batch.release.pages.markup import render_html, render_markdown
from batch.release.publish.diff import RowChanges, compare_rows, row_fingerprints
from batch.release.publish.facts import release_facts
from batch.release.publish.repository import (
    ReleaseClaimError,
    ReleaseRepository,
    ReleaseVersion,
    last_published_version,
)
from batch.release.publish.spec_changes import describe_spec_changes, requires_other_labels
from batch.release.sampling.engine_choice import open_engine
from batch.release.sampling.expectations import Expectations
from batch.release.sampling.retained_window import retained_window
from batch.release.sampling.selection import select_rows
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.synthetic_rows import SyntheticOffer
from lake.snapshot import TableSnapshot


@dataclass(frozen=True, slots=True, repr=False)
class ReleaseDraft:
    """The rows of a release with their salts, and the facts that hold in any version of it.

    ``contents`` are the commitments to the content of the rows.
    """

    facts: ReleaseFacts
    rows: pa.Table
    contents: Sequence[str]


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The outcome of a build. ``changes`` are against ``before``, the version that it follows.

    With ``level`` NONE nothing is new, and ``version`` is the existing one. ``policies`` counts the
    rows by redaction policy, if there is more than one. ``spec_changes`` lists the changes of the
    spec since ``before``; ``population`` is the entry of the manifest on the traces.
    """

    name: str
    version: SemanticVersion
    digest: str
    level: ChangeLevel
    changes: RowChanges
    before: SemanticVersion | None
    rows: int
    policies: Mapping[str, int]
    spec_changes: Sequence[str]
    population: PopulationFacts


@dataclass(frozen=True, slots=True, repr=False)
class BuildOptions:
    """The inputs of a build other than the lake: secret of the salts, memory, code versions.

    ``expectations`` say what would have been right, where the spec names files that do. With an
    address of ``spark`` the selection runs there, else on DuckDB in this process; no file of the
    release says which.
    """

    key: bytes
    memory_bytes: int
    code: Mapping[str, str]
    progress: ReportStep = no_step
    expectations: Sequence[Expectations] = ()
    spark: SparkAddress | None = None


def draft_release(
    spec: ReleaseSpec,
    traces: TableSnapshot,
    labels: TableSnapshot,
    options: BuildOptions,
    offer: SyntheticOffer | None = None,
) -> ReleaseDraft:
    """Select the rows of a release and commit to them; nothing is written.

    ``offer`` holds the synthetic rows that the spec names. Raises UsageError if the spec cannot be
    met or data of its window has expired; otherwise the errors of the lake.
    """
    window = retained_window(spec, traces, labels)
    with open_engine(
        window.spec,
        traces,
        labels,
        memory_bytes=options.memory_bytes,
        spark=options.spark,
        progress=options.progress,
    ) as engine:
        selection = select_rows(window.spec, engine, options.progress, offer)
    window.check_named(selection.rows)
    selection = replace(selection, spec=spec)
    unsalted = selection.rows
    for said in options.expectations:
        unsalted = said.add_to(unsalted)
    rows = add_salts(unsalted, spec.name, options.key)
    commitments = row_commitments(json_rows(rows))
    facts = release_facts(
        selection, [traces, labels], commitments, key=options.key, code=options.code
    )
    if mixed := count_mixed_policies(rows["_policy"].to_pylist()):
        facts["redaction_policies"] = mixed
    for said in options.expectations:
        facts[said.column] = said.to_json(rows)
    if expired := window.to_json():
        facts["expired"] = expired
    return ReleaseDraft(facts, rows, [commitment.content for commitment in commitments])


def assemble_files(
    draft: ReleaseDraft, version: SemanticVersion, previous: PreviousFacts | None
) -> dict[str, bytes]:
    """Return all files of a version, by name."""
    rows = json_rows(draft.rows)
    facts, name, version_text = draft.facts, draft.facts["name"], str(version)
    page = datasheet_blocks(facts, version_text, previous, rows)
    starter = choose_starter_rows(rows, facts["spec"]["starter"])
    files = {
        DATA: encode_parquet(draft.rows),
        STARTER: encode_jsonl([rows[i] for i in starter]),
        DATASHEET: render_markdown(page).encode(),
        DATASHEET_HTML: render_html(f"{name} {version_text}", page).encode(),
        CONTRACT: release_contract(
            name, version_text, facts["spec"]["description"], draft.rows.schema
        ),
        LINEAGE: lineage_event(facts, version_text, draft.rows.schema),
    }
    files[MANIFEST] = encode_manifest(facts, version, files, previous, starter)
    files[CHECKSUMS] = checksum_file(files)
    return files


def publish_draft(
    draft: ReleaseDraft, repository: ReleaseRepository, *, take_over: bool = False
) -> BuildResult:
    """Publish a draft as the next version; if nothing is new, return the existing version.

    Raises ReleaseClaimError if another builder is at work (``take_over`` abandons its version), or
    if rows that were read have been erased since.
    """
    name, count = draft.facts["name"], draft.facts["row_count"]
    mixed = draft.facts.get("redaction_policies", {})
    _refuse_erased(draft, repository)
    versions = repository.versions(name)
    before = last_published_version(versions)
    changes, level, spec_changes = _compare(draft, repository, before)
    described = (spec_changes, draft.facts["population"])
    if before is not None and level is ChangeLevel.NONE:
        old = before.version
        return BuildResult(name, old, before.digest, level, changes, old, count, mixed, *described)
    version = next_version(versions, level)
    previous = None if before is None else previous_facts(before, changes, spec_changes)
    files = assemble_files(draft, version, previous)
    release = claim_version(repository, name, versions, version, files)
    if release is None:
        if not take_over:
            raise _begun_error(versions)
        abandon_begun(repository, versions)
        return publish_draft(draft, repository, take_over=take_over)
    try:
        _refuse_erased(draft, repository)
    except ReleaseClaimError:
        repository.abandon(release)
        raise
    repository.publish(release, files)
    follows = before.version if before else None
    return BuildResult(
        name, version, release.digest, level, changes, follows, count, mixed, *described
    )


def _refuse_erased(draft: ReleaseDraft, repository: ReleaseRepository) -> None:
    """Refuse tables read before an erasure; called before and after the claim (see repository)."""
    read = {table: facts["version"] for table, facts in draft.facts["lake"].items()}
    for fence in repository.fences():
        for table, needed in (("traces", fence.traces), ("labels", fence.labels)):
            if read[table] < needed:
                raise ReleaseClaimError(
                    f"rows of table {table} were erased after version {read[table]}, which was "
                    f"read: build again, from version {needed} or a later one"
                )


def claim_version(
    repository: ReleaseRepository,
    name: str,
    versions: Sequence[ReleaseVersion],
    version: SemanticVersion,
    files: Mapping[str, bytes],
) -> ReleaseVersion | None:
    """Claim a version, or resume one's own claim; None if another builder has begun one.

    Raises ReleaseClaimError if another builder claims it at the same time.
    """
    begun = next((r for r in versions if r.state == "begun"), None)
    own = (version, sha256(files[MANIFEST]))
    if begun is not None and (begun.version, begun.digest) != own:
        return None
    claim = len(versions) + 1 if begun is None else begun.claim
    return repository.claim(name, claim, version, files)


def abandon_begun(repository: ReleaseRepository, versions: Sequence[ReleaseVersion]) -> None:
    """Abandon the versions that were begun."""
    for release in versions:
        if release.state == "begun":
            repository.abandon(release)


def _begun_error(versions: Sequence[ReleaseVersion]) -> ReleaseClaimError:
    begun = ", ".join(f"{r.name} {r.version}" for r in versions if r.state == "begun")
    return ReleaseClaimError(
        f"another builder has begun {begun} and will publish it soon; if that builder is dead, "
        "build again with --take-over"
    )


def _compare(
    draft: ReleaseDraft, repository: ReleaseRepository, before: ReleaseVersion | None
) -> tuple[RowChanges, ChangeLevel, list[str]]:
    """Return the changes of rows since a version, the level of all changes, and those of spec."""
    after = row_fingerprints(json_rows(draft.rows), draft.contents)
    if before is None:
        return compare_rows({}, after), ChangeLevel.MAJOR, []
    old = read_manifest(repository.read(before, MANIFEST))
    rows = json_rows(read_release_rows(repository.read(before, DATA)))
    erased = repository.erasure_note(before).contents(old)
    contents = [commitment.content for commitment in row_commitments(rows)]
    changes = compare_rows(row_fingerprints(rows, contents), after, erased)
    same = facts_of(old) == draft.facts
    spec_changes = describe_spec_changes(old["spec"], draft.facts["spec"])
    level = changes.level if changes.level is not ChangeLevel.NONE or same else ChangeLevel.PATCH
    if requires_other_labels(old["spec"], draft.facts["spec"]):
        level = ChangeLevel.MAJOR  # the rows stand for other traces, even if none was removed
    return changes, level, spec_changes


def previous_facts(
    before: ReleaseVersion, changes: RowChanges, spec_changes: Sequence[str] = ()
) -> PreviousFacts:
    """Return what a manifest says of the version that it follows, and of the changes since."""
    facts: PreviousFacts = {
        "version": str(before.version),
        "digest": f"sha256:{before.digest}",
        "changes": changes.counts(),
    }
    return {"why": list(spec_changes), **facts} if spec_changes else facts


def next_version(versions: Sequence[ReleaseVersion], level: ChangeLevel) -> SemanticVersion:
    """Return the version that follows after changes of a level, skipping abandoned ones."""
    before = last_published_version(versions)
    abandoned = {release.version for release in versions if release.abandoned}
    version = FIRST_VERSION if before is None else bump_version(before.version, level)
    while version in abandoned:
        version = bump_version(version, level)
    return version
