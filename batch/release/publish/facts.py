"""The facts that a manifest states about the selection of its rows."""

import hmac
from collections.abc import Mapping, Sequence
from typing import cast

from batch.release.format.commitments import SALT_BYTES, Commitment
from batch.release.format.files import sha256
from batch.release.format.manifest import (
    MANIFEST_FORMAT,
    PopulationFacts,
    ReleaseFacts,
    SpecFacts,
    StratumFacts,
    compact_json,
    population_name,
    rows_sha256,
)
from batch.release.sampling.columns import stratum_name
from batch.release.sampling.selection import Selection
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import StratumDraw
from lake.snapshot import TableSnapshot


def release_facts(
    selection: Selection,
    snapshots: Sequence[TableSnapshot],
    rows: Sequence[Commitment],
    *,
    key: bytes,
    code: Mapping[str, str],
) -> ReleaseFacts:
    """Return the facts that hold whatever the version is and whatever its pages look like."""
    spec = selection.spec
    masked = masked_spec(spec, key)
    facts: ReleaseFacts = {
        "format": MANIFEST_FORMAT,
        "name": spec.name,
        "spec": masked,
        "spec_sha256": sha256(compact_json(masked)),
        "code": dict(code),
        "lake": {
            snapshot.name: {
                "version": snapshot.changed,
                "as_of": snapshot.as_of.isoformat() if snapshot.as_of else None,
            }
            for snapshot in snapshots
        },
        "population": _population(selection, masked),
        "design": {
            "drawing": "stratified, rarest first, by keyed hash, without replacement",
            "strata": [_stratum(draw, selection.out_of_reach) for draw in selection.draws],
        },
        "row_count": len(rows),
        "rows_sha256": rows_sha256(rows),
        "rows": [list(row) for row in rows],
    }
    if selection.synthetic is not None:
        facts["synthetic"] = selection.synthetic.to_json()
    return facts


def _population(selection: Selection, spec: SpecFacts) -> PopulationFacts:
    counted: PopulationFacts = {
        "traces": sum(draw.stratum.traces for draw in selection.draws),
        "by_redaction_policy": dict(selection.policies),
        "refused_by_redaction_policy": selection.refused,
        "is": population_name(spec),
    }
    represented = sum(draw.stratum.represented for draw in selection.draws)
    if represented != counted["traces"]:
        counted["represents"] = round(represented, 6)
    return {**counted, **selection.population.to_json()}


def masked_spec(spec: ReleaseSpec, key: bytes) -> SpecFacts:
    """Return a spec as the manifest holds it: keyed marks in place of the trace ids it names.

    A manifest is not rewritten when a trace is erased.
    """
    masked = spec.to_json()
    for ids in ("must_include", "adversarial"):
        masked[ids] = [_mark(trace_id, spec.name, key) for trace_id in masked[ids]]
    return cast("SpecFacts", masked)


def _mark(trace_id: str, release: str, key: bytes) -> str:
    message = b"\0".join((b"named", release.encode(), trace_id.encode("utf-8", "surrogatepass")))
    return f"hmac:{hmac.digest(key, message, 'sha256')[:SALT_BYTES].hex()}"


def _stratum(draw: StratumDraw, out_of_reach: Mapping[str, int]) -> StratumFacts:
    stratum = draw.stratum
    facts: StratumFacts = {
        "name": stratum_name(stratum.values),
        "values": dict(stratum.values),
        "traces": stratum.traces,
        "clusters": stratum.cells,
        "free": draw.free,
        "wanted": draw.target,
        "drawn": len(draw.drawn),
        "rows": draw.rows,
        "near_duplicates": len(draw.drawn) - draw.rows,
        "out_of_reach": out_of_reach.get(stratum.text, 0),
        "cluster_probability": len(draw.drawn) / draw.free if draw.free else None,
    }
    if stratum.represented != stratum.traces:
        facts["represents"] = round(stratum.represented, 6)
    return facts
