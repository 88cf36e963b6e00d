"""Makes the lake that releases are measured on.

It holds calls of about 700 bytes, four to a conversation; every fifth has a label. Rows are in the
order of time, and each commit adds a block of them. Making it again continues where it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.parquet import encode_files
from lake.table_commit import Move, TableCommit
from lake.table_log import ASSEMBLY_SEQUENCE, position_app
from lake.tables import Lake, Table
from schemas.arrow import TABLES, TIMESTAMP_US
from schemas.redacted import Redacted
from tests.lake.kit import commit_context

START: Final = datetime(2026, 11, 1, tzinfo=UTC)
BLOCK: Final = 50_000
_TOPIC: Final = "llm.traces"
_LABELLED: Final = 5
"""Every so many traces have a label."""
_ASSEMBLED_AGAIN: Final = 50
"""Every so many assembled traces have a second row, whose first span is an hour older."""
_HOUR: Final = 3_600_000_000
_HEX_PAIRS: Final = np.frombuffer(bytes(range(256)).hex().encode(), np.uint16)
_WORDS: Final = (
    "the",
    "flight",
    "to",
    "Boston",
    "was",
    "delayed",
    "and",
    "my",
    "bag",
    "did",
    "not",
    "arrive",
)


class Origin(StrEnum):
    """How the traces came: as records, as spans, or every second one as spans."""

    RECORDS = "records"
    SPANS = "spans"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class LakeShape:
    """A lake of so many traces over so many days.

    ``has_hex_ids``: ids are 32 random hex digits, like those of OpenTelemetry, else short and in
    order, so that they take hardly any space.
    """

    traces: int
    days: int
    origin: Origin = Origin.RECORDS
    has_hex_ids: bool = False


class _Portion(NamedTuple):
    """Rows of one commit: numbers of traces, where they come from, and their revision."""

    topic: str
    numbers: pa.Array
    revision: int | None


def make(lake: Lake, shape: LakeShape) -> None:
    """Make the tables of a lake, or the rest of them."""
    lake.init()
    for name in ("traces", "labels"):
        table = lake.table(name)
        table.refresh()
        ends: dict[str, int] = {}
        for token, portion in enumerate(_portions(name, shape), 1):
            start = ends.get(portion.topic, 0)
            ends[portion.topic] = end = start + len(portion.numbers)
            source = SourcePartition(portion.topic, 0)
            if end > (table.positions([source])[source] or 0):
                rows = _rows(name, portion, start, shape)
                _append(table, rows, SourceRange(*source, start, end, start, None), token)


def _append(table: Table, rows: pa.RecordBatch, item: SourceRange, token: int) -> None:
    files = encode_files([Redacted(rows, "policy")], ranges=[item], layout=table.layout)
    for file in files:
        table.files.put(file.path, file.data)
    moves = [Move(position_app(item.source), item.start or None, item.end)]
    entry = LedgerEntry(EntryKind.FLUSH, [item], {})
    commit(table, TableCommit(entry=entry, token=token, moves=moves, adds=files), commit_context())


def _portions(table: str, shape: LakeShape) -> Iterator[_Portion]:
    step = 1 if table == "traces" else _LABELLED
    for start in range(0, shape.traces, BLOCK * step):
        end = min(start + BLOCK * step, shape.traces)
        numbers = np.arange(start, end, step, dtype=np.int64)
        if table == "labels":
            yield _Portion(_TOPIC, pa.array(numbers), 1)
            continue
        sent, spans = _by_origin(numbers, shape.origin)
        again = spans[spans % _ASSEMBLED_AGAIN == 1]
        if len(sent):
            yield _Portion(_TOPIC, pa.array(sent), None)
        if len(spans):
            yield _Portion(ASSEMBLY_SEQUENCE, pa.array(spans), 1)
            yield _Portion(ASSEMBLY_SEQUENCE, pa.array(again), 2)


def _by_origin(
    numbers: npt.NDArray[np.int64], origin: Origin
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the traces that came as records, and those that came as spans."""
    is_sent = numbers % 2 == 0 if origin is Origin.BOTH else numbers < 0
    if origin is Origin.RECORDS:
        is_sent = ~is_sent
    return numbers[is_sent], numbers[~is_sent]


def _rows(table: str, portion: _Portion, start: int, shape: LakeShape) -> pa.RecordBatch:
    schema, numbers = TABLES[table].arrow, portion.numbers
    began = int(START.timestamp() * 1e6)
    micros = pc.add(began, pc.multiply(numbers, shape.days * 86_400_000_000 // shape.traces))
    if portion.revision == 2:
        micros = pc.max_element_wise(began, pc.subtract(micros, _HOUR))
    ids = _hex_ids if shape.has_hex_ids else _joined
    known: dict[str, Any] = {
        "trace_id": ids("trace", numbers),
        "session_id": ids("session", pc.divide(numbers, 4)),
        "user_id": ids("user", pc.divide(numbers, 40)),
        "app": _same("support", numbers),
        "environment": _same("production", numbers),
        "status": _of(["ok"] * 199 + ["error"], numbers),
        "latency_ms": pc.multiply(_remainder(numbers, 4000), 1.0),
        "messages": _of([_messages(i) for i in range(500)], numbers, schema.field("messages").type)
        if table == "traces"
        else None,
        "response": _noise(numbers),
        "segments": _of(
            [[("plan", plan)] for plan in ("free", "silver", "gold")],
            numbers,
            pa.map_(pa.string(), pa.string()),
        ),
        "started_at": micros.cast(TIMESTAMP_US),
        "label_event_id": ids("event", numbers),
        "revision": None if portion.revision is None else _same(portion.revision, numbers),
        "label": _of(["pass", "pass", "pass", "fail", "unknown"], numbers),
        "p_fail": _of([0.1, 0.1, 0.1, 0.9, 0.5], numbers),
        "route": _same("auto", numbers),
        "policy_version": _same("agent@1", numbers),
        "decided_at": micros.cast(TIMESTAMP_US),
        "_topic": _same(portion.topic, numbers),
        "_partition": _same(0, numbers),
        "_offset": pa.array(np.arange(start, start + len(numbers))),
        "_ingested_at": micros.cast(TIMESTAMP_US),
        "_policy": _same("policy", numbers),
        "event_date": micros.cast(TIMESTAMP_US).cast(pa.date32()),
    }
    columns = [_column(field, known.get(field.name), len(numbers)) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _column(field: pa.Field, values: Any, rows: int) -> pa.Array:
    if values is not None:
        found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return found if found.type == field.type else found.cast(field.type)
    if pa.types.is_list(field.type) or pa.types.is_map(field.type):
        return pa.array([[]] * rows, field.type)
    return pa.nulls(rows, field.type)


def _messages(number: int) -> list[dict[str, Any]]:
    turn = " ".join(_WORDS[(number + i) % len(_WORDS)] for i in range(40))
    return [
        {"role": role, "content": f"{turn} {number}", "name": None, "tool_call_id": None,
         "tool_calls": []}
        for role in ("system", "user")
    ]  # fmt: skip


def _noise(numbers: pa.Array) -> pa.Array:
    """Return texts of 300 random letters: responses of models compress badly."""
    rng = np.random.default_rng(numbers[0].as_py())
    return _texts(rng.integers(97, 123, size=300 * len(numbers), dtype=np.uint8), 300)


def _texts(letters: npt.NDArray[np.uint8], length: int) -> pa.Array:
    """Return texts of one length."""
    rows = len(letters) // length
    ends = np.arange(rows + 1, dtype=np.int32) * length
    return pa.StringArray.from_buffers(
        rows, pa.py_buffer(ends.tobytes()), pa.py_buffer(letters.tobytes())
    )


def _hex_ids(word: str, numbers: pa.Array) -> pa.Array:
    """Return 32 hex digits for each number: by splitmix64 (Steele et al. 2014), from two seeds."""
    seeds = [int.from_bytes(f"{word}{half}".encode().ljust(8)[:8], "big") for half in "ab"]
    halves = []
    for seed in seeds:
        mixed = numbers.to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(
            seed
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        halves.append(mixed ^ (mixed >> np.uint64(31)))
    random_bytes = np.stack(halves, axis=1).view(np.uint8)
    return _texts(_HEX_PAIRS[random_bytes].view(np.uint8).ravel(), 32)


def _joined(word: str, numbers: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(word, numbers.cast(pa.string()), "-")


def _same(value: Any, numbers: pa.Array) -> pa.Array:
    return pa.repeat(value, len(numbers))


def _remainder(numbers: pa.Array, of: int) -> pa.Array:
    scattered = pc.divide(pc.multiply(numbers, 7919), 13)
    return pc.subtract(scattered, pc.multiply(pc.divide(scattered, of), of))


def _of(values: list[Any], numbers: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, kind).take(_remainder(numbers, len(values)))
