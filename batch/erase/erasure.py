"""Erases persons from a lake, completely, however often the run is interrupted.

1. Put a tombstone (`lake.tombstones`): from then on the persons are known to be erased.
2. Fence every table: a writer that has not read the tombstone can no longer commit.
3. Scan the tables (`batch.erase.scanner`). Put the trace and feedback ids found by the scan into
   another tombstone, and fence the tables again.
4. Relabel the traces of others that lose evidence. Then remove the rows, beginning with those that
   reveal least about their owner: judgements, reviewed answers, labels, reviews, audit, quarantine,
   feedback, traces.
   Repeat from 1, with a new fence, until a scan that follows a fence finds nothing.
5. Remove the same rows from the releases, and answers that name the persons from kept runs of
   gates. Answers to the removed rows can be read by nobody from then on.
6. Purge the files that no table refers to any more (`batch.erase.purge`).
7. Sign and store the receipt.

All progress is recorded in the lake. A run that is killed leaves an erasure without a receipt; the
next run for the same persons continues it. Once there is a receipt, a run that finds nothing
changes nothing and returns the receipt.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Protocol, TypeVar

from batch.erase import receipt
from batch.erase.persons import Persons
from batch.erase.purge import LakePurge, PurgeCounts
from batch.erase.reapply import ReappliedErasure
from batch.erase.relabel import AffectedLabels, relabel_traces
from batch.erase.removal import remove_rows
from batch.erase.scanner import ErasureScan, ErasureScanner
from batch.erase.scope import ErasureScope
from batch.erase.table_set import TableSet
from batch.erase.tombstone_store import ErasureState, TombstoneStore
from batch.gate.answer_erasure import ErasedAnswers
from batch.progress import ReportProgress, no_progress
from batch.release.erasure.criteria import ErasureCriteria
from labels.scorer import LabelScorer
from lake import tombstones
from lake.fences import ERASURE_FENCE
from lake.ledger import SourcePartition, rows_from_quarantine
from lake.table_commit import CommitContext
from lake.tables import Lake, Table
from lake.tombstones import Tombstone
from redact.crypto.keys import Keys
from redact.crypto.signing import Signer
from redact.crypto.subjects import PHONE_REGIONS, marks_of_feedback, marks_of_traces
from schemas.arrow import LABELS_TABLE, PRIMARY_TABLES, QUARANTINE_TABLE
from schemas.errors import FatalError, FencedError, UsageError

MAX_ROUNDS: Final = 20
_Result = TypeVar("_Result")


class ErasableReleases(Protocol):
    """The releases that an erasure searches and changes."""

    def find(self, scope: ErasureScope, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return the versions with rows in scope; ``events`` are removed label events."""

    def erase(
        self,
        scope: ErasureScope,
        events: frozenset[str],
        tombstone: Tombstone,
        tables: Mapping[str, int],
    ) -> list[dict[str, Any]]:
        """Remove the rows; return all that this erasure removed, in this call and earlier ones."""


class ErasableAnswers(Protocol):
    """Answers in kept runs of gates, of which those that name a person are removed."""

    def find(self, names: Callable[[bytes], bool]) -> Sequence[ErasedAnswers]:
        """Return the runs with answers of which ``names`` is true; nothing is changed."""

    def erase(self, names: Callable[[bytes], bool]) -> Sequence[ErasedAnswers]:
        """Remove these answers, and return what was removed."""


@dataclass(frozen=True, slots=True)
class ErasureOutcome:
    """A finished erasure.

    ``already_done``: it had a receipt before this run, and the run found nothing. ``purged`` counts
    what this run purged. ``found_ids`` are the ids with a row in some table, None where an earlier
    run may have removed it.
    """

    number: int
    receipt: bytes
    already_done: bool
    purged: PurgeCounts
    found_ids: frozenset[str] | None


@dataclass(frozen=True)
class LakeErasure:
    """Erases persons from one lake.

    ``table_sets`` begins with the lake's own tables. ``keys`` are all known keys, the current one
    first. ``scorer`` is None where labels are off. With ``refuse_unopened`` the run does not begin
    while quarantine holds payloads that cannot be opened. ``regions`` are those of the policy, for
    telephone numbers. ``reference`` (of the request) and ``lost_keys`` go into the receipt. With
    ``reapplied`` the persons' ids are unknown, and nothing further is kept out of the lake.
    """

    lake: Lake
    table_sets: Sequence[TableSet]
    ids: frozenset[str]
    keys: Sequence[Keys]
    scanner: ErasureScanner
    refuse_unopened: bool
    releases: ErasableReleases
    scorer: LabelScorer | None
    context: CommitContext
    progress: ReportProgress = no_progress
    regions: Sequence[str] = PHONE_REGIONS
    reference: str | None = None
    lost_keys: Sequence[str] = ()
    reapplied: ReappliedErasure | None = None
    answers: ErasableAnswers | None = None

    @cached_property
    def persons(self) -> Persons:
        """Return the persons, with all forms that their ids may have in this lake."""
        if self.reapplied is not None:
            return self.reapplied.persons
        apps = self._retry("reading the apps", self._read_apps)
        return Persons.of(self.ids, self.keys, apps, self.regions)

    @cached_property
    def state(self) -> ErasureState:
        """Return what the lake records of this erasure."""
        store = TombstoneStore(tombstones.open_tombstones(self.lake.location), self.context.retry)
        notes = receipt.CommitNotes(self.table_sets)
        return ErasureState(store, notes, self.persons, self.keys)

    def scan(self) -> tuple[ErasureScan, list[dict[str, Any]]]:
        """Return what would be removed from tables and from releases; change nothing."""
        scan = self.scanner.scan(self._scope())
        events = self._affected_events(scan) | self.state.label_events()
        return scan, self.releases.find(scan.scope, events)

    def find_answers(self, scan: ErasureScan) -> Sequence[ErasedAnswers]:
        """Return the kept runs with answers that name a person; change nothing."""
        return () if self.answers is None else self.answers.find(_names_person(scan.scope))

    def run(self) -> ErasureOutcome:
        """Erase, continue an interrupted erasure, or return the receipt of a finished one.

        Raises UsageError if an unfinished command is moving records, FatalError if the lake does
        not answer in time or others keep changing it, RetryableError if stopped.
        """
        self._refuse_unfinished_moves()
        is_new = not self.state.unfinished()
        if self.state.is_finished():
            scan, released = self.scan()
            if scan.empty and not released and not self.find_answers(scan):
                return self._finished_before(scan.scope)
        self._refuse_unopened()
        # Needed even if a killed run has put a tombstone: it may have removed rows since its fence.
        self._put_tombstone({}, {})
        scan = self._remove_all_rows()
        tombstone = self.state.tombstones()[-1]
        removed = self.releases.erase(
            replace(scan.scope, marks=self.state.marks()),
            self.state.label_events(),
            tombstone,
            self.state.versions(),
        )
        answers = () if self.answers is None else self.answers.erase(_names_person(scan.scope))
        outcome = self._finish(scan, removed, answers, self._purge(scan.scope))
        return replace(outcome, found_ids=frozenset(self.scanner.found_ids) if is_new else None)

    def _remove_all_rows(self) -> ErasureScan:
        """Remove rows until a scan that follows a fence finds nothing.

        Each round has its own tombstone, so that its fence is new: a writer that read rows before
        their removal, such as a worker's join, cannot commit what it derived from them.
        """
        scope = self._scope()
        for _ in range(MAX_ROUNDS):
            self._fence()
            scan = self.scanner.scan(replace(scope, marks=self.state.marks()))
            scope = scan.scope
            if scan.empty:
                return scan
            self._refuse_unfinished_moves()
            self._record_ids(scan.scope)
            with suppress(FencedError):  # another erasure or a replay changed the labels' evidence
                self._remove(scan)
            self._put_tombstone({}, {})
        raise FatalError(
            "rows of the person keep arriving, or others keep changing the tables: "
            "run `goldpan erase` again"
        )

    def _put_tombstone(
        self, traces: Mapping[str, Sequence[str]], feedback: Mapping[str, Sequence[str]]
    ) -> None:
        # Until when this run keeps the persons out: later records are new data.
        until_us = self.context.now_us() if self.reapplied is None else 0
        self.state.store.put_tombstone(self.persons, until_us, traces, feedback)

    def _remove(self, scan: ErasureScan) -> None:
        number = self.state.tombstones()[-1].number
        if self.scorer is not None:
            for matches in scan.tables:
                if matches.table is self.lake.table(LABELS_TABLE):
                    affected = AffectedLabels.of(matches, scan.scope, self.context)
                    relabel_traces(self.lake, self.scorer, scan.scope, affected, self.context)
        for done, matches in enumerate(scan.tables):
            self.progress(f"erasing from {matches.path}", done, len(scan.tables))
            remove_rows(matches, scan.scope, number, self.scanner, self.context)

    def _record_ids(self, scope: ErasureScope) -> None:
        """Put the ids found by a scan into a tombstone, and fence, unless they are in one."""
        traces = marks_of_traces(self.keys, scope.all_traces)
        feedback = marks_of_feedback(self.keys, scope.all_feedback)
        recorded = self.state.marks()
        has_new = any(
            set(marks) - recorded_marks.get(name, frozenset())
            for by_key, recorded_marks in (
                (traces, recorded.traces),
                (feedback, recorded.feedback),
            )
            for name, marks in by_key.items()
        )
        if has_new:
            self._put_tombstone(traces, feedback)
            self._fence()

    def _fence(self) -> None:
        store = self.state.store.store
        newest = self._retry("reading tombstones", lambda: tombstones.newest_tombstone(store))
        for table_set in self.table_sets:
            for table in table_set.tables.values():
                self.progress(f"fencing {table_set.path_of(table.name)}", 0, 0)
                ERASURE_FENCE.raise_to(table, newest, self.context)

    def _purge(self, scope: ErasureScope) -> PurgeCounts:
        purge = LakePurge(
            self.lake.location.files(""),
            self.table_sets,
            self.state.versions(),
            self.scanner,
            self.context.retry,
            self.progress,
        )
        return purge.run(scope.with_coordinates(self.state.coordinates()))

    def _finish(
        self,
        scan: ErasureScan,
        removed: Sequence[Mapping[str, Any]],
        answers: Sequence[ErasedAnswers],
        purged: PurgeCounts,
    ) -> ErasureOutcome:
        numbers = self.state.unfinished()
        if not numbers:  # another run for the same persons has finished it
            return self._finished_before(scan.scope)
        own = [t for t in self.state.tombstones() if t.number in numbers]
        body = receipt.build_receipt(
            erasures=numbers,
            until_us=max(tombstone.until_us for tombstone in own),
            made_at_us=self.context.now_us(),
            subjects=self.persons.marks,
            searched=[matches.path for matches in scan.tables],
            notes=self.state.notes(own),
            releases=removed,
            evaluations=[found._asdict() for found in answers],
            not_searched=scan.not_searched,
            reference=self.reference,
            lost_keys=self.lost_keys,
        )
        number = max(numbers)
        signed = receipt.sign_receipt(body, Signer(self.keys[0].receipt))
        stored = self.state.store.put_receipt(number, signed)
        return ErasureOutcome(number, stored, already_done=False, purged=purged, found_ids=None)

    def _finished_before(self, scope: ErasureScope) -> ErasureOutcome:
        purged = self._purge(scope)
        number, stored = self.state.newest_receipt()
        return ErasureOutcome(number, stored, already_done=True, purged=purged, found_ids=None)

    def _scope(self) -> ErasureScope:
        scope = ErasureScope(self.persons, self.state.marks(), coordinates=self.state.coordinates())
        if self.reapplied is None:
            return scope
        return scope.with_coordinates(self.reapplied.coordinates)

    def _affected_events(self, scan: ErasureScan) -> frozenset[str]:
        return frozenset().union(
            *(
                AffectedLabels.of(matches, scan.scope, self.context).events
                for matches in scan.tables
                if matches.table.name == LABELS_TABLE
            )
        )

    def _read_apps(self) -> set[str]:
        apps: set[str] = set()
        for table_set in self.table_sets:
            for table in table_set.select(["traces"]):
                table.refresh()
                for batch in table.batches(["app"]):
                    apps.update(batch.column("app").unique().to_pylist())
        return apps

    def _refuse_unfinished_moves(self) -> None:
        sources = self._retry("reading the logs", self._read_unfinished_moves)
        if sources:
            raise UsageError(
                f"records of {', '.join(map(str, sources))} are being moved between quarantine and "
                "their table: finish that first, with `goldpan quarantine redrive` or `goldpan "
                "replay promote`, whichever was begun, then run `goldpan erase` again"
            )

    def _refuse_unopened(self) -> None:
        count = self.scanner.count_unopened(self._scope()) if self.refuse_unopened else 0
        if count:
            raise UsageError(
                f"{count} sealed payloads in quarantine cannot be opened, so their owner cannot be "
                "determined: set GOLDPAN_REDACT__SEAL_KEY and its id to the key that sealed them, "
                "or choose with --unopened whether to keep or to remove them"
            )

    def _read_unfinished_moves(self) -> list[SourcePartition]:
        for table in self.table_sets[0].tables.values():
            table.refresh()
        return find_unfinished_moves(self.lake)

    def _retry(self, what: str, step: Callable[[], _Result]) -> _Result:
        return self.context.retry.call(what, step)


def _names_person(scope: ErasureScope) -> Callable[[bytes], bool]:
    """Return what tells whether an answer names a person, as rows of releases are searched."""
    marks, search = scope.persons.tokens, scope.text_search.matches
    return ErasureCriteria(marks=marks, search=search).occur_in


def find_unfinished_moves(lake: Lake) -> list[SourcePartition]:
    """Return the partitions with records that a command is moving out of quarantine.

    While it is unfinished, a record is in both tables and the ledger lacks the second half. As of
    the tables' last refresh.
    """
    added = Counter[SourcePartition]()
    for name in PRIMARY_TABLES:
        added.update(_count_moved(lake.table(name)))
    removed = _count_moved(lake.table(QUARANTINE_TABLE))
    return sorted(source for source in {*added, *removed} if added[source] != removed[source])


def _count_moved(table: Table) -> Counter[SourcePartition]:
    counts = Counter[SourcePartition]()
    for logged in table.ledger():
        for item in logged.entry.ranges:
            counts[item.source] += rows_from_quarantine(logged.entry.kind, item)
    return counts
