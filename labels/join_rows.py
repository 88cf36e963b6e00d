"""Reads batches of the tables ``traces`` and ``feedback`` into the arrays that the join works on.

The batches that the worker is about to write and those read back from the lake have the same
columns, so state is rebuilt by the code that built it. Text is read once, for its digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labels.digests import DigestArray, DigestPairs, digest_ids
from schemas.records import Actor
from schemas.trace_in_force import precedence_numbers

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_COORDINATES = ("_partition", "_offset", "_ingested_at")
TRACE_COLUMNS: Final = (
    "trace_id",
    "session_id",
    "app",
    "started_at",
    "status",
    "finish_reason",
    "input_tokens",
    "segments",
    "revision",
    "duplicate_of",
    *_COORDINATES,
)
"""The columns of ``traces`` that the join reads."""
FEEDBACK_COLUMNS: Final = (
    "feedback_id",
    "trace_id",
    "user_id",
    "kind",
    "value",
    "corrected_response",
    "actor",
    "occurred_at",
    *_COORDINATES,
)
"""The columns of ``feedback`` that the join reads."""

ACTORS: Final[tuple[Actor, ...]] = get_args(Actor)

TraceContext = tuple[str | None, tuple[tuple[str, str], ...]]
"""The app and the segments of a trace. There are few different ones, so traces share them."""


@dataclass(frozen=True, slots=True)
class TraceRows:
    """Traces in columns; the context of row *i* is ``contexts[context[i]]``.

    Of the rows of one trace the one with the lowest ``precedence`` counts
    (`schemas.trace_in_force`); if it ``repeats`` another trace, the trace has no row in force.
    """

    ids: list[str]
    keys: DigestPairs
    partition: IntArray
    offset: IntArray
    precedence: IntArray
    repeats: BoolArray
    ingested: IntArray
    started: IntArray
    failed: BoolArray
    truncated: BoolArray
    context: IntArray
    contexts: list[TraceContext]
    session: DigestArray
    tokens: IntArray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class FeedbackRows:
    """Feedback events of known kinds and actors, in columns. ``value`` is NaN where missing."""

    ids: list[str]
    trace_ids: list[str]
    trace_keys: DigestPairs
    keys: DigestPairs
    partition: IntArray
    offset: IntArray
    occurred: IntArray
    kind: IntArray
    actor: IntArray
    value: npt.NDArray[np.float64]
    user_digest: DigestArray
    corrections: list[str | None]

    def __len__(self) -> int:
        return len(self.ids)


def read_trace_rows(batch: pa.RecordBatch, seed: str) -> TraceRows:
    """Read a batch with at least ``TRACE_COLUMNS``. ``seed`` is the audit seed of the policy."""
    ids = batch.column("trace_id").to_pylist()
    codes, contexts = _contexts(batch.column("app"), batch.column("segments"))
    offsets, revision = _ints(batch, "_offset"), batch.column("revision")
    assembled = revision.null_count < len(revision)
    return TraceRows(
        ids=ids,
        keys=digest_ids(ids, seed),
        partition=_ints(batch, "_partition"),
        offset=offsets,
        precedence=precedence_numbers(
            offsets, _ints(batch, "revision", missing=-1) if assembled else None
        ),
        repeats=np.asarray(batch.column("duplicate_of").is_valid()).astype(np.bool_),
        ingested=_ints(batch, "_ingested_at"),
        started=_ints(batch, "started_at"),
        failed=_equal(batch, "status", "error"),
        truncated=_equal(batch, "finish_reason", "length"),
        context=codes,
        contexts=contexts,
        session=_process_hashes(batch.column("session_id")),
        tokens=_ints(batch, "input_tokens", missing=-1),
    )


def read_feedback_rows(batch: pa.RecordBatch, seed: str, kinds: tuple[str, ...]) -> FeedbackRows:
    """Read the events of ``kinds`` from a batch with at least ``FEEDBACK_COLUMNS``.

    Events of an actor that is unknown here (of a newer contract) are left out too. ``kind`` is an
    index into ``kinds``, ``actor`` into ``ACTORS``.
    """
    columns = batch.select(FEEDBACK_COLUMNS)
    rows = columns.filter(pc.and_(_is_in(columns, "kind", kinds), _is_in(columns, "actor", ACTORS)))
    ids, trace_ids = rows.column("feedback_id").to_pylist(), rows.column("trace_id").to_pylist()
    corrections = rows.column("corrected_response").to_pylist()
    integers = {name: _ints(rows, name) for name in ("_partition", "_offset", "occurred_at")}
    kind, actor = _index_in(rows, "kind", kinds), _index_in(rows, "actor", ACTORS)
    value = rows.column("value").fill_null(np.nan).to_numpy(zero_copy_only=False)
    user_digest = _digests(rows.column("user_id"), seed)
    contents = zip(
        trace_ids,
        ids,
        corrections,
        *(column.tolist() for column in (integers["occurred_at"], kind, actor, value, user_digest)),
        strict=True,
    )
    return FeedbackRows(
        ids=ids,
        trace_ids=trace_ids,
        trace_keys=digest_ids(trace_ids, seed),
        keys=digest_ids(map(repr, contents), seed),
        partition=integers["_partition"],
        offset=integers["_offset"],
        occurred=integers["occurred_at"],
        kind=kind,
        actor=actor,
        value=value,
        user_digest=user_digest,
        corrections=corrections,
    )


def mix_bits(values: DigestArray) -> DigestArray:
    """Spread values over 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _ints(batch: pa.RecordBatch, name: str, missing: int = 0) -> IntArray:
    column = batch.column(name).cast(pa.int64()).fill_null(missing)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)


def _equal(batch: pa.RecordBatch, name: str, value: str) -> BoolArray:
    same = pc.equal(batch.column(name), value).fill_null(False)  # noqa: FBT003
    return np.asarray(same.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _is_in(batch: pa.RecordBatch, name: str, values: tuple[str, ...]) -> Any:
    return pc.is_in(batch.column(name), value_set=pa.array(values, pa.string()))


def _index_in(batch: pa.RecordBatch, name: str, values: tuple[str, ...]) -> IntArray:
    indices = pc.index_in(batch.column(name), value_set=pa.array(values, pa.string()))
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _process_hashes(column: pa.Array) -> DigestArray:
    """Return 64 bits for each text, 0 for null: SipHash under the key of this process.

    They only distinguish texts in memory, at a tenth of the cost of a digest.
    """
    encoded = column.dictionary_encode()
    hashes = np.fromiter(map(hash, encoded.dictionary.to_pylist()), np.int64)
    keys = hashes.astype(np.uint64) | np.uint64(1)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    digests: DigestArray = np.append(keys, np.uint64(0))[codes]
    return digests


def _digests(column: pa.Array, seed: str) -> DigestArray:
    """Return 64 bits for each text, 0 for null. Repeated texts are digested once."""
    encoded = column.dictionary_encode()
    keys = digest_ids(encoded.dictionary.to_pylist(), seed)[:, 0] | np.uint64(1)
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    digests: DigestArray = np.append(keys, np.uint64(0))[codes]
    return digests


def _contexts(app: pa.Array, segments: pa.Array) -> tuple[IntArray, list[TraceContext]]:
    """Number the distinct pairs of app and segments of a batch, without reading every row."""
    hashes = _map_hashes(segments) + mix_bits(_codes(app) + np.uint64(2**40))
    encoded = pa.array(hashes).dictionary_encode()  # numpy's unique would sort
    codes = np.asarray(encoded.indices, dtype=np.int64)
    example = np.zeros(len(encoded.dictionary), np.int64)
    example[codes] = np.arange(len(codes))
    contexts = [(app[int(i)].as_py(), _sorted_pairs(segments[int(i)].as_py())) for i in example]
    return codes, contexts


def _map_hashes(segments: pa.Array) -> DigestArray:
    """Return a number for each row of a column of maps, equal for equal entries."""
    if len(segments) == 0:
        return np.zeros(0, np.uint64)
    entries = mix_bits(mix_bits(_codes(segments.keys)) + _codes(segments.items))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(entries, dtype=np.uint64)])
    ends = segments.offsets.to_numpy(zero_copy_only=False)
    hashes: DigestArray = sums[ends[1:]] - sums[ends[:-1]]
    return hashes


def _codes(column: pa.Array) -> DigestArray:
    indices = column.dictionary_encode().indices.fill_null(-1)
    codes: DigestArray = (indices.to_numpy(zero_copy_only=False).astype(np.int64) + 1).astype(
        np.uint64
    )
    return codes


def _sorted_pairs(segments: Mapping[str, str] | list[tuple[str, str]] | None) -> Any:
    return tuple(sorted(dict(segments or ()).items()))
