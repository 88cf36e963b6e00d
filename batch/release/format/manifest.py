"""The manifest of a release: what it was built from, so that it can be verified and rebuilt.

Its SHA-256 is the digest of the release (``name@sha256:…``). It holds commitments to the rows and
none of their content, so it stays valid when a row is erased.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict, cast

from batch.release.format.commitments import Commitment
from batch.release.format.files import MANIFEST, pretty_json, sha256
from batch.release.format.version import SemanticVersion
from schemas.errors import FatalError

MANIFEST_FORMAT: Final = 2
"""Since 2 it lists the rows of the starter set, and does not quote the trace ids of a spec."""

MIXED_POLICIES: Final = "redaction_policies"
"""The key that counts rows by redaction policy, present only if they have more than one."""

ANY_LABEL: Final = ("pass", "fail", "unknown", "none")
"""All labels that a spec may accept, in the order in which they are shown."""

VERSION_KEYS: Final = ("version", "previous", "files", "starter_rows")
"""The keys of a manifest that depend on which version came before."""

WindowFacts = TypedDict("WindowFacts", {"from": str, "to": str})


class LabelFacts(TypedDict):
    """What a spec requires of labels."""

    accept: list[str]
    min_confidence: float
    policies: list[str]
    expected_response: str


class AllocationFacts(TypedDict):
    """How a spec shares rows out among strata."""

    by: str
    floor: int
    error_factor: float


class SyntheticFacts(TypedDict):
    """The synthetic rows that a spec names."""

    file: str
    generator: str
    max_share: float


class ExpectationFileFacts(TypedDict):
    """A file of a spec that says what would have been right."""

    file: str


class ExpectationFacts(TypedDict):
    """What that file said: of how many traces, and of how many rows of this release."""

    sha256: str
    traces: int
    rows: int


class SpecFacts(TypedDict):
    """A spec, defaults included; trace ids are keyed marks (format 1: the ids themselves)."""

    name: str
    description: str
    seed: int
    window: WindowFacts
    where: dict[str, Any]
    one_per: str
    size: int
    strata: list[str]
    bands: dict[str, list[float]]
    allocation: AllocationFacts
    labels: LabelFacts
    redaction_policies: list[str] | str
    near_duplicates: dict[str, Any] | None
    must_include: list[str]
    adversarial: list[str]
    holdout: dict[str, Any] | None
    synthetic: NotRequired[SyntheticFacts | None]
    expected_documents: NotRequired[ExpectationFileFacts]
    expected_calls: NotRequired[ExpectationFileFacts]
    expired: NotRequired[str]
    starter: int


class TableVersionFacts(TypedDict):
    """The version of a table that was read, and when it was committed."""

    version: int
    as_of: str | None


class FailureRateFacts(TypedDict):
    """A failure rate with its interval."""

    mean: float
    low: float
    high: float


class AuditFacts(TypedDict):
    """What the audit arm shows of the traces that fit the spec."""

    drawn: int
    judged: int
    failed: int
    failure_rate: FailureRateFacts | None


class PopulationCounts(TypedDict):
    """Counts of the traces that fit a spec regardless of their label."""

    labels: dict[str, int]
    audit: AuditFacts
    sent_again_otherwise: NotRequired[int]
    warnings: NotRequired[list[str]]


PopulationFacts = TypedDict(
    "PopulationFacts",
    {
        "traces": int,
        "by_redaction_policy": dict[str, int],
        "refused_by_redaction_policy": int,
        "is": NotRequired[str],
        "labels": NotRequired[dict[str, int]],
        "audit": NotRequired[AuditFacts],
        "sent_again_otherwise": NotRequired[int],
        "warnings": NotRequired[list[str]],
        "represents": NotRequired[float],
    },
)
"""The traces that a release speaks for. Releases of earlier versions did not count all of it.

``represents`` is how many traces these stand for, where a part of them was kept at random.
"""


class StratumFacts(TypedDict):
    """A stratum of the design: what it holds, and what was drawn of it."""

    name: str
    values: dict[str, str | None]
    traces: int
    clusters: int
    free: int
    wanted: int
    drawn: int
    rows: int
    near_duplicates: int
    out_of_reach: int
    cluster_probability: float | None
    erased: NotRequired[int]
    represents: NotRequired[float]


class DesignFacts(TypedDict):
    """How the sample was drawn."""

    drawing: str
    strata: list[StratumFacts]


class SyntheticRowFacts(TypedDict):
    """The synthetic rows of a release, and those that were left out, by reason."""

    generator: str
    sha256: str
    offered: int
    rows: int
    by_stratum: dict[str, int]
    left_out: dict[str, int]


class ExpiredFacts(TypedDict):
    """The days that were left out because some of their data has expired."""

    whole_from: str
    traces_left_out: int


class ErasureFacts(TypedDict):
    """An erasure that took rows from an earlier version, in the manifest of its successor."""

    erasure: int
    of: str
    rows: int


class FileFacts(TypedDict):
    """Size and hash of a file."""

    bytes: int
    sha256: str


class PreviousFacts(TypedDict):
    """The version that a version follows, what changed since, and which keys of the spec."""

    why: NotRequired[list[str]]
    version: str
    digest: str
    changes: dict[str, int]


class ReleaseFacts(TypedDict):
    """The part of a manifest that does not depend on which version came before."""

    format: int
    name: str
    spec: SpecFacts
    spec_sha256: str
    code: dict[str, str]
    lake: dict[str, TableVersionFacts]
    population: PopulationFacts
    design: DesignFacts
    row_count: int
    rows_sha256: str
    rows: list[list[str]]
    synthetic: NotRequired[SyntheticRowFacts]
    expected_documents: NotRequired[ExpectationFacts]
    expected_calls: NotRequired[ExpectationFacts]
    redaction_policies: NotRequired[dict[str, int]]
    expired: NotRequired[ExpiredFacts]
    erasures: NotRequired[list[ErasureFacts]]


class Manifest(ReleaseFacts):
    """A manifest as it is stored. Format 1 has no ``starter_rows``."""

    version: str
    previous: PreviousFacts | None
    files: dict[str, FileFacts]
    starter_rows: NotRequired[list[int]]


def facts_of(manifest: Manifest) -> ReleaseFacts:
    """Return a manifest without the keys that depend on which version came before."""
    facts = {key: value for key, value in manifest.items() if key not in VERSION_KEYS}
    return cast("ReleaseFacts", facts)


def count_mixed_policies(policies: Iterable[str]) -> dict[str, int] | None:
    """Count rows by redaction policy; None if there is one only.

    Such manifests do not have the key, so they stay as they were before it existed.
    """
    counted = Counter(policies)
    return dict(sorted(counted.items())) if len(counted) > 1 else None


def covers_all_labels(spec: SpecFacts) -> bool:
    """Return whether a release was drawn from traces regardless of their label."""
    labels = spec["labels"]
    requires_event = (
        labels["min_confidence"] > 0
        or labels["policies"]
        or labels["expected_response"] == "required"
    )
    return set(labels["accept"]) == set(ANY_LABEL) and not requires_event


def population_name(spec: SpecFacts) -> str:
    """Return which traces the weights of a release add up to. The text is part of the facts."""
    if covers_all_labels(spec):
        return "traces that fit the spec, labelled or not"
    accepted = [label for label in ANY_LABEL if label in spec["labels"]["accept"]]
    if accepted == ["none"]:
        return "traces without a label that fit the spec"
    return f"traces labelled {' or '.join(accepted)} that fit the spec"


def compact_json(spec: Mapping[str, object]) -> bytes:
    """Return a spec as the text that ``spec_sha256`` is the hash of."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()


def rows_sha256(rows: Sequence[Commitment]) -> str:
    """Return the hash over all commitments, which identifies the rows as a set."""
    return sha256("".join(f"{row.content} {row.row}\n" for row in rows).encode())


def encode_manifest(
    facts: ReleaseFacts,
    version: SemanticVersion,
    files: Mapping[str, bytes],
    previous: PreviousFacts | None,
    starter_rows: Sequence[int],
) -> bytes:
    """Return the manifest of a version; ``previous`` describes the version that it follows.

    ``files`` are all files except manifest and checksums; ``starter_rows`` are the indices of the
    rows of the starter set among all rows.
    """
    head = {key: value for key, value in facts.items() if key != "rows"}
    entries = {
        name: {"bytes": len(files[name]), "sha256": sha256(files[name])} for name in sorted(files)
    }
    of_version = {"version": str(version), "previous": previous, "files": entries}
    text = pretty_json(head | of_version).removesuffix(b"\n}\n")
    return text + _starter_text(starter_rows) + _rows_text(facts["rows"])


def _starter_text(rows: Sequence[int]) -> bytes:
    return f',\n "starter_rows": {json.dumps(list(rows))}'.encode()


def _rows_text(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the commitments one per line: people read and compare manifests too."""
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return f',\n "rows": [\n{lines}\n ]\n}}\n'.encode()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest. Only its format is checked: a damaged one may lack keys.

    Raises FatalError if it is not a manifest, or was written by a later version of goldpan.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise FatalError(f"{MANIFEST} is not the manifest of a release")
    if document["format"] > MANIFEST_FORMAT:
        raise FatalError(f"{MANIFEST} has format {document['format']}: use a newer goldpan")
    return cast("Manifest", document)
