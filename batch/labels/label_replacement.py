"""Replaces the label events of some traces with new decisions, in one commit.

1. The fence (`lake.fences`): labels decided from rows that have been replaced are rejected from
   now on. It follows the replacement of the rows that labels rest on.
2. The traces are decided from what the lake holds now. The plan (`labels.replacement_plan`) is one
   commit to the table ``labels``, whose files are rewritten without the removed events. It moves
   the position of the batch jobs' sequence, so that concurrent jobs read again; the number of the
   fence, so that workers read what is in force now; and the mark that says the step is done.

| dies after | what the next run finds | what it does |
|---|---|---|
| 1 | no mark | fences again, and continues |
| the files are written | files in no table | the same; vacuum removes them |
| the commit | the mark | nothing |

If the table changes in the meantime, the step is repeated.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from batch.labels.existing_labels import ExistingLabelRow, read_existing_labels
from batch.labels.label_writer import label_guards, number_label_rows
from batch.labels.recompute import LabelRecomputer, RecomputedLabel, split_digest_set
from batch.numbered_rows import NumberedRows
from labels.decision import EventRank
from labels.digests import DigestSet
from labels.replacement_plan import plan_replacement
from lake.fences import RELABEL_FENCE
from lake.ledger import EntryKind, LedgerEntry, SourcePartition, SourceRange
from lake.live_files import (
    LiveFile,
    StoredRows,
    UploadedFile,
    list_live_files,
    read_file_rows,
    rewrite_rows,
    upload_file,
)
from lake.parquet import encode_files
from lake.rewrite import replace_or_add_files
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_layouts import TABLE_LAYOUTS
from lake.table_log import RECONCILE_SEQUENCE, position_app
from lake.tables import Table
from schemas.errors import FatalError, FencedError
from schemas.records import LabelEvent

REPLACEMENT_ATTEMPTS = 20
RELABELLED_RULE = "relabelled"

OpenRecomputer = Callable[[], LabelRecomputer]
"""Refreshes the tables that labels rest on, and returns a recomputer over them."""


@dataclass(slots=True)
class _Change:
    """The events to remove by file path, the events to add, and the texts that these may repeat."""

    removed: dict[str, set[EventRank]] = field(default_factory=dict)
    added: list[LabelEvent] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelReplacement:
    """Replaces the label events of some traces. ``mark`` is the move that marks it as done.

    ``check_texts``: rows whose text labels repeat have been replaced, so no other text may stay.
    """

    labels: Table
    open_recomputer: OpenRecomputer
    mark: Move
    check_texts: bool
    context: CommitContext

    def fence(self) -> None:
        """Reject labels decided from rows that have been replaced."""
        RELABEL_FENCE.advance(self.labels, self.context)

    @property
    def is_done(self) -> bool:
        """Return whether the replacement is done, as of the table's last refresh."""
        return self.labels.txn_version(self.mark.app) is not None

    def run(self, trace_ids: DigestSet, before_commit: Callable[[], None]) -> None:
        """Decide and replace; calls ``before_commit`` once the files are written.

        Raises FatalError if the lake stays unavailable or the table keeps changing.
        """
        for _ in range(REPLACEMENT_ATTEMPTS):
            try:
                self._attempt(trace_ids, before_commit)
            except FencedError:
                continue
            return
        raise FatalError(
            f"table labels changed during each of {REPLACEMENT_ATTEMPTS} attempts: run the command "
            "again"
        )

    def _attempt(self, trace_ids: DigestSet, before_commit: Callable[[], None]) -> None:
        rows = NumberedRows(self.labels, RECONCILE_SEQUENCE, EntryKind.RELABEL, self.context)
        at = rows.refresh_position()
        if self.is_done:
            return
        fence, guards = RELABEL_FENCE.value(self.labels), label_guards(self.labels)
        moves = [
            self.mark,
            Move(RELABEL_FENCE.app, fence or None, fence + 1),
        ]
        change = self.context.retry.call("reading the lake", partial(self._decide, trace_ids))
        old = [file for file in list_live_files(self.labels) if file.path in change.removed]
        rewritten, removed = self._rewrite(old, change.removed)
        new_files, spans = self._write_added(rows, change, at)
        spans += [
            SourceRange(*source, 0, 0, dropped={RELABELLED_RULE: n})
            for source, n in removed.items()
        ]
        if change.added:
            position = position_app(SourcePartition(RECONCILE_SEQUENCE, 0))
            moves.append(Move(position, at or None, at + len(change.added)))
        before_commit()
        commit = TableCommit(
            entry=LedgerEntry(EntryKind.RELABEL, spans),
            token=self.context.new_token(),
            moves=moves,
            guards=guards,
            removes=old,
            adds=[*rewritten, *new_files],
        )
        replace_or_add_files(self.labels, commit, self.context)

    def _decide(self, trace_ids: DigestSet) -> _Change:
        recomputer, change = self.open_recomputer(), _Change()
        for part in split_digest_set(trace_ids):
            existing = dict(read_existing_labels(self.labels, part))
            for label in recomputer.recompute(part, change.texts):
                self._plan(change, existing.pop(label.trace_id, ()), label)
            for trace_id, rows in existing.items():  # no evidence of these traces is left
                complete = all(recomputer.completeness.covers_start(row.started_at) for row in rows)
                self._plan(change, rows, RecomputedLabel(trace_id, None, (), complete))
        return change

    def _plan(
        self, change: _Change, rows: Sequence[ExistingLabelRow], label: RecomputedLabel
    ) -> None:
        texts = label.texts if self.check_texts else None
        existing = [row.event for row in rows]
        plan = plan_replacement(existing, label.event, texts, complete=label.complete)
        removed = {event.rank for event in plan.removed}
        for row in rows:
            if row.event.rank in removed:
                change.removed.setdefault(row.path, set()).add(row.event.rank)
        if plan.added is not None:
            change.added.append(plan.added)

    def _rewrite(
        self, old: Sequence[LiveFile], ranks: Mapping[str, set[EventRank]]
    ) -> tuple[list[UploadedFile], Counter[SourcePartition]]:
        """Rewrite files without the events of these ranks; also count those by partition."""
        rewritten: list[UploadedFile] = []
        removed: Counter[SourcePartition] = Counter()
        for file in old:
            rows = read_file_rows(self.labels, file)
            is_removed = _has_rank(rows, ranks[file.path])
            sources = rows.rows.select(["_topic", "_partition"]).filter(is_removed).to_pylist()
            removed.update(SourcePartition(row["_topic"], row["_partition"]) for row in sources)
            remaining = rows.filter(pc.invert(is_removed))
            if len(remaining):
                rewritten.append(
                    rewrite_rows(
                        self.labels, remaining, instead_of=[file], retry=self.context.retry
                    )
                )
        return rewritten, removed

    def _write_added(
        self, rows: NumberedRows, change: _Change, at: int
    ) -> tuple[list[UploadedFile], list[SourceRange]]:
        """Write the added events; return the files, and the range of their numbers."""
        count = len(change.added)
        if not count:
            return [], []
        batch = number_label_rows(rows, change.added, change.texts, at=at)
        span = SourceRange(RECONCILE_SEQUENCE, 0, at, at + count, at, at + count - 1, count, count)
        files = encode_files([batch], ranges=[span], layout=TABLE_LAYOUTS[self.labels.name])
        return [upload_file(self.labels, file, self.context.retry) for file in files], [span]


def _has_rank(rows: StoredRows, ranks: set[EventRank]) -> pa.Array:
    """Return for each row whether its rank is one of these."""
    row_ranks = zip(
        rows.rows["revision"].to_pylist(),
        rows.rows["decided_at"].cast(pa.int64()).to_pylist(),
        rows.rows["label_event_id"].to_pylist(),
        strict=True,
    )
    return pa.array([EventRank(*rank) in ranks for rank in row_ranks], pa.bool_())
