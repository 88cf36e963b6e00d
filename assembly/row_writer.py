"""Turns assembled traces into rows of ``traces``, and commits those that say something new.

A row is redacted as a whole, although its spans were redacted when they were read: what one span
teaches counts for all texts of the row.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from assembly.contract_records import convert_values, make_batch
from assembly.refusals import (
    OF_ERASED,
    AssemblyRefusal,
    refuse_rejected,
)
from assembly.shard_sequences import ShardSequences, number_shard_rows
from assembly.stored_traces import StoredTrace, digest_rows
from lake.fences import ERASURE_FENCE
from otel.assembly import AssembledTrace
from otel.open_traces import shard_of
from redact.crypto.erasure_filter import ErasureFilter
from redact.pipeline.assembled_rows import RowNumbers
from redact.pipeline.redactor import RedactionOutcome
from schemas.assembly_columns import AssemblyFacts
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Trace
from schemas.redacted import Redacted


class RowRedactor(Protocol):
    """Redacts rows whose texts were redacted before, span by span."""

    def redact_again(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Redact rows as wholes; stand-ins and pseudonyms of the first pass stay as they are."""


class LoadedTombstones(Protocol):
    """The tombstones that are applied: the newest one, and the filter of them all."""

    newest: int
    kept_out: ErasureFilter

    def reload(self) -> bool:
        """Load new tombstones; return whether there were any."""


@dataclass
class BuiltRows:
    """Redacted rows of traces, in the order of ``trace_ids``, with the hash of their content.

    ``refused`` says for the others why they have no row.
    """

    rows: Redacted[pa.RecordBatch] | None = None
    trace_ids: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    duplicates: Mapping[str, str | None] = field(default_factory=dict)
    refused: dict[str, AssemblyRefusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of an assembled trace: its stored row, and whether it was written now.

    ``refused`` says why it was not written although the trace has a row.
    """

    trace: AssembledTrace
    stored: StoredTrace | None
    written: bool
    refused: AssemblyRefusal | None

    @property
    def kind(self) -> str:
        """Whether the row is ``new``, ``revised`` or ``unchanged``."""
        if self.stored is None or not self.written:
            return "unchanged"
        return "new" if self.stored.revision == 1 else "revised"


@dataclass
class RowWriter:
    """Writes the rows of assembled traces under the sequences of their shards."""

    sequences: ShardSequences
    redactor: RowRedactor
    tombstones: LoadedTombstones
    now_us: Callable[[], int]

    def build(
        self, traces: Sequence[AssembledTrace], duplicates: Mapping[str, str | None]
    ) -> BuiltRows:
        """Return the redacted rows of traces; ``duplicates`` has the trace each one repeats."""
        built = BuiltRows(duplicates=duplicates)
        valid: list[tuple[AssembledTrace, Trace]] = []
        for trace in traces:
            if trace.row is None:
                continue
            record = convert_values(RecordKind.TRACE, Trace, trace.row)
            if isinstance(record, AssemblyRefusal):
                built.refused[trace.trace_id] = record
            else:
                valid.append((trace, record))
        decoded = make_batch(
            RecordKind.TRACE,
            [record for _, record in valid],
            [_facts(trace, duplicates.get(trace.trace_id)) for trace, _ in valid],
        )
        if self.tombstones.kept_out:
            kept, _ = self.tombstones.kept_out.without(decoded)
            left = {record.trace_id for record in kept.records}
            gone = (t.trace_id for t, _ in valid if t.trace_id not in left)
            built.refused.update(dict.fromkeys(gone, OF_ERASED))
            decoded = kept
        if not len(decoded):
            return built
        outcome = self.redactor.redact_again(decoded, ingested_at=self.now_us())
        names = {raw.offset: traces_id for raw, traces_id in _names(decoded)}
        built.refused.update(
            (names[item.raw.offset], refuse_rejected(item)) for item in outcome.rejected
        )
        built.rows = outcome.rows
        built.trace_ids = outcome.rows.value["trace_id"].to_pylist()
        built.digests = digest_rows(outcome.rows.value)
        return built

    def write(
        self,
        traces: Sequence[AssembledTrace],
        built: BuiltRows,
        stored_before: Mapping[str, StoredTrace],
        marks: Mapping[int, int],
    ) -> list[RowOutcome]:
        """Commit the rows that differ from those in ``stored_before``, and move marks.

        Raises FencedError if another owner has written to a shard, or if somebody was erased since
        the tombstones were loaded: then nothing was written. Otherwise as `lake.commit.commit`.
        """
        numbers, stored = self._number(built, stored_before)
        self.commit(built, numbers, marks)
        return _outcomes(traces, built, numbers, stored)

    def compare(
        self,
        traces: Sequence[AssembledTrace],
        built: BuiltRows,
        stored_before: Mapping[str, StoredTrace],
    ) -> list[RowOutcome]:
        """Return what `write` would do, and write nothing."""
        return _outcomes(traces, built, *self._number(built, stored_before))

    def _number(
        self, built: BuiltRows, stored_before: Mapping[str, StoredTrace]
    ) -> tuple[list[RowNumbers], dict[str, StoredTrace]]:
        """Return the numbers of the rows that differ, and what is stored of all rows then."""
        at = dict(self.sequences.positions)
        numbers: list[RowNumbers] = []
        stored: dict[str, StoredTrace] = {}
        places = {trace_id: place for place, trace_id in enumerate(built.trace_ids)}
        for trace_id in sorted(places):
            before, digest = stored_before.get(trace_id), built.digests[places[trace_id]]
            if before is not None and before.digest == digest:
                stored[trace_id] = before
                continue
            shard, revision = shard_of(trace_id), before.revision + 1 if before else 1
            numbers.append(RowNumbers(places[trace_id], shard, at[shard], revision))
            at[shard] += 1
            stored[trace_id] = StoredTrace(
                trace_id, revision, digest, 0, built.duplicates.get(trace_id)
            )
        return numbers, stored

    def commit(
        self, built: BuiltRows, numbers: Sequence[RowNumbers], marks: Mapping[int, int]
    ) -> None:
        """Commit numbered rows and marks; see `write`."""
        rows = None
        if numbers and built.rows is not None:
            rows = number_shard_rows(built.rows, numbers)
        self.sequences.commit(rows, marks, [ERASURE_FENCE.guard(self.tombstones.newest)])


def _outcomes(
    traces: Sequence[AssembledTrace],
    built: BuiltRows,
    numbers: Sequence[RowNumbers],
    stored: Mapping[str, StoredTrace],
) -> list[RowOutcome]:
    written = {built.trace_ids[each.row] for each in numbers}
    return [
        RowOutcome(
            trace,
            stored.get(trace.trace_id),
            trace.trace_id in written,
            built.refused.get(trace.trace_id),
        )
        for trace in traces
    ]


def _facts(trace: AssembledTrace, duplicate_of: str | None) -> AssemblyFacts:
    return AssemblyFacts(
        revision=1,
        mapping=trace.mapping,
        incomplete=trace.incomplete,
        cost_computed=trace.cost_computed,
        sampling_probability=trace.sampling_probability,
        duplicate_of=duplicate_of,
        taught=trace.taught,
    )


def _names(decoded: DecodedBatch[Trace]) -> list[tuple[RawRecord, str]]:
    ids = [record.trace_id for record in decoded.records]
    return list(zip(decoded.raws, ids, strict=True))
