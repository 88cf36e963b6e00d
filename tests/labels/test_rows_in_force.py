"""The join takes the row in force of each trace, in whatever order and batches its rows come."""

import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.batch_join import LakeRows, join_lake_rows
from labels.facts import MAX_CONTENTS, TraceKnowledge
from labels.scorer import LabelScorer
from schemas.assembly_columns import AssemblyFacts
from schemas.columns import record_batch
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.trace_in_force import choose_in_force
from tests.labels.kit import NOW, policy, trace

SCORER = LabelScorer(policy())
COLUMNS = ["trace_id", "revision", "duplicate_of", "_offset", "_topic", "_partition"]

rows = st.lists(
    st.tuples(
        st.sampled_from(["t1", "t2", "t3"]),
        st.none() | st.integers(1, 5),
        st.booleans(),
        st.booleans(),
        st.integers(0, 90),
    ),
    max_size=14,
    unique_by=lambda row: row[:2] if row[1] is not None else (row[0], row[4]),
)


def one_row(
    number: int, row: tuple[str, int | None, bool, bool, int], *, topic: str
) -> pa.RecordBatch:
    """Return a batch of one row; ``number`` is its offset."""
    trace_id, revision, repeats, failed, start = row
    facts = AssemblyFacts(revision or 1, "m", duplicate_of="other" if repeats else None)
    decoded = DecodedBatch(
        kind=RecordKind.TRACE,
        topic=topic,
        records=[trace(trace_id, at=start, status="error" if failed else "ok")],
        partitions=[0],
        offsets=[number],
        schema_ids=["0" * 16],
        raws=[RawRecord(0, number, -1, None, None)],
        assembly=[] if revision is None else [facts],
    )
    return record_batch(RecordKind.TRACE, decoded, ingested_at=NOW, policy="p")


@settings(max_examples=80)
@given(rows, st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_join_knows_what_the_rule_says(
    made: list[tuple[str, int | None, bool, bool, int]], rng: random.Random, size: int
) -> None:
    """Start and status are those of the row in force; a trace without one is not known."""
    batches = [
        one_row(number, row, topic="llm.traces" if row[1] is None else "#assembly")
        for number, row in enumerate(made)
    ]
    by_trace: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for batch in batches:
        [row] = batch.select([*COLUMNS, "status", "started_at"]).to_pylist()
        by_trace[row["trace_id"]].append(row)
    rng.shuffle(batches)
    parts = [
        pa.Table.from_batches(batches[at : at + size]).combine_chunks().to_batches()[0]
        for at in range(0, len(batches), size)
    ]
    known = {k.trace_id: k for k in join_lake_rows(LakeRows(parts, []), SCORER, as_of=NOW)}
    assert known.keys() == by_trace.keys()
    for trace_id, of_trace in by_trace.items():
        check(known[trace_id], of_trace)


def check(known: TraceKnowledge, of_trace: list[dict[str, Any]]) -> None:
    """Compare what the join knows of a trace with the rule over its rows."""
    chosen = choose_in_force(of_trace)
    if chosen is None:
        assert known.trace is None
        return
    assert known.trace is not None
    assert known.trace.failed == (chosen["status"] == "error")
    assert (
        known.trace.started_at == pa.scalar(chosen["started_at"], pa.timestamp("us", "UTC")).value
    )
    assembled = [row["revision"] for row in of_trace if row["revision"] is not None]
    if chosen["revision"] is None:
        assert known.trace.contents == (MAX_CONTENTS if assembled else 0)
    else:
        assert known.trace.contents == chosen["revision"] - 1
