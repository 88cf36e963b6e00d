"""From a spec and two snapshots to the rows of a release: asks the engine, draws, weighs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from batch.release.format.rows import TRACE_COLUMNS, rows_to_arrow
from batch.release.sampling.allocation import Stratum, allocate_rows
from batch.release.sampling.columns import NO_LABEL, stratum_name, stratum_values
from batch.release.sampling.draw_loop import DrawLoop, FetchedRows, NamedTrace
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.holdout_split import assign_splits
from batch.release.sampling.near_duplicates import MinHashSketches
from batch.release.sampling.population import Population, count_population, unmatched_names
from batch.release.sampling.row_fetcher import RowCoordinates
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import CellSize, DrawnCell, StratumDraw, assign_weights
from batch.release.sampling.synthetic_rows import (
    SyntheticOffer,
    SyntheticSelection,
    select_synthetic_rows,
)
from lake.snapshot import TableSnapshot
from schemas.arrow import TABLES
from schemas.errors import UsageError

SAMPLE: Final = "sample"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was selected. ``rows`` have no salt yet.

    ``out_of_reach`` counts, by stratum, traces that the design could not draw; ``policies`` the
    traces of the window by redaction policy; ``refused`` those of them that the spec does not take.
    ``population`` is what is known of the traces that fit whatever their label.
    """

    spec: ReleaseSpec
    rows: pa.Table
    shares: Sequence[StratumDraw]
    out_of_reach: Mapping[str, int]
    policies: Mapping[str, int]
    population: Population
    synthetic: SyntheticSelection | None = None

    @property
    def refused(self) -> int:
        """Return how many traces of the window have a redaction policy that is not accepted."""
        accepted = self.spec.redaction_policies
        if accepted == "any":
            return 0
        return sum(n for policy, n in self.policies.items() if policy not in accepted)


def select_rows(
    spec: ReleaseSpec,
    traces: TableSnapshot,
    engine: SelectionEngine,
    progress: Progress,
    offered: SyntheticOffer | None = None,
) -> Selection:
    """Select the rows of a release; ``offered`` are the synthetic rows that may come in.

    Raises UsageError if nothing can be selected, or a trace that the spec names is not there.
    """
    progress("counting strata")
    found = (_stratum(spec, row) for row in engine.strata())
    strata = sorted(found, key=lambda stratum: stratum.text)  # sums of floats depend on the order
    named = _named(spec, engine)
    if not strata and not named:
        raise _nothing_fits(spec, engine)
    wanted = allocate_rows(strata, spec.size, spec.allocation)
    texts = FetchedRows(traces.dataset(spec.window.days), traces.dataset())
    texts.add([one.at for one in named], anywhere=True)
    progress("drawing")
    sketches = MinHashSketches(spec.near_duplicates) if spec.near_duplicates else None
    shares = DrawLoop(strata, wanted, named, texts, sketches).run(engine)
    members = _members(spec, engine, shares, named)
    lost = assign_weights(shares, members, {one.cluster for one in named})
    progress("putting the rows together")
    rows = _rows(spec, shares, named, texts, engine)
    taken = None
    if offered is not None:
        drawn = rows.to_pylist(maps_as_pydicts="strict")
        taken = select_synthetic_rows(spec, offered, engine.strata_of(_as_traces(offered)), drawn)
        rows = pa.concat_tables([rows, rows_to_arrow(taken.rows)])
    progress("counting labels")
    population = count_population(spec, engine)
    return Selection(spec, rows, shares, lost, engine.policies(), population, taken)


def _nothing_fits(spec: ReleaseSpec, engine: SelectionEngine) -> UsageError:
    strange = [f" In the spec, {one}." for one in unmatched_names(spec, engine)]
    return UsageError(
        "no trace fits the spec: widen `window`, `where`, `labels` (pass and fail, unless it says "
        f"otherwise) or `redaction_policies`.{''.join(strange)}"
    )


def _as_traces(offered: SyntheticOffer) -> pa.Table:
    """Return synthetic rows with the columns that a spec may filter and stratify by."""
    judged = [pa.field(name, pa.string()) for name in ("label", "route")]
    traces = [field for field in TABLES["traces"].arrow if field.name in TRACE_COLUMNS]
    schema = pa.schema([*traces, *judged, pa.field("confidence", pa.float64())])
    return pa.Table.from_pylist(list(offered.rows), schema=schema)


def _stratum(spec: ReleaseSpec, row: Mapping[str, Any]) -> Stratum:
    text = row["stratum"]
    return Stratum(text, stratum_values(text, spec.strata), int(row["traces"]), int(row["cells"]))


def _named(spec: ReleaseSpec, engine: SelectionEngine) -> list[NamedTrace]:
    found = {row["trace_id"]: row for row in engine.named()}
    missing = [trace_id for trace_id in spec.named if trace_id not in found]
    if missing:
        raise UsageError(
            f"{len(missing)} traces that the spec names are not in the lake: of must_include "
            f"{_places(spec.must_include, missing)}, of adversarial "
            f"{_places(spec.adversarial, missing)}"
        )
    accepted = spec.redaction_policies
    others = [t for t, row in found.items() if accepted != "any" and row["_policy"] not in accepted]
    if others:
        raise UsageError(
            f"{len(others)} traces that the spec names were stored under a redaction policy that "
            f"`redaction_policies` does not accept: of must_include "
            f"{_places(spec.must_include, others)}, of adversarial "
            f"{_places(spec.adversarial, others)}"
        )
    return [
        NamedTrace(trace_id, drawn, found[trace_id]["cluster"], _at(found[trace_id]))
        for trace_id, drawn in sorted(spec.named.items())
    ]


def _places(listed: Sequence[str], wrong: Sequence[str]) -> str:
    """Return which entries of a list are meant, without quoting them."""
    numbers = [str(i + 1) for i, trace_id in enumerate(listed) if trace_id in set(wrong)]
    return f"number {', '.join(numbers[:5])}" if numbers else "none"


def _at(row: Mapping[str, Any]) -> RowCoordinates:
    return RowCoordinates(row["_topic"], row["_partition"], row["_offset"])


def _members(
    spec: ReleaseSpec,
    engine: SelectionEngine,
    shares: Sequence[StratumDraw],
    named: Sequence[NamedTrace],
) -> list[CellSize]:
    if spec.one_per == "trace":  # each cluster is a cell
        drawn = [one.cell for share in shares for one in share.drawn]
        return [CellSize(c.stratum, c.cluster, c.traces) for c in drawn]
    return [CellSize(**row) for row in engine.cells_of(_clusters(shares, named))]


def _clusters(shares: Sequence[StratumDraw], named: Sequence[NamedTrace]) -> set[str]:
    drawn = {one.cell.cluster for share in shares for one in share.drawn}
    return drawn | {one.cluster for one in named}


def _rows(
    spec: ReleaseSpec,
    shares: Sequence[StratumDraw],
    named: Sequence[NamedTrace],
    texts: FetchedRows,
    engine: SelectionEngine,
) -> pa.Table:
    kept = [(share, one) for share in shares for one in share.drawn if one.same_as is None]
    drawn = [one.cell.trace_id for _, one in kept] + [one.trace_id for one in named]
    labels = {row["trace_id"]: row for row in engine.labels_of(drawn)}
    weights = _weights(shares)
    places: dict[str, dict[str, Any]] = {
        one.cell.trace_id: {
            "drawn": SAMPLE,
            "stratum": stratum_name(share.stratum.values),
            "inclusion_probability": one.probability,
            "weight": weights[one.cell.trace_id],
        }
        for share, one in kept
    } | {one.trace_id: {"drawn": one.drawn} for one in named}
    twins = _twins(shares)
    content = [texts.rows[trace_id] for trace_id in drawn]
    return rows_to_arrow(
        [
            {
                **row,
                **_judged(labels.get(row["trace_id"])),
                **places[row["trace_id"]],
                "split": side,
                "near_duplicates": len(twins.get(row["trace_id"], ())),
                "salt": "",
            }
            for row, side in zip(content, assign_splits(content, spec.holdout), strict=True)
        ]
    )


def _weights(shares: Sequence[StratumDraw]) -> dict[str, float]:
    """Return the weight of each row: by the design, with its duplicates', scaled to its stratum.

    The number of traces in a stratum is known, so the weights of its rows are scaled to add up to
    it (post-stratification, Särndal et al. 1992, ch. 7).
    """
    weights: dict[str, float] = {}
    for share in shares:
        own = {one.cell.trace_id: one.weight for one in share.drawn if one.same_as is None}
        for one in share.drawn:
            if one.same_as in own:
                own[one.same_as] += one.weight
        scale = share.stratum.traces / (sum(own.values()) or 1.0)
        weights |= {row: weight * scale for row, weight in own.items()}
    return weights


def _twins(shares: Sequence[StratumDraw]) -> dict[str, list[DrawnCell]]:
    found: dict[str, list[DrawnCell]] = {}
    for share in shares:
        for one in share.drawn:
            if one.same_as is not None:
                found.setdefault(one.same_as, []).append(one)
    return found


def _judged(event: Mapping[str, Any] | None) -> dict[str, Any]:
    if event is None:
        return {"label": NO_LABEL}
    p_fail = event["p_fail"]
    return {
        "label": event["label"],
        "expected_response": event["expected_response"],
        "p_fail": p_fail,
        "confidence": max(p_fail, 1 - p_fail),
        "route": event["route"],
        "label_event_id": event["label_event_id"],
        "label_revision": event["revision"],
        "label_policy": event["policy_version"],
        "label_decided_at": event["decided_at"],
    }
