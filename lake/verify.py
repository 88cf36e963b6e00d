"""The proof, from the transaction logs alone, that every record is in the lake exactly once.

It reaches up to the position of each partition: what the topics hold beyond these, Kafka alone can
say (`stream.held`), and of a partition that was never begun nothing is said at all.

For each source partition, in each incarnation of its topic: the ranges of the primary table follow
one another without gap or overlap up to the position, each range obeys the conservation laws
(`lake.ledger`), the number of rows in the files is the number that the ranges stored, and
quarantine holds what the ranges say was set aside. Rows that have expired, or were erased, are
counted by the commits that took them out. For labels see `lake.label_proofs`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow.compute as pc

from lake.coordinates import Expected, misplaced
from lake.label_proofs import label_problems
from lake.ledger import (
    EntryKind,
    LoggedEntry,
    Source,
    SourceRange,
    brought,
    erased,
    expired,
    left_quarantine,
)
from lake.tables import Lake, Table
from schemas.arrow import AUDIT, LABELS, PRIMARY_TABLES, QUARANTINE, REVIEWS


@dataclass(frozen=True, slots=True)
class PartitionProof:
    """What the log says of one source partition: offsets ``[start, end)`` and where they went.

    ``stored`` and ``quarantined`` are where the records are *now*: a record that was re-driven out
    of quarantine counts as stored, one that has expired in either of the two as ``expired``, and
    likewise ``erased``; ``dropped`` are those that were never in a table. ``begun`` is where the
    incarnation of the topic begins that the position belongs to, without adoptions the ``start``.
    """

    topic: str
    partition: int
    start: int
    end: int
    consumed: int = 0
    stored: int = 0
    quarantined: int = 0
    dropped: int = 0
    skipped: int = 0
    expired: int = 0
    erased: int = 0
    begun: int = 0

    def to_json(self) -> dict[str, int | str]:
        """Return the row as `goldpan lake verify --json` prints it.

        There ``dropped`` has all that is in no table for a reason that has a name, expired and
        erased records too, so that consumed = stored + quarantined + dropped whatever was done.
        """
        return {
            "topic": self.topic,
            "partition": self.partition,
            "from": self.start,
            "to": self.end,
            "consumed": self.consumed,
            "stored": self.stored,
            "quarantined": self.quarantined,
            "dropped": self.dropped + self.expired + self.erased,
            "skipped": self.skipped,
            "expired": self.expired,
            "erased": self.erased,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a verification; ``problems`` is empty exactly if all laws hold."""

    partitions: Sequence[PartitionProof]
    problems: Sequence[str]

    @property
    def ok(self) -> bool:
        """Return whether everything holds."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return the report as `goldpan lake verify --json` prints it."""
        return {
            "ok": self.ok,
            "partitions": [p.to_json() for p in self.partitions],
            "problems": list(self.problems),
        }


@dataclass(slots=True)
class _Chain:
    """The ranges of one source partition, in the order of their commits."""

    proof: PartitionProof
    problems: list[str] = field(default_factory=list)
    spans: list[range] = field(default_factory=list)

    @classmethod
    def begin(cls, source: Source, offset: int) -> "_Chain":
        """Begin at an offset, with nothing in it."""
        proof = PartitionProof(source.topic, source.partition, offset, offset, begun=offset)
        return cls(proof, spans=[range(offset, offset)])

    def adopt(self, offset: int) -> None:
        """Go on from where a person said to: another incarnation counts its offsets anew."""
        self.proof = replace(self.proof, end=offset, begun=offset)
        self.spans.append(range(offset, offset))

    def add(self, item: SourceRange, where: str) -> None:
        expected = self.proof.end
        if item.start > expected:
            gap = item.start - expected
            self.problems.append(
                f"{item.source}: {gap} offsets from {expected} are in no commit ({where})"
            )
        if item.start < expected:
            twice = min(expected, item.end) - item.start
            self.problems.append(
                f"{item.source}: {twice} offsets from {item.start} came twice ({where})"
            )
        self.problems += [f"{law} ({where})" for law in item.broken_laws()]
        old = self.proof
        self.proof = replace(
            old,
            end=max(expected, item.end),
            consumed=old.consumed + item.consumed,
            stored=old.stored + item.stored,
            quarantined=old.quarantined + item.quarantined,
            dropped=old.dropped + sum(item.dropped.values()),
            skipped=old.skipped + sum(item.skipped.values()),
        )
        self.spans[-1] = range(self.spans[-1].start, self.proof.end)


def verify(lake: Lake, *, deep: bool = False) -> Report:
    """Check every law on every table.

    ``deep`` also reads the coordinates of all rows; see `lake.coordinates`.
    Raises RetryableError or FatalError if the lake cannot be read.
    """
    # Quarantine is read last: it is committed first, so whatever a primary range says was set aside
    # is in the snapshot of quarantine that is taken after that of the primary table.
    # Labels are read first, since they are committed last.
    tables = {name: lake.table(name) for name in (*PRIMARY_TABLES, QUARANTINE)}
    labels = lake.table(LABELS)
    labels.refresh()
    for name in PRIMARY_TABLES:
        tables[name].refresh()
    tables[QUARANTINE].refresh()
    aside_ledger = tables[QUARANTINE].ledger()
    set_aside = _by_source(aside_ledger)
    old_aside, forgotten_aside = _gone(aside_ledger)
    proofs: list[PartitionProof] = []
    problems: list[str] = []
    for name in PRIMARY_TABLES:
        ledger = tables[name].ledger()
        chains, found = _chains(tables[name], ledger)
        problems += found
        redriven = _redriven(ledger)
        old, forgotten = _gone(ledger)
        aside = tables[QUARANTINE].positions(list(chains))
        for source, chain in chains.items():
            problems += chain.problems
            moved = redriven.get(source, 0)
            proof = chain.proof
            if (aside[source] or 0) < proof.end:
                problems.append(
                    f"{source}: the position in quarantine is {aside[source]}, behind {proof.end} "
                    f"in table {name}: it is committed first and cannot be behind"
                )
            problems += _against_quarantine(chain, set_aside.get(source, []), moved)
            left = old_aside[source] + forgotten_aside[source]
            proofs.append(
                replace(
                    proof,
                    stored=proof.stored + moved - old[source] - forgotten[source],
                    quarantined=proof.quarantined - moved - left,
                    expired=old[source] + old_aside[source],
                    erased=forgotten[source] + forgotten_aside[source],
                )
            )
        problems += _against_files(tables[name], [p for p in proofs if p.topic in _topics(chains)])
        if deep:
            away = {s: redriven.get(s, 0) + old_aside[s] + forgotten_aside[s] for s in chains}
            expected = {
                source: Expected(chain.spans, chain.proof.quarantined - away[source])
                for source, chain in chains.items()
            }
            problems += misplaced(tables[name], tables[QUARANTINE], expected)
    problems += _quarantine_rows(tables[QUARANTINE], set_aside)
    ends = {Source(proof.topic, proof.partition): proof.end for proof in proofs}
    problems += label_problems(labels, ends, deep=deep)
    problems += [p for name in (AUDIT, REVIEWS) for p in _count_problems(lake.table(name))]
    return Report(sorted(proofs, key=lambda p: (p.topic, p.partition)), problems)


def _count_problems(table: Table) -> list[str]:
    """Compare the rows of a table with what its commits say they brought."""
    table.refresh()
    told = sum(
        brought(logged.entry.kind, item)
        for logged in table.ledger()
        for item in logged.entry.ranges
    )
    rows = _row_count(table)
    return [] if rows == told else [f"table {table.name}: {rows} rows, but its commits told {told}"]


def _row_count(table: Table) -> int:
    active = table.active_files()
    return int(pc.sum(active["num_records"]).as_py() or 0) if len(active) else 0


def _topics(chains: Mapping[Source, _Chain]) -> set[str]:
    return {source.topic for source in chains}


def _chains(table: Table, ledger: Iterable[LoggedEntry]) -> tuple[dict[Source, _Chain], list[str]]:
    chains: dict[Source, _Chain] = {}
    problems: list[str] = []
    for logged in ledger:
        where = f"table {table.name}, version {logged.table_version}"
        for item in logged.entry.ranges:
            if logged.entry.kind is EntryKind.ADOPT:
                chains.setdefault(item.source, _Chain.begin(item.source, item.end)).adopt(item.end)
            elif logged.entry.kind is EntryKind.FLUSH:
                chains.setdefault(item.source, _Chain.begin(item.source, item.start)).add(
                    item, where
                )
    for source, position in table.positions(list(chains)).items():
        end = chains[source].proof.end
        if position != end:
            problems.append(
                f"{source}: the position in table {table.name} is {position}, "
                f"but its commits end at {end}"
            )
    return chains, problems


def _redriven(ledger: Iterable[LoggedEntry]) -> dict[Source, int]:
    counts: dict[Source, int] = defaultdict(int)
    for logged in ledger:
        for item in logged.entry.ranges:
            counts[item.source] += left_quarantine(logged.entry.kind, item)
    return counts


def _gone(ledger: Iterable[LoggedEntry]) -> tuple[Counter[Source], Counter[Source]]:
    """Return how many rows of each partition have expired, and how many were erased."""
    old, forgotten = Counter[Source](), Counter[Source]()
    for logged in ledger:
        for item in logged.entry.ranges:
            old[item.source] += expired(logged.entry.kind, item)
            forgotten[item.source] += erased(logged.entry.kind, item)
    return old, forgotten


def _by_source(
    ledger: Iterable[LoggedEntry],
) -> dict[Source, list[tuple[EntryKind, SourceRange]]]:
    found: dict[Source, list[tuple[EntryKind, SourceRange]]] = defaultdict(list)
    for logged in ledger:
        for item in logged.entry.ranges:
            found[item.source].append((logged.entry.kind, item))
    return found


def _against_quarantine(
    chain: _Chain, set_aside: Sequence[tuple[EntryKind, SourceRange]], redriven: int
) -> list[str]:
    """Compare with the quarantine table, which may be ahead of the primary by one flush."""
    proof, source = chain.proof, Source(chain.proof.topic, chain.proof.partition)
    flushed = [item for kind, item in set_aside if kind is EntryKind.FLUSH]
    possible = sum(item.quarantined for item in flushed)
    certain = _certain(chain.spans, set_aside)
    problems = []
    if not certain <= proof.quarantined <= possible:
        problems.append(
            f"{source}: {proof.quarantined} records were set aside, "
            f"but quarantine holds {certain if certain == possible else f'{certain} to {possible}'}"
        )
    taken_out = sum(left_quarantine(kind, item) for kind, item in set_aside)
    if taken_out != redriven:
        problems.append(
            f"{source}: {redriven} records were brought from quarantine to their table, but "
            f"{taken_out} were taken out of quarantine: run `goldpan quarantine redrive` again (or "
            "`goldpan replay promote`, if that was begun), it finishes what was begun"
        )
    return problems


def _certain(spans: Sequence[range], set_aside: Sequence[tuple[EntryKind, SourceRange]]) -> int:
    """Count what was set aside of offsets that the primary table has passed, life by life."""
    count = life = 0
    for kind, item in set_aside:
        if kind is EntryKind.ADOPT:
            life += 1
        elif kind is EntryKind.FLUSH and life < len(spans):
            passed = spans[life].start <= item.start and item.end <= spans[life].stop
            count += item.quarantined if passed else 0
    return count


def _quarantine_rows(
    table: Table, set_aside: Mapping[Source, Sequence[tuple[EntryKind, SourceRange]]]
) -> list[str]:
    """Compare the rows of quarantine with what its commits say they brought and took out."""
    told = sum(
        item.quarantined
        if kind is EntryKind.FLUSH
        else -left_quarantine(kind, item) - expired(kind, item) - erased(kind, item)
        for items in set_aside.values()
        for kind, item in items
    )
    rows = _row_count(table)
    return [] if rows == told else [f"table {table.name}: {rows} rows, but its commits told {told}"]


def _against_files(table: Table, proofs: Sequence[PartitionProof]) -> list[str]:
    active = table.active_files()
    if not len(active):
        rows = 0
    elif active["num_records"].null_count:
        return [f"table {table.name}: some files do not say how many rows they hold"]
    else:
        rows = pc.sum(active["num_records"]).as_py()
    stored = sum(p.stored for p in proofs)
    if rows == stored:
        return []
    return [f"table {table.name}: its files hold {rows} rows, but its commits stored {stored}"]
