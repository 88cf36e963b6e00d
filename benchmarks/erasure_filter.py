"""Measures the CPU time that tombstones add to each record, by the number of erased persons.

python -m benchmarks.erasure_filter
"""

import time

from decode.json_reader import JsonReader
from lake.tombstones import Tombstone
from redact.crypto.erasure_filter import NO_ERASURES, ErasureFilter
from redact.crypto.keys import Keys
from redact.crypto.subjects import DataSubject, marks_of_traces
from schemas.contract import CONTRACTS
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Trace
from tests.make.records import encode_json, trace

KEYS = Keys.derive(bytes(32))
RECORDS, ROUNDS, TRACES_EACH = 1000, 15, 20
PERSONS = (0, 1, 1_000, 100_000)


def batch() -> DecodedBatch[Trace]:
    """Return a batch of traces, as the decoder returns it."""
    reader = JsonReader(CONTRACTS[RecordKind.TRACE], Trace)
    raws = [RawRecord(0, i, 0, None, encode_json(trace(i))) for i in range(RECORDS)]
    records = [reader.typed(raw.value or b"") for raw in raws]
    rows = range(RECORDS)
    return DecodedBatch(
        RecordKind.TRACE, "t", records, [0 for _ in rows], list(rows), ["" for _ in rows], raws
    )


def erased(persons: int) -> ErasureFilter:
    """Return the filter for so many persons, each with some traces."""
    marks = [m for n in range(persons) for m in DataSubject(f"u-{n}", [KEYS]).marks()[KEYS.name]]
    traces = marks_of_traces([KEYS], [f"trace of {n}" for n in range(persons * TRACES_EACH)])
    return (
        ErasureFilter([Tombstone(1, 2**62, {KEYS.name: marks}, traces)], [KEYS])
        if persons
        else NO_ERASURES
    )


def main() -> None:
    """Measure, as the worker's intake filters records."""
    records = batch()
    for persons in PERSONS:
        test, best = erased(persons), float("inf")
        for _ in range(ROUNDS):
            began = time.process_time()
            if test:
                test.without(records)
            best = min(best, time.process_time() - began)
        print(f"{persons:>8} persons erased: {best / RECORDS * 1e6:6.2f} µs a record")


if __name__ == "__main__":
    main()
