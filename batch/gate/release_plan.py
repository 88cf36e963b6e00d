"""The plan of a gate on the rows of a release, with what they took and cost in production."""

import numpy as np
import pyarrow as pa

from batch.gate.release_rows import gate_rows
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import COST, LATENCY
from judges.gate.plan import GatePlan, plan_gate
from judges.weighted_rows import RowArrays, cluster_numbers


def plan_of_release(definition: GateDefinition, table: pa.Table) -> GatePlan:
    """Return the plan of a gate; ``table`` holds the rows of its release."""
    rows = gate_rows(table, definition)
    weights = RowArrays(
        np.array([row.weight for row in rows], float),
        cluster_numbers([row.cluster for row in rows]),
    )
    kept = {row.trace_id for row in rows}
    listed = [
        row
        for row in table.select(["trace_id", LATENCY, COST]).to_pylist()
        if row["trace_id"] in kept
    ]
    production = {
        name: np.array([np.nan if row[name] is None else row[name] for row in listed], float)
        for name in (LATENCY, COST)
    }
    costs = production[COST]
    known = costs[~np.isnan(costs)]
    cost = float(known.mean()) * len(rows) if len(known) else None
    return plan_gate(definition, weights, production, cost)
