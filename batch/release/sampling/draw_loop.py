"""Draws repeatedly, fetching further cells and texts until no draw needs any more.

How often cells and texts are fetched does not affect the result: the draw is repeated until
everything that it reads is available, and depends on nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from batch.release.format.rows import TraceRow
from batch.release.sampling.allocation import Stratum
from batch.release.sampling.engine import SelectionEngine
from batch.release.sampling.near_duplicates import (
    MinHashSketches,
    NearDuplicateIndex,
    compared_texts,
)
from batch.release.sampling.row_fetcher import RowCoordinates
from batch.release.sampling.selection_query import hash_limit
from batch.release.sampling.stratified_draw import (
    NearDuplicateFinder,
    SamplingCell,
    StratumDraw,
    draw_strata,
)
from schemas.errors import FatalError

_SPARE: Final = 1.25  # cells fetched first, for each row that is to be drawn
_FETCHED_AT_ONCE: Final = 8  # the least number of texts of a stratum that are fetched at once
_GROWTH: Final = 4  # the factor by which more cells are fetched if those were not enough


@dataclass(frozen=True, slots=True)
class NamedTrace:
    """A trace that the spec names: its set, its cluster, and its coordinates."""

    trace_id: str
    drawn: str
    cluster: str
    coordinates: RowCoordinates


class FetchedRows:
    """The complete rows fetched so far, by trace id."""

    def __init__(self, engine: SelectionEngine) -> None:
        self._engine = engine
        self.rows: dict[str, TraceRow] = {}

    def fetch(self, coordinates: Sequence[RowCoordinates], *, anywhere: bool = False) -> None:
        """Fetch rows; FatalError if one is not where the query saw it."""
        fetched = 0
        for table in self._engine.fetch(set(coordinates), anywhere=anywhere):
            for row in table.to_pylist(maps_as_pydicts="strict"):
                self.rows[row["trace_id"]] = row
                fetched += 1
        if fetched != len(coordinates):
            raise FatalError(
                f"{len(coordinates)} rows of table traces were selected, but only {fetched} exist "
                "at their coordinates: `goldpan lake verify --deep` reports what is wrong"
            )


@dataclass(slots=True)
class DrawLoop:
    """One draw: the strata, how many rows each is to have, and the traces included beforehand."""

    strata: Sequence[Stratum]
    targets: Mapping[str, int]
    named: Sequence[NamedTrace]
    texts: FetchedRows
    sketches: MinHashSketches | None
    cells: dict[str, list[SamplingCell]] = field(default_factory=dict)

    def run(self, engine: SelectionEngine) -> list[StratumDraw]:
        """Draw, fetching cells until all strata have their rows or there are no more cells."""
        counts = {s.text: s.cells for s in self.strata}
        total = sum(self.targets.values()) + len(self.named)
        missing = {text: int(_SPARE * self.targets[text]) + 5 for text in counts}
        while True:
            limits = {text: hash_limit(count, counts[text]) for text, count in missing.items()}
            self.cells |= _by_stratum(engine.first_cells(limits), missing)
            draws = self._draw_with_texts()
            short = [draw.stratum for draw in draws if draw.short]
            # Others may have taken as many as there are rows in all: fetch that many more.
            missing = {
                s.text: min(s.cells, _GROWTH * len(self.cells[s.text]) + total)
                for s in short
                if len(self.cells[s.text]) < s.cells
            }
            if not missing:
                return draws

    def _draw_with_texts(self) -> list[StratumDraw]:
        """Draw, fetching texts until all those are available that the draw reads."""
        by_trace = {cell.trace_id: cell for cells in self.cells.values() for cell in cells}
        used = {trace.cluster for trace in self.named}
        missing: dict[str, None] = {}
        while True:
            missing.clear()
            draws = draw_strata(
                self.strata, self.targets, self.cells, used, lambda: self._finder(missing)
            )
            if not missing:
                return draws
            cells = self._with_next([by_trace[trace_id] for trace_id in missing])
            self.texts.fetch([RowCoordinates(c.topic, c.partition, c.offset) for c in cells])

    def _with_next(self, missing: Sequence[SamplingCell]) -> list[SamplingCell]:
        """Return cells whose text is missing, and those that may be read after them.

        Each fetch scans the lake, so the next one is for twice as many.
        """
        chosen = dict.fromkeys(missing)
        for text in {cell.stratum for cell in missing}:
            cells = self.cells[text]
            unread = [cell for cell in cells if cell.trace_id not in self.texts.rows]
            spare = int(_SPARE * self.targets[text])
            more = max(_FETCHED_AT_ONCE, spare, len(cells) - len(unread))
            chosen |= dict.fromkeys(unread[:more])
        return list(chosen)

    def _finder(self, missing: dict[str, None]) -> NearDuplicateFinder:
        """Return a finder of near-duplicates that adds traces without text to ``missing``."""
        index = NearDuplicateIndex(self.sketches) if self.sketches else None

        def find_duplicate(trace_id: str) -> str | None:
            if trace_id not in self.texts.rows:
                missing[trace_id] = None
            if index is None or missing:
                return None
            return index.add(trace_id, compared_texts(self.texts.rows[trace_id]))

        for trace in self.named:
            find_duplicate(trace.trace_id)
        return find_duplicate


def _by_stratum(
    cells: Sequence[SamplingCell], strata: Mapping[str, int]
) -> dict[str, list[SamplingCell]]:
    grouped: dict[str, list[SamplingCell]] = {text: [] for text in strata}
    for cell in cells:
        grouped[cell.stratum].append(cell)
    for group in grouped.values():
        group.sort(key=lambda cell: (cell.draw, cell.cluster))
    return grouped
