"""The manifest: what a release is made of, so that it can be proved, repeated and counted with.

Its SHA-256 is the digest of the release (``name@sha256:…``). It holds no content of a row, only the
commitments, so it stays true when a row has to go.
"""

import hmac
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from batch.release.format.files import MANIFEST, pretty_json, sha256
from batch.release.format.rows import SALT_BYTES, Commitment
from batch.release.format.version import SemanticVersion
from batch.release.sampling.columns import stratum_name
from batch.release.sampling.population import population_name
from batch.release.sampling.selection import Selection
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import StratumDraw
from lake.snapshot import TableSnapshot
from schemas.errors import FatalError

FORMAT: Final = 2
"""Since 2 it tells which rows are in the starter set, and does not quote the ids of a spec."""

MIXED_POLICIES: Final = "redaction_policies"
"""The key under which a manifest counts rows by policy, where they are of more than one."""


def release_facts(
    selection: Selection,
    snapshots: Sequence[TableSnapshot],
    rows: Sequence[Commitment],
    *,
    key: bytes,
    code: Mapping[str, str],
) -> dict[str, Any]:
    """Return all that is true of a release whatever its version and the look of its pages."""
    spec = selection.spec
    told = masked_spec(spec, key)
    return {
        "format": FORMAT,
        "name": spec.name,
        "spec": told,
        "spec_sha256": sha256(compact_json(told)),
        "code": dict(code),
        "lake": {
            s.name: {
                "version": s.changed,
                "as_of": s.as_of.isoformat() if s.as_of else None,
            }
            for s in snapshots
        },
        "population": {
            "traces": sum(share.stratum.traces for share in selection.shares),
            "by_redaction_policy": dict(selection.policies),
            "refused_by_redaction_policy": selection.refused,
            "is": population_name(told),
            **selection.population.to_json(),
        },
        "design": {
            "drawing": "stratified, rarest first, by keyed hash, without replacement",
            "strata": [_stratum(share, selection.out_of_reach) for share in selection.shares],
        },
        "row_count": len(rows),
        "rows_sha256": rows_sha256(rows),
        "rows": [list(row) for row in rows],
    }


def count_mixed_policies(policies: Iterable[str]) -> dict[str, Any]:
    """Return what a manifest says of rows that were stored under these redaction policies.

    Nothing where all are of one policy, so that such manifests are as they always were.
    """
    counted = Counter(policies)
    return {MIXED_POLICIES: dict(sorted(counted.items()))} if len(counted) > 1 else {}


def masked_spec(spec: ReleaseSpec, key: bytes) -> dict[str, Any]:
    """Return a spec as the manifest has it: traces that it names are keyed marks, not ids.

    Manifests are not written anew when a trace is erased.
    """
    told = spec.to_json()
    for listed in ("must_include", "adversarial"):
        told[listed] = [_mark(trace_id, spec.name, key) for trace_id in told[listed]]
    return told


def _mark(trace_id: str, release: str, key: bytes) -> str:
    message = b"\0".join((b"named", release.encode(), trace_id.encode("utf-8", "surrogatepass")))
    return f"hmac:{hmac.digest(key, message, 'sha256')[:SALT_BYTES].hex()}"


def compact_json(spec: Mapping[str, Any]) -> bytes:
    """Return a spec as the text that its hash is of."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()


def rows_sha256(rows: Sequence[Commitment]) -> str:
    """Return the hash over all commitments, which stands for the rows as a whole."""
    return sha256("".join(f"{row.content} {row.row}\n" for row in rows).encode())


def _stratum(share: StratumDraw, out_of_reach: Mapping[str, int]) -> dict[str, Any]:
    stratum = share.stratum
    return {
        "name": stratum_name(stratum.values),
        "values": dict(stratum.values),
        "traces": stratum.traces,
        "clusters": stratum.cells,
        "free": share.free,
        "wanted": share.wanted,
        "drawn": len(share.drawn),
        "rows": share.rows,
        "near_duplicates": len(share.drawn) - share.rows,
        "out_of_reach": out_of_reach.get(stratum.text, 0),
        "cluster_probability": len(share.drawn) / share.free if share.free else None,
    }


def encode_manifest(
    true: Mapping[str, Any],
    version: SemanticVersion,
    files: Mapping[str, bytes],
    previous: Mapping[str, Any] | None,
    starter_rows: Sequence[int],
) -> bytes:
    """Return the manifest of a version. ``previous`` is its predecessor: version, digest, changes.

    ``files`` are all files but the manifest and the checksums; ``starter_rows`` the places (from 0)
    of the rows of the starter set among all rows.
    """
    head = {key: value for key, value in true.items() if key != "rows"}
    listed = {
        name: {"bytes": len(files[name]), "sha256": sha256(files[name])} for name in sorted(files)
    }
    of_version = {"version": str(version), "previous": previous, "files": listed}
    text = pretty_json(head | of_version).removesuffix(b"\n}\n")
    return text + _starter_text(starter_rows) + _rows_text(true["rows"])


def _starter_text(rows: Sequence[int]) -> bytes:
    return f',\n "starter_rows": {json.dumps(list(rows))}'.encode()


def _rows_text(rows: Sequence[Sequence[str]]) -> bytes:
    """Return the commitments one a line: a manifest is looked at and compared by people too."""
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    return f',\n "rows": [\n{lines}\n ]\n}}\n'.encode()


def read_manifest(data: bytes) -> dict[str, Any]:
    """Read a manifest.

    Raises FatalError if it is none, or was written by a later version of goldpan.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise FatalError(f"{MANIFEST} is no manifest of a release")
    if document["format"] > FORMAT:
        raise FatalError(f"{MANIFEST} has format {document['format']}: use a newer goldpan")
    return document
