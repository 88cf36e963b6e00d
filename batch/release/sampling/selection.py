"""Selects the rows of a release from two snapshots: draws, weights, labels and splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from batch.progress import ReportStep
from batch.release.format.rows import SAMPLE, TRACE_COLUMNS, DrawnRow, rows_to_arrow
from batch.release.sampling.allocation import allocate_rows
from batch.release.sampling.columns import NO_LABEL, stratum_name
from batch.release.sampling.draw_loop import DrawLoop, FetchedRows, NamedTrace
from batch.release.sampling.engine import LabelRow, SelectionEngine
from batch.release.sampling.holdout_split import assign_splits
from batch.release.sampling.near_duplicates import MinHashSketches
from batch.release.sampling.population import Population, count_population, unmatched_names
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import (
    CellSize,
    DrawnCell,
    StratumDraw,
    assign_weights,
)
from batch.release.sampling.synthetic_rows import (
    SyntheticOffer,
    SyntheticSelection,
    select_synthetic_rows,
)
from schemas.arrow import TABLES
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected rows, without salts, and the counts of what they were selected from.

    ``out_of_reach`` counts, by stratum, traces that the design could not draw; ``policies`` the
    traces of the window by redaction policy. ``population`` describes the traces that fit the spec
    regardless of their label.
    """

    spec: ReleaseSpec
    rows: pa.Table
    draws: Sequence[StratumDraw]
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
    engine: SelectionEngine,
    progress: ReportStep,
    offer: SyntheticOffer | None = None,
) -> Selection:
    """Select the rows of a release; ``offer`` holds the synthetic rows that may be added.

    Raises UsageError if nothing can be selected, or if a trace that the spec names does not exist.
    """
    progress("counting strata")
    strata = engine.strata()
    named = _named_traces(spec, engine)
    if not strata and not named:
        raise _nothing_fits(spec, engine)
    targets = allocate_rows(strata, spec.size, spec.allocation)
    texts = FetchedRows(engine)
    texts.fetch([trace.coordinates for trace in named], anywhere=True)
    progress("drawing")
    sketches = MinHashSketches(spec.near_duplicates) if spec.near_duplicates else None
    draws = DrawLoop(strata, targets, named, texts, sketches).run(engine)
    members = _cell_sizes(spec, engine, draws, named)
    out_of_reach = assign_weights(draws, members, {trace.cluster for trace in named})
    progress("assembling the rows")
    rows = _rows(spec, draws, named, texts, engine)
    synthetic = None
    if offer is not None:
        drawn: list[DrawnRow] = rows.to_pylist(maps_as_pydicts="strict")
        synthetic = select_synthetic_rows(spec, offer, engine.strata_of(_as_traces(offer)), drawn)
        rows = pa.concat_tables([rows, rows_to_arrow(synthetic.rows)])
    progress("counting labels")
    population = count_population(spec, engine)
    return Selection(spec, rows, draws, out_of_reach, engine.policies(), population, synthetic)


def _nothing_fits(spec: ReleaseSpec, engine: SelectionEngine) -> UsageError:
    unmatched = [f" In the spec, {sentence}." for sentence in unmatched_names(spec, engine)]
    return UsageError(
        "no trace fits the spec: widen `window`, `where`, `labels` (pass and fail, unless it says "
        f"otherwise) or `redaction_policies`.{''.join(unmatched)}"
    )


def _as_traces(offer: SyntheticOffer) -> pa.Table:
    """Return synthetic rows with the columns that a spec may filter and stratify by."""
    from_label = [pa.field(name, pa.string()) for name in ("label", "route")]
    traces = [field for field in TABLES["traces"].arrow if field.name in TRACE_COLUMNS]
    schema = pa.schema([*traces, *from_label, pa.field("confidence", pa.float64())])
    return pa.Table.from_pylist(list(offer.rows), schema=schema)


def _named_traces(spec: ReleaseSpec, engine: SelectionEngine) -> list[NamedTrace]:
    located = engine.named()
    missing = [trace_id for trace_id in spec.named if trace_id not in located]
    if missing:
        raise UsageError(
            f"{len(missing)} traces that the spec names are not in the lake: in must_include "
            f"{_entries(spec.must_include, missing)}, in adversarial "
            f"{_entries(spec.adversarial, missing)}"
        )
    accepted = spec.redaction_policies
    refused = [
        trace_id
        for trace_id, trace in located.items()
        if accepted != "any" and trace.policy not in accepted
    ]
    if refused:
        raise UsageError(
            f"{len(refused)} traces that the spec names were stored under a redaction policy that "
            f"`redaction_policies` does not accept: in must_include "
            f"{_entries(spec.must_include, refused)}, in adversarial "
            f"{_entries(spec.adversarial, refused)}"
        )
    return [
        NamedTrace(trace_id, drawn, located[trace_id].cluster, located[trace_id].coordinates)
        for trace_id, drawn in sorted(spec.named.items())
    ]


def _entries(listed: Sequence[str], wrong: Sequence[str]) -> str:
    """Return the numbers of the wrong entries of a list, without quoting them."""
    numbers = [str(i + 1) for i, trace_id in enumerate(listed) if trace_id in set(wrong)]
    return f"number {', '.join(numbers[:5])}" if numbers else "none"


def _cell_sizes(
    spec: ReleaseSpec,
    engine: SelectionEngine,
    draws: Sequence[StratumDraw],
    named: Sequence[NamedTrace],
) -> list[CellSize]:
    """Return the sizes of all cells of the clusters that were drawn or named."""
    cells = [drawn.cell for draw in draws for drawn in draw.drawn]
    if spec.one_per == "trace":  # each cluster is a cell
        return [CellSize(c.stratum, c.cluster, c.traces) for c in cells]
    return engine.cells_of({c.cluster for c in cells} | {trace.cluster for trace in named})


def _rows(
    spec: ReleaseSpec,
    draws: Sequence[StratumDraw],
    named: Sequence[NamedTrace],
    texts: FetchedRows,
    engine: SelectionEngine,
) -> pa.Table:
    included = [(draw, drawn) for draw in draws for drawn in draw.drawn if drawn.same_as is None]
    trace_ids = [drawn.cell.trace_id for _, drawn in included]
    trace_ids += [trace.trace_id for trace in named]
    labels = engine.labels_of(trace_ids)
    weights = _weights(draws)
    metadata: dict[str, dict[str, object]] = {
        drawn.cell.trace_id: {
            "drawn": SAMPLE,
            "stratum": stratum_name(draw.stratum.values),
            "inclusion_probability": drawn.probability,
            "weight": weights[drawn.cell.trace_id],
        }
        for draw, drawn in included
    } | {trace.trace_id: {"drawn": trace.drawn} for trace in named}
    duplicates = _near_duplicates(draws)
    content = [texts.rows[trace_id] for trace_id in trace_ids]
    return rows_to_arrow(
        [
            {
                **row,
                **_label_columns(labels.get(row["trace_id"])),
                **metadata[row["trace_id"]],
                "split": split,
                "near_duplicates": len(duplicates.get(row["trace_id"], ())),
                "salt": "",
            }
            for row, split in zip(content, assign_splits(content, spec.holdout), strict=True)
        ]
    )


def _weights(draws: Sequence[StratumDraw]) -> dict[str, float]:
    """Return the weight of each row: its own and its duplicates', scaled to its stratum.

    The number of traces in a stratum is known, so the weights of its rows are scaled to add up to
    it (post-stratification, Särndal et al. 1992, ch. 7). Where only a part of the traces was kept
    at random, it is the estimate from all that were kept.
    """
    weights: dict[str, float] = {}
    for draw in draws:
        own = {d.cell.trace_id: d.represents for d in draw.drawn if d.same_as is None}
        for drawn in draw.drawn:
            if drawn.same_as in own:
                own[drawn.same_as] += drawn.represents
        scale = draw.stratum.represented / (sum(own.values()) or 1.0)
        weights |= {row: weight * scale for row, weight in own.items()}
    return weights


def _near_duplicates(draws: Sequence[StratumDraw]) -> dict[str, list[DrawnCell]]:
    """Return the drawn near-duplicates of each included trace."""
    duplicates: dict[str, list[DrawnCell]] = {}
    for draw in draws:
        for drawn in draw.drawn:
            if drawn.same_as is not None:
                duplicates.setdefault(drawn.same_as, []).append(drawn)
    return duplicates


def _label_columns(event: LabelRow | None) -> dict[str, object]:
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
