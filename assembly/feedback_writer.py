"""Writes the records of resolved feedback to ``feedback``, each feedback once."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from assembly.contract_records import convert_values, make_batch
from assembly.feedback_targets import Days, TargetFinder, is_one_of
from assembly.refusals import (
    ERASED,
    AssemblyRefusal,
    refuse_rejected,
)
from assembly.row_writer import LoadedTombstones, RowRedactor
from assembly.shard_sequences import ShardSequences, number_shard_rows
from lake.fences import ERASURE_FENCE
from otel.feedback_records import resolve_feedback
from otel.feedback_scale import DEFAULT_SCALES, FeedbackScale
from otel.open_traces import shard_of
from otel.signals import ProductFeedback
from redact.pipeline.assembled_rows import RowNumbers
from schemas.record_batches import RecordKind
from schemas.records import Feedback


@dataclass(frozen=True, slots=True)
class FeedbackOutcome:
    """Ids of feedback by what became of it: written now, there before or refused, and waiting.

    ``refused`` counts what was refused, by reason: it stays in ``otel_spans`` only.
    """

    written: tuple[str, ...]
    settled: tuple[str, ...]
    waiting: tuple[str, ...]
    refused: Mapping[str, int] = field(default_factory=dict)


@dataclass
class FeedbackWriter:
    """Resolves feedback to its traces and writes the records.

    A row is numbered in the shard of the feedback's target as the product names it, so that one
    owner writes it, whatever trace that turns out to be.
    """

    finder: TargetFinder
    sequences: ShardSequences
    redactor: RowRedactor
    tombstones: LoadedTombstones
    now_us: Callable[[], int]
    scales: Mapping[str, FeedbackScale] = field(default_factory=lambda: DEFAULT_SCALES)

    def write(
        self,
        feedback: Sequence[ProductFeedback],
        days: Days,
        is_open: Callable[[str], bool] = lambda _trace_id: False,
    ) -> FeedbackOutcome:
        """Write the records of feedback whose traces have rows, as of the last refreshes.

        ``days`` are those of the traces, ``is_open`` as in `TargetFinder.find`. Raises FencedError
        if another owner has written, or if somebody was erased; otherwise as `lake.commit.commit`.
        """
        present = self._read_present([each.feedback_id for each in feedback])
        missing = [each for each in feedback if each.feedback_id not in present]
        targets, waiting = self.finder.find(missing, days, is_open)
        records: list[tuple[ProductFeedback, Feedback]] = []
        settled, unresolved = list(present), list(waiting)
        refused: Counter[str] = Counter()
        for each in missing:
            if each.feedback_id in waiting:
                continue
            resolved = resolve_feedback(each, targets, self.scales)
            if resolved.record is None:
                unresolved.append(each.feedback_id)
                continue
            record = convert_values(RecordKind.FEEDBACK, Feedback, resolved.record)
            if isinstance(record, AssemblyRefusal):
                refused[record.reason] += 1
                settled.append(each.feedback_id)
            else:
                records.append((each, record))
        written = self._commit(records, refused)
        settled += [f.feedback_id for f, _ in records if f.feedback_id not in written]
        return FeedbackOutcome(tuple(written), tuple(settled), tuple(unresolved), refused)

    def _read_present(self, feedback_ids: Sequence[str]) -> set[str]:
        """Return which of the ids the table has already."""
        condition = is_one_of("feedback_id", feedback_ids)
        found: set[str] = set()
        for batch in self.sequences.table.batches(("feedback_id",), condition):
            found.update(batch["feedback_id"].to_pylist())
        return found

    def _commit(
        self, records: Sequence[tuple[ProductFeedback, Feedback]], refused: Counter[str]
    ) -> set[str]:
        """Return the ids of what was written; count what was refused."""
        decoded = make_batch(RecordKind.FEEDBACK, [record for _, record in records])
        if self.tombstones.kept_out:
            decoded, _ = self.tombstones.kept_out.without(decoded)
            refused[ERASED] += len(records) - len(decoded)
        if not len(decoded):
            return set()
        outcome = self.redactor.redact_again(decoded, ingested_at=self.now_us())
        refused.update([refuse_rejected(each).reason for each in outcome.rejected])
        ids = outcome.rows.value["feedback_id"].to_pylist()
        shards = {f.feedback_id: shard_of(f.target_id) for f, _ in records}
        at, numbers = dict(self.sequences.positions), []
        for row, feedback_id in enumerate(ids):
            shard = shards[feedback_id]
            numbers.append(RowNumbers(row, shard, at[shard], None))
            at[shard] += 1
        if numbers:
            rows = number_shard_rows(outcome.rows, numbers)
            self.sequences.commit(rows, {}, [ERASURE_FENCE.guard(self.tombstones.newest)])
        return set(ids)
