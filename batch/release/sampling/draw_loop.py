"""Draws with as many cells and as many texts as it takes.

How often cells are asked for and texts are fetched does not matter for what comes out: the drawing
is begun anew until everything that it looks at is known, and is a function of that alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from batch.release.format.rows import TRACE_COLUMNS
from batch.release.sampling.allocation import Stratum
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.near_duplicates import (
    MinHashSketches,
    NearDuplicateIndex,
    compared_texts,
)
from batch.release.sampling.row_fetcher import RowCoordinates, fetch_rows
from batch.release.sampling.selection_query import hash_limit
from batch.release.sampling.stratified_draw import (
    NearDuplicateFinder,
    SamplingCell,
    StratumDraw,
    cell_from_row,
    draw_strata,
)
from schemas.errors import FatalError

_SPARE: Final = 1.25  # cells asked for at first, for each that is wanted
_AT_ONCE: Final = 8  # texts of a stratum that are fetched at once, or more
_MORE: Final = 4  # times as many, where those were not enough


@dataclass(frozen=True, slots=True)
class NamedTrace:
    """A trace that the spec names: in which set, its cluster, and where it is."""

    trace_id: str
    drawn: str
    cluster: str
    at: RowCoordinates


class FetchedRows:
    """The whole rows that have been fetched so far, by trace id."""

    def __init__(self, window: Any, everything: Any) -> None:
        self._window = window
        self._everything = everything
        self.rows: dict[str, dict[str, Any]] = {}

    def add(self, wanted: Sequence[RowCoordinates], *, anywhere: bool = False) -> None:
        """Fetch rows; FatalError if one is not where the query saw it."""
        dataset = self._everything if anywhere else self._window
        found = 0
        for table in fetch_rows(dataset, set(wanted), TRACE_COLUMNS):
            for row in table.to_pylist(maps_as_pydicts="strict"):
                self.rows[row["trace_id"]] = row
                found += 1
        if found != len(wanted):
            raise FatalError(
                f"{len(wanted)} rows of table traces were selected, but {found} found again at "
                "their coordinates: `goldpan lake verify --deep` tells what is wrong with the lake"
            )


@dataclass(slots=True)
class DrawLoop:
    """One drawing: the strata, how many rows each shall have, and what is in beforehand."""

    strata: Sequence[Stratum]
    wanted: Mapping[str, int]
    named: Sequence[NamedTrace]
    texts: FetchedRows
    sketches: MinHashSketches | None
    cells: dict[str, list[SamplingCell]] = field(default_factory=dict)

    def run(self, engine: SelectionEngine) -> list[StratumDraw]:
        """Draw, asking the engine for cells until all strata have their rows, or no more cells."""
        counts = {s.text: s.cells for s in self.strata}
        total = sum(self.wanted.values()) + len(self.named)
        missing = {text: int(_SPARE * self.wanted[text]) + 5 for text in counts}
        while True:
            below = {text: hash_limit(number, counts[text]) for text, number in missing.items()}
            self.cells |= _by_stratum(engine.first_cells(below), missing)
            shares = self._with_texts()
            short = [share.stratum for share in shares if share.short]
            # Others may have taken as many as there are rows in all: ask for that many more.
            missing = {
                s.text: min(s.cells, _MORE * len(self.cells[s.text]) + total)
                for s in short
                if len(self.cells[s.text]) < s.cells
            }
            if not missing:
                return shares

    def _with_texts(self) -> list[StratumDraw]:
        """Draw, fetching texts until all are there that the drawing looks at."""
        known = {one.trace_id: one for listed in self.cells.values() for one in listed}
        taken = {one.cluster for one in self.named}
        missing: dict[str, None] = {}
        while True:
            missing.clear()
            shares = draw_strata(
                self.strata, self.wanted, self.cells, taken, lambda: self._near(missing)
            )
            if not missing:
                return shares
            found = self._with_next([known[trace_id] for trace_id in missing])
            self.texts.add([RowCoordinates(c.topic, c.partition, c.offset) for c in found])

    def _with_next(self, missing: Sequence[SamplingCell]) -> list[SamplingCell]:
        """Return cells whose text is missing, and those that may be looked at after them.

        Each reading goes over the lake, so the next one is for twice as many.
        """
        chosen = dict.fromkeys(missing)
        for text in {one.stratum for one in missing}:
            cells = self.cells[text]
            unread = [one for one in cells if one.trace_id not in self.texts.rows]
            more = max(_AT_ONCE, int(_SPARE * self.wanted[text]), len(cells) - len(unread))
            chosen |= dict.fromkeys(unread[:more])
        return list(chosen)

    def _near(self, missing: dict[str, None]) -> NearDuplicateFinder:
        """Return what says which row a drawn trace is a near-duplicate of; notes missing texts."""
        index = NearDuplicateIndex(self.sketches) if self.sketches else None

        def near(trace_id: str) -> str | None:
            if trace_id not in self.texts.rows:
                missing[trace_id] = None
            if index is None or missing:
                return None
            return index.add(trace_id, compared_texts(self.texts.rows[trace_id]))

        for one in self.named:
            near(one.trace_id)
        return near


def _by_stratum(
    rows: Sequence[Mapping[str, Any]], asked: Mapping[str, int]
) -> dict[str, list[SamplingCell]]:
    found: dict[str, list[SamplingCell]] = {text: [] for text in asked}
    for row in rows:
        found[row["stratum"]].append(cell_from_row(row))
    for cells in found.values():
        cells.sort(key=lambda one: (one.draw, one.cluster))
    return found
