"""An erasure from its beginning to its end, whoever begins it and however often it is interrupted.

1. A tombstone is put (`lake.tombstones`): from now on the persons are known to be erased.
2. Every table is fenced: nobody commits any more who has not read it.
3. The look (`batch.erase.scanner`). What it has learnt (ids of traces and feedback) goes into another
   tombstone, and the tables are fenced again.
4. Traces of others that lose evidence are decided again; then the rows go, those first that tell
   least of who they belong to: labels, reviews, audit, quarantine, feedback, traces.
   From 1 again, with a fence of its own, until a look that follows a fence finds nothing.
5. The same in the releases.
6. What no table consists of any more is purged (`batch.erase.purge`).
7. The receipt is signed and kept.

All that is known of how far it has come is in the lake. A run that is killed leaves an erasure
without a receipt; the next one for the same persons goes on with it. Once there is a receipt, a run
that finds nothing changes nothing, and shows it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Final, Protocol

from batch.erase import receipt
from batch.erase.purge import LakePurge, PurgeCounts
from batch.erase.reapply import ReappliedErasure
from batch.erase.relabel import AffectedLabels, relabel_traces
from batch.erase.removal import (
    coordinates_in_notes,
    event_marks_in_notes,
    label_events_in_notes,
    read_commit_notes,
    remove_rows,
)
from batch.erase.scanner import ErasureScan, ErasureScanner, ReportProgress
from batch.erase.scope import ErasureScope, Persons, TombstoneMarks
from batch.erase.table_set import TableSet
from batch.erase.tombstone_store import TombstoneStore, collect_tombstone_marks
from batch.erase.unfinished_moves import find_unfinished_moves
from labels.scorer import LabelScorer
from lake import tombstones
from lake.fences import ERASURE_FENCE
from lake.table_commit import CommitContext
from lake.tables import Lake
from lake.tombstones import Tombstone
from redact.crypto.keys import Keys
from redact.crypto.signing import Signer
from redact.crypto.subjects import PHONE_REGIONS, marks_of_feedback, marks_of_traces
from schemas.errors import FatalError, FencedError, UsageError

MAX_ROUNDS: Final = 20


class ErasableReleases(Protocol):
    """The releases, as an erasure sees them."""

    def find(self, wanted: ErasureScope, events: frozenset[str]) -> list[dict[str, Any]]:
        """Return the versions that hold rows that go; ``events`` are label events that went."""

    def erase(
        self,
        wanted: ErasureScope,
        events: frozenset[str],
        tombstone: Tombstone,
        tables: Mapping[str, int],
    ) -> list[dict[str, Any]]:
        """Take them out; return what this erasure took, in all its calls."""


@dataclass(frozen=True, slots=True)
class ErasureOutcome:
    """An erasure that has a receipt. ``again``: it had one before this run, and nothing was left.

    ``purged`` is what this run removed of files that no table consists of. ``named`` are the ids of
    which a table held something, None where a run before this one may have taken it.
    """

    number: int
    receipt: bytes
    again: bool
    purged: PurgeCounts
    named: frozenset[str] | None


@dataclass(frozen=True)
class LakeErasure:
    """Erases persons from one lake. ``scales`` is None where labels are off.

    ``keys`` are all that are known, the current one first. ``places`` begins with the lake's own.
    With ``refuse_closed`` nothing is begun while quarantine holds payloads that cannot be opened.
    ``regions`` are those of the policy, for telephone numbers. The receipt says for which request
    it was (``reference``), and names the keys that are lost (``without_keys``). With ``reapplied``
    it is about persons whose ids nobody knows any more, and keeps out no more than before.
    """

    lake: Lake
    places: Sequence[TableSet]
    ids: frozenset[str]
    keys: Sequence[Keys]
    searcher: ErasureScanner
    refuse_closed: bool
    releases: ErasableReleases
    scales: LabelScorer | None
    means: CommitContext
    progress: ReportProgress = lambda _what, _done, _of: None
    regions: Sequence[str] = PHONE_REGIONS
    reference: str | None = None
    without_keys: Sequence[str] = ()
    reapplied: ReappliedErasure | None = None

    @cached_property
    def persons(self) -> Persons:
        """Return the persons, in all the forms that they may have in this lake."""
        if self.reapplied is not None:
            return self.reapplied.persons
        apps = self._try("reading the apps", self._apps)
        return Persons.of(self.ids, self.keys, apps, self.regions)

    @cached_property
    def tombs(self) -> TombstoneStore:
        """Return the folder of tombstones."""
        return TombstoneStore(tombstones.open_tombstones(self.lake.location), self.means.retry)

    def look(self) -> tuple[ErasureScan, list[dict[str, Any]]]:
        """Return what would go, of the tables and of the releases; nothing is changed."""
        found = self.searcher.look(self._wanted())
        events = self._doomed(found) | self._events()
        return found, self.releases.find(found.wanted, events)

    def run(self) -> ErasureOutcome:
        """Erase, or go on with an erasure, or show the receipt of the one that is done.

        Raises UsageError if records are being moved by something unfinished, FatalError if the lake
        does not answer in time or others change it all the time, RetryableError if told to stop.
        """
        self._refuse_unfinished()
        fresh = not self._open()
        if self.has_receipt:
            found, released = self.look()
            if found.nothing and not released:
                return self._shown(found.wanted)
        self._refuse_closed()
        # Also where a run that died has put one: it may have taken rows out since it fenced.
        self._begin_round()
        found = self._rows_out()
        tombstone = self._own()[-1]
        wanted = replace(found.wanted, marks=self._marks())
        taken = self.releases.erase(wanted, self._events(), tombstone, self._versions())
        purged = self._purged(found.wanted)
        ended = self._ended(found, taken, purged)
        return replace(ended, named=frozenset(self.searcher.named) if fresh else None)

    @property
    def has_receipt(self) -> bool:
        """Tell whether all of them were erased before, to the end."""
        own = self._own()
        return self.persons.all_named_by(one.subjects for one in own) and not self._open()

    def _rows_out(self) -> ErasureScan:
        """Take rows out until a look that follows a fence finds nothing.

        Each round has a tombstone of its own, so that its fence is a new one: who has read rows
        before they went, a worker's join say, cannot write what follows from them.
        """
        wanted = self._wanted()
        for _ in range(MAX_ROUNDS):
            self._fence()
            found = self.searcher.look(replace(wanted, marks=self._marks()))
            wanted = found.wanted
            if found.nothing:
                return found
            self._refuse_unfinished()
            self._name(found.wanted)
            with suppress(FencedError):  # another erasure, or a replay, changed what labels rest on
                self._take_out(found)
            self._begin_round()
        raise FatalError(
            "rows of the person come in all the time, or others change the tables all the time: "
            "run `goldpan erase` again"
        )

    def _begin_round(self) -> None:
        self.tombs.put(self.persons, self._until_us(), {}, {})

    def _until_us(self) -> int:
        """Return up to when this run keeps the persons out; who came back later is new data."""
        return self.means.now_us() if self.reapplied is None else 0

    def _take_out(self, found: ErasureScan) -> None:
        number = self._own()[-1].number
        labels = [one for one in found.tables if one.table is self.lake.table("labels")]
        if self.scales is not None:
            for one in labels:
                doomed = AffectedLabels.of(one, found.wanted, self.means)
                relabel_traces(self.lake, self.scales, found.wanted, doomed, self.means)
        for done, one in enumerate(found.tables):
            where = one.place.path_of(one.table.name)
            self.progress(f"erasing from {where}", done, len(found.tables))
            remove_rows(one, found.wanted, number, self.searcher, self.means)

    def _name(self, wanted: ErasureScope) -> None:
        """Put what a look has learnt into a tombstone, and fence, unless it is in one."""
        traces = marks_of_traces(self.keys, wanted.traces | wanted.touched)
        feedback = marks_of_feedback(self.keys, wanted.feedback | wanted.remarks)
        known = self._marks()
        new = any(
            set(found) - known_marks.get(name, frozenset())
            for marks, known_marks in ((traces, known.traces), (feedback, known.feedback))
            for name, found in marks.items()
        )
        if new:
            self.tombs.put(self.persons, self._until_us(), traces, feedback)
            self._fence()

    def _fence(self) -> None:
        newest = self._try(
            "reading tombstones", lambda: tombstones.newest_tombstone(self.tombs.store)
        )
        for place in self.places:
            for table in place.tables.values():
                self.progress(f"fencing {place.path_of(table.name)}", 0, 0)
                ERASURE_FENCE.raise_to(table, newest, self.means)

    def _purged(self, wanted: ErasureScope) -> PurgeCounts:
        root = self.lake.location.files("")
        purge = LakePurge(
            root, self.places, self._versions(), self.searcher, self.means.retry, self.progress
        )
        return purge.run(wanted.at(self._places()))

    def _ended(
        self, found: ErasureScan, taken: Sequence[Mapping[str, Any]], purged: PurgeCounts
    ) -> ErasureOutcome:
        numbers = self._open()
        if not numbers:  # another run for the same persons was faster
            return self._shown(found.wanted)
        mine = [one for one in self._own() if one.number in numbers]
        body = receipt.build_receipt(
            erasures=numbers,
            until_us=max(one.until_us for one in mine),
            made_at_us=self.means.now_us(),
            subjects=self.persons.marks,
            commits=self._told(mine),
            releases=taken,
            not_looked_into=found.not_looked_into,
            reference=self.reference,
            lost_keys=self.without_keys,
        )
        number = max(numbers)
        kept = self.tombs.file(number, receipt.sign_receipt(body, Signer(self.keys[0].receipt)))
        return ErasureOutcome(number, kept, again=False, purged=purged, named=None)

    def _shown(self, wanted: ErasureScope) -> ErasureOutcome:
        purged = self._purged(wanted)
        number = max(one.number for one in self._own() if self.tombs.receipt(one.number))
        kept = self.tombs.receipt(number) or b""
        return ErasureOutcome(number, kept, again=True, purged=purged, named=None)

    def _own(self) -> list[Tombstone]:
        return self.tombs.of(self.persons)

    def _open(self) -> list[int]:
        """Return the numbers of the persons' tombstones that no receipt speaks of."""
        numbers = {one.number for one in self._own()}
        for number in sorted(numbers):
            kept = self.tombs.receipt(number)
            if kept is not None:
                numbers -= set(receipt.read_receipt(kept, f"the receipt {number}")[0]["erasures"])
        return sorted(numbers)

    def _wanted(self) -> ErasureScope:
        wanted = ErasureScope(self.persons, self._marks(), places=self._places())
        return wanted if self.reapplied is None else wanted.at(self.reapplied.records)

    def _marks(self) -> TombstoneMarks:
        own = self._own()
        events = event_marks_in_notes(said for _, _, said in self._told(own))
        return replace(collect_tombstone_marks(self.keys, own), events=events)

    def _places(self) -> Any:
        return coordinates_in_notes(said for _, _, said in self._told(self._own()))

    def _events(self) -> frozenset[str]:
        """Return the label events of which earlier versions put down the ids when they went."""
        return label_events_in_notes(said for _, _, said in self._told(self._own()))

    def _told(self, tombs: Sequence[Tombstone]) -> list[tuple[str, int, Any]]:
        step = partial(read_commit_notes, self.places, tombs)
        return self.means.retry.call("reading the logs", lambda: list(step()))

    def _versions(self) -> dict[str, int]:
        """Return at which version the last rows of a table went."""
        versions: dict[str, int] = {}
        for table, version, _ in self._told(self._own()):
            versions[table] = max(version, versions.get(table, 0))
        return versions

    def _doomed(self, found: ErasureScan) -> frozenset[str]:
        return frozenset().union(
            *(
                AffectedLabels.of(one, found.wanted, self.means).events
                for one in found.tables
                if one.table.name == "labels"
            )
        )

    def _apps(self) -> set[str]:
        apps: set[str] = set()
        for place in self.places:
            for table in place.named(["traces"]):
                table.refresh()
                for batch in table.batches(["app"]):
                    apps.update(batch.column("app").unique().to_pylist())
        return apps

    def _refuse_unfinished(self) -> None:
        sources = self._try("reading the logs", self._unfinished)
        if sources:
            raise UsageError(
                f"records of {', '.join(map(str, sources))} are on their way between quarantine "
                "and their table: finish that first, with `goldpan quarantine redrive` or "
                "`goldpan replay promote`, whichever was begun, then run `goldpan erase` again"
            )

    def _refuse_closed(self) -> None:
        count = self.searcher.closed(self._wanted()) if self.refuse_closed else 0
        if count:
            raise UsageError(
                f"{count} sealed payloads in quarantine cannot be opened, so nobody can tell whose "
                "they are: set GOLDPAN_REDACT__SEAL_KEY and its id to the key that sealed them, or "
                "say with --unopened whether to keep or to remove them"
            )

    def _unfinished(self) -> list[Any]:
        for table in self.places[0].tables.values():
            table.refresh()
        return list(find_unfinished_moves(self.lake))

    def _try(self, what: str, step: Any) -> Any:
        return self.means.retry.call(what, step)
