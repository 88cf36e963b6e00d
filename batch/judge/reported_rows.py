"""The rows of a run with their outcomes, kept outside of memory until they are added up.

Traces and clusters are kept as 8 bytes of a digest, in a scratch database. Rows that an estimate
need not tell apart are read back as one.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from batch.judge.reviewed_answers import ReviewedAnswer
from batch.scratch_database import ScratchDatabase
from judges.as_judged import JudgedSums, judged_sums
from judges.correction.units import JudgedUnit
from judges.outcome import JudgeAnswer, OutcomeCounts
from judges.weighted_rows import WeightedRow

_ROWS: Final = (
    "CREATE TABLE drawn (trace, cluster, outcome, reason, p_fail, epoch, chance, sampled)"
)
_REVIEWED: Final = "CREATE TABLE reviewed (trace INTEGER PRIMARY KEY)"
_PORTION: Final = 50_000


class ReportedRow(NamedTuple):
    """A judged row: its trace, how much it stands for, and its answer.

    ``is_sampled``: it counts in estimates.
    """

    trace_id: str
    weighted: WeightedRow
    answer: JudgeAnswer
    epoch: int
    is_sampled: bool = True


@dataclass(slots=True)
class ReportedRows:
    """All rows of a run."""

    not_sampled: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)
    _least_chance: float = field(default=1.0, init=False)
    _kept: ScratchDatabase = field(
        default_factory=lambda: ScratchDatabase(_ROWS, _REVIEWED), init=False, repr=False
    )

    @classmethod
    def of(cls, rows: Iterable[ReportedRow]) -> "ReportedRows":
        """Return these rows."""
        held = cls()
        for row in rows:
            held.add(row)
        return held

    def __len__(self) -> int:
        return self._count

    def add(self, row: ReportedRow) -> None:
        """Add a row."""
        answer, (chance, cluster) = row.answer, row.weighted
        belongs = f"alone {self._count}" if cluster is None else f"in {cluster}"
        self._kept.write(
            "INSERT INTO drawn VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    _short_digest(row.trace_id),
                    _short_digest(belongs),
                    answer.outcome,
                    answer.reason,
                    answer.p_fail,
                    row.epoch,
                    chance,
                    row.is_sampled,
                )
            ],
        )
        self._count += 1
        self.not_sampled += not row.is_sampled
        self._least_chance = min(self._least_chance, chance)

    def counts(self) -> OutcomeCounts:
        """Return the counts of all outcomes."""
        query = "SELECT outcome, reason, COUNT(*) FROM drawn GROUP BY outcome, reason"
        return OutcomeCounts.of_numbers({tuple(named): n for *named, n in self._kept.read(query)})

    def epochs(self) -> Mapping[int, int]:
        """Return how many rows were judged in which epoch."""
        query = "SELECT epoch, COUNT(*) FROM drawn GROUP BY epoch ORDER BY epoch"
        return dict(self._kept.read(query))

    def judged_sums(self) -> JudgedSums:
        """Return what the rate as judged is made of."""
        total = judged_sums([])
        for portion in _portions_of_clusters(
            self._kept.read(
                "SELECT cluster, outcome, reason, chance FROM drawn WHERE sampled ORDER BY cluster"
            )
        ):
            total += judged_sums(
                (JudgeAnswer(outcome, reason), WeightedRow(chance, str(cluster)))
                for cluster, outcome, reason, chance in portion
            )
        return total

    def units(self, reviewed: Mapping[str, ReviewedAnswer]) -> Iterator[JudgedUnit]:
        """Yield the rows that count in estimates, with the reviews of their traces.

        Outcomes of an earlier epoch are strata of their own: its model judged otherwise. Where all
        rows are judged (each with a probability of 1), those without a review come as few units.
        """
        newest = max(self.epochs(), default=0)
        by_digest = {_short_digest(trace_id): review for trace_id, review in reviewed.items()}
        self._kept.write(
            "INSERT OR IGNORE INTO reviewed VALUES (?)", ((digest,) for digest in by_digest)
        )
        alone = "WHERE sampled"
        if self._least_chance >= 1:
            alone += " AND trace IN (SELECT trace FROM reviewed)"
            yield from self._folded(newest)
        query = f"SELECT outcome, epoch, p_fail, trace, chance, cluster FROM drawn {alone}"  # noqa: S608
        for outcome, epoch, p_fail, trace, chance, cluster in self._kept.read(query):
            review = by_digest.get(trace)
            probability = None if review is None else review.probability
            yield JudgedUnit(
                outcome,
                None if review is None else review.good,
                None if probability is None else probability * chance,
                chance,
                str(cluster),
                p_fail,
                _stratum(outcome, epoch, newest),
            )

    def _folded(self, newest: int) -> Iterator[JudgedUnit]:
        """Yield one unit for all rows of an outcome and epoch that have no review."""
        query = (
            "SELECT outcome, epoch, AVG(p_fail), COUNT(*) FROM drawn WHERE sampled "
            "AND trace NOT IN (SELECT trace FROM reviewed) GROUP BY outcome, epoch, p_fail IS NULL"
        )
        for outcome, epoch, p_fail, rows in self._kept.read(query):
            stratum = _stratum(outcome, epoch, newest)
            yield JudgedUnit(outcome, p_fail=p_fail, stratum=stratum, rows=rows)


def _stratum(outcome: str, epoch: int, newest: int) -> str | None:
    return None if epoch == newest else f"{outcome} in epoch {epoch}"


def _portions_of_clusters(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield rows that are in order of their clusters in portions, each cluster in one of them."""
    portion: list[Any] = []
    for _, members in groupby(rows, key=itemgetter(0)):
        portion.extend(members)
        if len(portion) >= _PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _short_digest(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
