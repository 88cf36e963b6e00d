"""The proof, from the transaction logs, that every record is in the lake exactly once.

It reaches up to the position of each partition: what the topics hold beyond these, Kafka alone can
say (`stream.held`), and of a partition that was never begun nothing is said at all.

All is read in one cut (`lake.cut`). For each source partition the ranges hold
(`lake.range_proofs`), the number of rows in the files is the number that the ranges stored, and
quarantine holds what the ranges say was set aside. Rows that have expired, or were erased, are
counted by the commits that took them out. For labels see `lake.label_proofs`, for what commits say
of other tables `lake.others`, for the files that must lie there `lake.laid`. A deep proof looks
into the files (`lake.deep`), and walks the audit (`lake.audit_proofs`).

What is wrong is a problem, found at once; what cannot be read for now leaves the proof unfinished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from lake import head as heads
from lake.audit_proofs import audit_problems
from lake.coordinates import Expected, misplaced
from lake.cut import Cut, Seen, take
from lake.deep import Deep, Looked, MovedError, look, still_there
from lake.hashes import Recorded, recorded
from lake.head import Head
from lake.label_proofs import label_problems, row_problems
from lake.laid import laid_problems
from lake.ledger import EntryKind, Source, SourceRange, brought, erased, expired, left_quarantine
from lake.log import DamagedLogError
from lake.others import audit_problems as promised_audit
from lake.others import promised_versions
from lake.range_proofs import (
    PartitionProof,
    against_quarantine,
    by_source,
    chains_of,
    count_problems,
    gone,
    position_problems,
    redriven,
)
from lake.retry import Retry, ask
from lake.tables import LAYOUTS, Lake
from schemas.arrow import AUDIT, LABELS, PRIMARY_TABLES, QUARANTINE, REVIEWS
from schemas.errors import FatalError, RetryableError

_CUTS: Final = 5  # taken at most, where files are removed all the time
_QUICK: Final = Deep()


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification; ``problems`` is empty exactly if all laws hold.

    ``versions`` are those of the tables that were read, by name. ``files`` is what a look into them
    found, None without one. ``unfinished`` says what could not be read, None if all could.
    """

    partitions: Sequence[PartitionProof]
    problems: Sequence[str]
    versions: Mapping[str, int] = field(default_factory=dict)
    head: Head | None = None
    files: Looked | None = None
    unfinished: str | None = None

    @property
    def ok(self) -> bool:
        """Return whether everything holds."""
        return not self.problems and self.unfinished is None

    def to_json(self) -> dict[str, Any]:
        """Return the report as `goldpan lake verify --json` prints it."""
        body: dict[str, Any] = {
            "ok": self.ok,
            "partitions": [p.to_json() for p in self.partitions],
            "problems": list(self.problems),
            "versions": dict(self.versions),
        }
        if self.files is not None:
            body["files"] = {
                "hashed": self.files.hashed,
                "unproved": len(self.files.unproved),
                "unproved_paths": self.files.unproved,
                "not_chosen": self.files.passed,
            }
        if self.unfinished is not None:
            body["unfinished"] = self.unfinished
        return body


def verify(
    lake: Lake,
    *,
    deep: bool = False,
    how: Deep = _QUICK,
    since: Head | None = None,
    retry: Retry | None = None,
) -> Report:
    """Check every law on every table.

    ``deep`` also looks into the files, as ``how`` says. ``since`` is a head of before, which the
    tables must continue.

    Raises FatalError if there is no lake, and no head that says that there was one. A store that
    does not answer in the time that ``retry`` allows leaves the report unfinished; without one, it
    raises RetryableError.
    """
    left = _CUTS
    while True:
        left -= 1
        try:
            cut = take(lake, retry)
            if since is None and len(cut.missing) == len(LAYOUTS) and not cut.problems:
                lake.table(next(iter(LAYOUTS)))  # says that none is there
            return _Proof(lake, cut, deep, how, since, retry).report()
        except MovedError:
            if not left:
                raise


class _Proof:
    """One attempt, over one cut; gathers what it finds."""

    def __init__(  # noqa: PLR0913, PLR0917 - what `verify` was given
        self,
        lake: Lake,
        cut: Cut,
        deep: bool,  # noqa: FBT001
        how: Deep,
        since: Head | None,
        retry: Retry | None,
    ) -> None:
        self.lake, self.cut, self.retry = lake, cut, retry
        self.deep, self.how, self.since = deep, how, since
        self.problems: list[str] = list(cut.problems)
        self.proofs: list[PartitionProof] = []
        self.unfinished = cut.unfinished
        self.looked: Looked | None = None
        self.expected: dict[str, dict[Source, Expected]] = {}

    def report(self) -> Report:
        """Check everything; MovedError if a file went while it was wanted."""
        for step in (self._logs, self._laid, self._files):
            try:
                if self.unfinished is None:
                    step()
            except MovedError:
                raise
            except DamagedLogError as error:
                self.problems.append(str(error))
            except (RetryableError, FatalError) as error:
                if self.retry is None:
                    raise
                self.unfinished = str(error)
        return Report(
            sorted(self.proofs, key=lambda p: (p.topic, p.partition)),
            self.problems,
            self.cut.versions,
            heads.of_cut(self.cut),
            self.looked,
            self.unfinished,
        )

    def _logs(self) -> None:
        """Check what the logs say against one another."""
        tables = self.cut.tables
        primaries = [tables[name] for name in PRIMARY_TABLES if name in tables]
        aside = tables.get(QUARANTINE)
        for seen in primaries:
            self._primary(seen, aside)
        if aside is not None:
            self.problems += [
                *position_problems(aside),
                *count_problems(aside, _told(aside, _aside)),
            ]
        if LABELS in tables and len(primaries) == len(PRIMARY_TABLES):
            ends = {Source(proof.topic, proof.partition): proof.end for proof in self.proofs}
            self.problems += label_problems(tables[LABELS], ends)
        for name in (AUDIT, REVIEWS):
            if name in tables:
                self.problems += count_problems(tables[name], _told(tables[name], brought))
        if AUDIT in tables:
            self.problems += position_problems(tables[AUDIT])
            self.problems += promised_audit(primaries, tables[AUDIT])
        self.problems += self._promised(primaries)
        if self.since is not None:
            self.problems += heads.problems_since(self.since, self.cut)

    def _primary(self, seen: Seen, aside: Seen | None) -> None:
        """Check one primary table, and quarantine as far as it is about its topics."""
        chains, found = chains_of(seen)
        self.problems += found
        moved_of, (old, forgotten) = redriven(seen.ledger), gone(seen.ledger)
        set_aside = by_source(aside.ledger) if aside else {}
        old_aside, forgotten_aside = gone(aside.ledger if aside else [])
        positions = aside.positions(list(chains)) if aside else {}
        whole = seen.whole and aside is not None and aside.whole
        mine: list[PartitionProof] = []
        for source, chain in chains.items():
            self.problems += chain.problems
            moved, proof = moved_of.get(source, 0), chain.proof
            if aside and (positions[source] or 0) < proof.end:
                self.problems.append(
                    f"{source}: the position in quarantine is {positions[source]}, behind "
                    f"{proof.end} in table {seen.name}: it is committed first and cannot be behind"
                )
            if whole:
                self.problems += against_quarantine(chain, set_aside.get(source, []), moved)
            left = old_aside[source] + forgotten_aside[source]
            mine.append(
                replace(
                    proof,
                    stored=proof.stored + moved - old[source] - forgotten[source],
                    quarantined=proof.quarantined - moved - left,
                    expired=old[source] + old_aside[source],
                    erased=forgotten[source] + forgotten_aside[source],
                )
            )
        self.proofs += mine
        self.problems += _against_files(seen, mine)
        self.expected[seen.name] = {
            source: Expected(
                chain.spans,
                chain.proof.quarantined
                - moved_of.get(source, 0)
                - old_aside[source]
                - forgotten_aside[source],
                whole=whole,
            )
            for source, chain in chains.items()
        }

    def _promised(self, primaries: Sequence[Seen]) -> list[str]:
        """Compare the versions that commits speak of with those of now: logs only grow."""
        problems = []
        for name, (version, where) in sorted(promised_versions(primaries).items()):
            seen = self.cut.tables.get(name)
            if seen is None or seen.version >= version:
                continue
            handle = ask(self.retry, f"opening table {name}", partial(self.lake.handle, name))
            if handle.version() < version:
                problems.append(
                    f"table {name} is at version {handle.version()}, but was at {version} when "
                    f"{where} was committed: commits were taken away, or the table was made again"
                )
        return problems

    def _laid(self) -> None:
        """Check that the files lie there."""
        for name, seen in self.cut.tables.items():
            here = partial(still_there, self.lake, name)
            step = partial(laid_problems, seen, here)
            self.problems += ask(self.retry, f"listing table {name}", step)

    def _files(self) -> None:
        """Check what the logs say of hashes, and, for a deep proof, look into the files."""
        said: dict[str, dict[str, Recorded]] = {}
        for name, seen in self.cut.tables.items():
            said[name], found = recorded(seen.commits, table=name)
            self.problems += found
        if not self.deep:
            return
        self.looked = look(self.lake, self.cut.tables, said, self.how, self.retry)
        self.problems += [p for p in self.looked.problems if p not in self.problems]
        self.unfinished = self.looked.unfinished
        if self.unfinished is None:
            self._rows(self.looked)

    def _rows(self, looked: Looked) -> None:
        """Check the laws about rows."""
        tables, rows = self.cut.tables, looked.rows
        for name, expected in self.expected.items():
            if QUARANTINE in rows:
                self.problems += misplaced(name, rows[name], rows[QUARANTINE], expected)
        if LABELS in rows:
            self.problems += row_problems(tables[LABELS], rows[LABELS])
        if AUDIT in rows and self.how.audit is not None:
            self.problems += audit_problems(tables[AUDIT], rows[AUDIT], self.how.audit)


def _told(seen: Seen, brings: Callable[[EntryKind, SourceRange], int]) -> int:
    """Return how many rows a table has by its commits; ``brings`` says how many a range brought."""
    return sum(
        brings(logged.entry.kind, item) for logged in seen.ledger for item in logged.entry.ranges
    )


def _aside(kind: EntryKind, item: SourceRange) -> int:
    if kind is EntryKind.FLUSH:
        return item.quarantined
    return -left_quarantine(kind, item) - expired(kind, item) - erased(kind, item)


def _against_files(seen: Seen, proofs: Sequence[PartitionProof]) -> list[str]:
    if any(rows is None for _, _, rows in seen.files.values()):
        return [f"table {seen.name}: some files do not say how many rows they hold"]
    stored = sum(p.stored for p in proofs)
    if seen.rows == stored or not seen.whole:
        return []
    return [f"table {seen.name}: its files hold {seen.rows} rows, but its commits stored {stored}"]
