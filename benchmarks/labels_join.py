"""Measures the join: rebuild time and memory as the window grows tenfold, and signals a second.

python -m benchmarks.labels_join [--traces 100000] [--times 2]

Each window holds so many traces with 30-character ids in sessions of ten, and one feedback event
per ten traces, two in a hundred of them corrections of 300 characters. The cost of a rebuild grows
with the traces in the window; afterwards it grows with the signals alone.
"""

import resource
import sys
from collections.abc import Iterator
from time import process_time

import click
import numpy as np
import pyarrow as pa

from labels.join import LabelJoin
from labels.policy import load_label_policy
from labels.scorer import LabelScorer
from schemas.arrow import TIMESTAMP_US
from schemas.record_batches import RecordKind

START = 1_793_491_200_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
BLOCK = 65_536
"""Rows of a batch when state is rebuilt, as a reader of Parquet gives them."""
POLL = 500
"""Rows of a batch while the worker reads."""
SEGMENTS = pa.map_(pa.string(), pa.string())


def trace_batches(first: int, count: int, block: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of the columns of ``traces`` that the join reads."""
    for start in range(first, first + count, block):
        numbers = range(start, min(start + block, first + count))
        plans = [[("plan", ("free", "silver", "gold")[i % 3]), ("channel", "web")] for i in numbers]
        yield pa.RecordBatch.from_pydict(
            {
                "trace_id": [f"{i * 2654435761 % 2**32:08x}-trace-{i:015d}" for i in numbers],
                "session_id": [f"session-{i // 10}" for i in numbers],
                "app": pa.array(["support"] * len(numbers)),
                "started_at": pa.array([START + i * 1000 for i in numbers], TIMESTAMP_US),
                "status": ["error" if i % 200 == 0 else "ok" for i in numbers],
                "finish_reason": ["stop"] * len(numbers),
                "input_tokens": [100 * (i % 10) for i in numbers],
                "segments": pa.array(plans, SEGMENTS),
                **_coordinates(numbers),
            }
        )


def feedback_batches(first: int, count: int, block: int) -> Iterator[pa.RecordBatch]:
    """Yield batches of the columns of ``feedback``: event *i* is about trace 10 *i*."""
    for start in range(first, first + count, block):
        numbers = range(start, min(start + block, first + count))
        about = [i * 10 for i in numbers]
        edits = [i % 50 == 0 for i in numbers]
        yield pa.RecordBatch.from_pydict(
            {
                "feedback_id": [f"feedback-{i:021d}" for i in numbers],
                "trace_id": [f"{i * 2654435761 % 2**32:08x}-trace-{i:015d}" for i in about],
                "user_id": [f"user-{i // 7}" for i in numbers],
                "kind": ["edit" if edit else "thumbs" for edit in edits],
                "value": [None if edit else -1.0 for edit in edits],
                "corrected_response": pa.array(
                    ["better " * 43 if edit else None for edit in edits], pa.string()
                ),
                "actor": ["end_user"] * len(numbers),
                "occurred_at": pa.array([START + i * 1000 + SECOND for i in about], TIMESTAMP_US),
                **_coordinates(numbers),
            }
        )


def _coordinates(numbers: range) -> dict[str, pa.Array]:
    return {
        "_partition": pa.array(np.zeros(len(numbers), np.int32)),
        "_offset": pa.array(np.asarray(numbers, np.int64)),
        "_ingested_at": pa.array([START + DAY] * len(numbers), TIMESTAMP_US),
    }


def measured(traces: int) -> None:
    """Rebuild a window of so many traces, then process 20,000 signals."""
    join = LabelJoin(LabelScorer(load_label_policy("chat_support")))
    lake = [list(trace_batches(0, traces, BLOCK)), list(feedback_batches(0, traces // 20, BLOCK))]
    before, peak = process_time(), _peak()
    everything = {RecordKind.TRACE: traces, RecordKind.FEEDBACK: traces}
    for _ in join.rebuild_steps({0: everything}, traces=lake[0], feedback=lake[1]):
        pass
    seconds, size = process_time() - before, join.size()
    click.echo(
        f"{size.traces:>9,} traces, {size.feedback:,} feedback: rebuilt in {seconds:.2f} s of one "
        f"core, {size.bytes / size.traces:.0f} bytes a trace "
        f"({size.bytes / 2**20:.1f} MiB; the process grew by {(_peak() - peak) / 2**20:.0f} MiB)"
    )
    signals = min(traces // 20, 20_000)
    polls = list(feedback_batches(traces // 20, signals, POLL))
    before, events = process_time(), 0
    for number, batch in enumerate(polls):
        join.add(RecordKind.FEEDBACK, batch)
        if number % 10 == 9:
            events += len(join.decide(now=START + DAY).decided)
    events += len(join.decide(now=START + DAY).decided)
    seconds = process_time() - before
    click.echo(
        f"{'':>9}  {signals / seconds:,.0f} signals/s, each with its label event ({events:,})"
    )
    arrivals = list(trace_batches(traces, min(traces, 50_000), POLL))
    before = process_time()
    for batch in arrivals:
        join.add(RecordKind.TRACE, batch)
    seconds = process_time() - before
    click.echo(f"{'':>9}  {POLL * len(arrivals) / seconds:,.0f} new traces/s")


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@click.command()
@click.option("--traces", default=100_000, show_default=True, help="The smallest window.")
@click.option("--times", default=2, show_default=True, help="How many windows, each 10 x larger.")
def main(*, traces: int, times: int) -> None:
    """Measure windows of growing size."""
    for number in range(times):
        measured(traces * 10**number)


if __name__ == "__main__":
    main()
