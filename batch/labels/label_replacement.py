"""New decisions take the place of the label events of some traces, in one commit.

1. The fence (`lake.fences`): whoever has decided labels from rows that are no longer there can
   not write them any more. It comes after the rows that labels rest on have been exchanged.
2. The traces are decided from what the lake holds now; what `labels.replacement_plan` says goes and comes is
   one commit to the table ``labels``: its files are written again without what goes. It moves the
   position of the batch jobs' sequence, so a job that has looked before looks again; the number of
   the fence, so that workers know what is in force now; and the mark that says it is done.

| dies after | what the next run finds | what it does |
|---|---|---|
| 1 | no mark | fences again, and goes on |
| the files are written | files that no table knows | the same; vacuum removes them |
| the commit | the mark | nothing |

If others change the table meanwhile, the step looks again.
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
from labels.digest_set import DigestSet
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
from lake.table_log import RECONCILE_SEQUENCE, position_app
from lake.tables import TABLE_LAYOUTS, Table
from schemas.errors import FatalError, FencedError
from schemas.records import LabelEvent

REPLACEMENT_ATTEMPTS = 20
RELABELLED_RULE = "relabelled"

OpenRecomputer = Callable[[], LabelRecomputer]
"""Brings the tables that labels rest on to their newest version; gives what decides from them."""


@dataclass(slots=True)
class _Change:
    """What goes, by the path of its file, and what comes, with the texts it may repeat."""

    goes: dict[str, set[EventRank]] = field(default_factory=dict)
    comes: list[LabelEvent] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelReplacement:
    """Replaces the label events of some traces. ``mark`` says in the commit that it is done.

    ``judge_texts``: rows that labels repeat have been exchanged, so no other text may stay.
    """

    labels: Table
    look: OpenRecomputer
    mark: Move
    judge_texts: bool
    means: CommitContext

    def fence(self) -> None:
        """Keep out what was decided from rows that have been exchanged."""
        RELABEL_FENCE.advance(self.labels, self.means)

    @property
    def done(self) -> bool:
        """Return whether it has been done, as of the table's last refresh."""
        return self.labels.txn_version(self.mark.app) is not None

    def run(self, wanted: DigestSet, written: Callable[[], None]) -> None:
        """Decide and replace; ``written`` is told before the commit.

        Raises FatalError if the lake does not answer, or if others do not leave the table alone.
        """
        for _ in range(REPLACEMENT_ATTEMPTS):
            try:
                self._attempt(wanted, written)
            except FencedError:
                continue
            return
        raise FatalError("others change the table labels all the time: run this again")

    def _attempt(self, wanted: DigestSet, written: Callable[[], None]) -> None:
        rows = NumberedRows(self.labels, RECONCILE_SEQUENCE, EntryKind.RELABEL, self.means)
        at = rows.refresh_position()
        if self.done:
            return
        fence, guards = RELABEL_FENCE.value(self.labels), label_guards(self.labels)
        moves = [
            self.mark,
            Move(RELABEL_FENCE.app, fence or None, fence + 1),
        ]
        change = self.means.retry.call("reading the lake", partial(self._decide, wanted))
        old = [file for file in list_live_files(self.labels) if file.path in change.goes]
        left, gone = self._without(old, change.goes)
        come, spans = self._come(rows, change, at)
        spans += [
            SourceRange(*source, 0, 0, dropped={RELABELLED_RULE: n}) for source, n in gone.items()
        ]
        if change.comes:
            position = position_app(SourcePartition(RECONCILE_SEQUENCE, 0))
            moves.append(Move(position, at or None, at + len(change.comes)))
        written()
        commit = TableCommit(
            entry=LedgerEntry(EntryKind.RELABEL, spans),
            token=self.means.new_token(),
            moves=moves,
            guards=guards,
            removes=old,
            adds=[*left, *come],
        )
        replace_or_add_files(self.labels, commit, self.means)

    def _decide(self, wanted: DigestSet) -> _Change:
        anew, change = self.look(), _Change()
        for part in split_digest_set(wanted):
            held = dict(read_existing_labels(self.labels, part))
            for decision in anew.decisions(part, change.texts):
                self._settle(change, held.pop(decision.trace_id, ()), decision)
            for trace_id, there in held.items():  # nothing is known of these any more
                whole = all(anew.whole.keeps(row.started_at) for row in there)
                self._settle(change, there, RecomputedLabel(trace_id, None, (), whole))
        return change

    def _settle(
        self, change: _Change, there: Sequence[ExistingLabelRow], decision: RecomputedLabel
    ) -> None:
        texts = decision.texts if self.judge_texts else None
        held = [row.held for row in there]
        goes, comes = plan_replacement(held, decision.event, texts, whole=decision.whole)
        leaving = {one.rank for one in goes}
        for row in there:
            if row.held.rank in leaving:
                change.goes.setdefault(row.path, set()).add(row.held.rank)
        if comes is not None:
            change.comes.append(comes)

    def _without(
        self, old: Sequence[LiveFile], goes: Mapping[str, set[EventRank]]
    ) -> tuple[list[UploadedFile], Counter[SourcePartition]]:
        """Write files again without what goes; return them, and what went by partition."""
        left: list[UploadedFile] = []
        gone: Counter[SourcePartition] = Counter()
        for file in old:
            rows = read_file_rows(self.labels, file)
            leaves = _ranked(rows, goes[file.path])
            sources = rows.rows.select(["_topic", "_partition"]).filter(leaves).to_pylist()
            gone.update(SourcePartition(row["_topic"], row["_partition"]) for row in sources)
            stays = rows.where(pc.invert(leaves))
            if len(stays):
                again = rewrite_rows(self.labels, stays, instead_of=[file], retry=self.means.retry)
                left.append(again)
        return left, gone

    def _come(
        self, rows: NumberedRows, change: _Change, at: int
    ) -> tuple[list[UploadedFile], list[SourceRange]]:
        """Write what comes; return the files, and the range of their numbers."""
        count = len(change.comes)
        if not count:
            return [], []
        batch = number_label_rows(rows, change.comes, change.texts, at=at)
        span = SourceRange(RECONCILE_SEQUENCE, 0, at, at + count, at, at + count - 1, count, count)
        files = encode_files([batch], ranges=[span], layout=TABLE_LAYOUTS[self.labels.name])
        return [upload_file(self.labels, file, self.means.retry) for file in files], [span]


def _ranked(rows: StoredRows, ranks: set[EventRank]) -> pa.Array:
    """Return for each row whether its rank is one of these."""
    found = zip(
        rows.rows["revision"].to_pylist(),
        rows.rows["decided_at"].cast(pa.int64()).to_pylist(),
        rows.rows["label_event_id"].to_pylist(),
        strict=True,
    )
    return pa.array([EventRank(*values) in ranks for values in found], pa.bool_())
