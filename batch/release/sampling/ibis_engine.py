"""Asks the questions of a selection as Ibis queries; a subclass says where they run."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final, cast

import pyarrow as pa

from batch.engines.unbound_tables import unbound_table
from batch.release.sampling import selection_query
from batch.release.sampling.allocation import Stratum
from batch.release.sampling.columns import stratum_values
from batch.release.sampling.engine import LabelRow, LocatedTrace
from batch.release.sampling.passes import rows_of_pass
from batch.release.sampling.row_fetcher import RowCoordinates
from batch.release.sampling.selection_query import rows_in
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.stratified_draw import CellSize, SamplingCell
from lake.snapshot import TableSnapshot
from schemas.times import shift_day

ALL_TRACES: Final = "all_traces"
ALL_LABELS: Final = "all_labels"
SYNTHETIC_TABLE: Final = "synthetic_rows"
_CLOCK_DAYS: Final = 2  # a label is older than its trace only if a clock is wrong

IDS: Final = pa.schema([("trace_id", pa.string())])
_LIMITS: Final = pa.schema([("stratum", pa.string()), ("below", pa.string())])
_CLUSTERS: Final = pa.schema([("cluster", pa.string())])


def cells_expression(spec: ReleaseSpec) -> Any:
    """Return the query up to the cells, over unbound tables ``traces`` and ``labels``."""
    candidates = selection_query.candidates(spec, unbound_table("traces"), unbound_table("labels"))
    return selection_query.cells(spec, candidates)


def label_days(spec: ReleaseSpec, labels: TableSnapshot) -> tuple[date, date] | None:
    """Return the days of the label events that a selection reads; None for all."""
    if labels.as_of is None:
        return None
    first, _ = spec.window.days
    return shift_day(first, -_CLOCK_DAYS), shift_day(labels.as_of.date(), _CLOCK_DAYS)


class IbisEngine(ABC):
    """The questions of one selection as queries over views ``traces`` and ``labels``."""

    def __init__(self, spec: ReleaseSpec, passes: int = 1) -> None:
        self._spec = spec
        self._passes = passes

    @abstractmethod
    def ask(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables."""

    @abstractmethod
    def _give(self, name: str, rows: pa.Table) -> Any:
        """Make a small table known under a name, and return it for queries."""

    @abstractmethod
    def _show_all(self, name: str) -> Any:
        """Make a whole table known under its name, which begins with ``all_``, and return it."""

    @abstractmethod
    def _rows_in_force(self, columns: Sequence[str]) -> Any:
        """Return a query for the rows in force of the window, with these columns."""

    @property
    @abstractmethod
    def labels_in_force(self) -> Any:
        """A query for the label event in force of each trace."""

    def _candidates(self, clusters: Any | None = None, number: int = 0, passes: int = 1) -> Any:
        """Return the candidates, or those of the clusters in a table, or those of one pass."""
        spec = self._spec
        rows = self._rows_in_force(selection_query.trace_columns(spec))
        if clusters is not None:
            rows = rows.mutate(cluster=selection_query.cluster_of(spec, rows))
            rows = rows_in(rows, clusters, ["cluster"]).drop("cluster")
        rows = rows_of_pass(rows, selection_query.cluster_of(spec, rows), number, passes)
        return selection_query.candidates_in_force(spec, rows, self.labels_in_force)

    def strata(self) -> list[Stratum]:
        """Return the strata that have cells, sorted by their text."""
        columns, passes = self._spec.strata, 1 if self._spec.one_per == "trace" else self._passes
        counted: dict[str, Counter[str]] = {}
        for number in range(passes):
            candidates = self._candidates(number=number, passes=passes)
            for row in self.ask(selection_query.strata(self._spec, candidates)):
                counts = {name: int(row[name]) for name in ("traces", "cells", "represents")}
                counted.setdefault(row["stratum"], Counter()).update(counts)
        return [
            Stratum(
                text,
                stratum_values(text, columns),
                counts["traces"],
                counts["cells"],
                counts["represents"] / selection_query.SAMPLING_UNITS,
            )
            for text, counts in sorted(counted.items())
        ]

    def first_cells(self, limits: Mapping[str, str | None]) -> list[SamplingCell]:
        """Return the cells of each stratum whose hash is below its limit."""
        if not limits:
            return []
        below = [limit or selection_query.ABOVE_ALL_HASHES for limit in limits.values()]
        given = pa.table({"stratum": list(limits), "below": below}, schema=_LIMITS)
        table = self._give("limits", given)
        rows = self.ask(selection_query.first_cells(self._spec, self._candidates(), table))
        return [
            SamplingCell(**{name.removeprefix("_"): value for name, value in row.items()})
            for row in rows
        ]

    def cells_of(self, clusters: Collection[str]) -> list[CellSize]:
        """Return the size of every cell of these clusters."""
        if not clusters:
            return []
        given = pa.table({"cluster": sorted(clusters)}, schema=_CLUSTERS)
        table = self._give("chosen_clusters", given)
        rows = self.ask(selection_query.cells_of(self._candidates(table)))
        return [CellSize(**row) for row in rows]

    def labels_of(self, trace_ids: Sequence[str]) -> dict[str, LabelRow]:
        """Return the label events in force of these traces; they may be older than the window."""
        labels = self._show_all(ALL_LABELS)
        given = pa.table({"trace_id": list(trace_ids)}, schema=IDS)
        table = self._give("chosen_traces", given)
        rows = self.ask(selection_query.labels_of(labels, table))
        return {row["trace_id"]: cast("LabelRow", row) for row in rows}

    def named(self) -> dict[str, LocatedTrace]:
        """Return the traces that the spec names, by their id, as far as they exist."""
        if not self._spec.named:
            return {}
        traces = self._show_all(ALL_TRACES)
        rows = self.ask(selection_query.named_traces(self._spec, traces))
        return {
            row["trace_id"]: LocatedTrace(
                row["trace_id"],
                row["_policy"],
                row["cluster"],
                RowCoordinates(row["_topic"], row["_partition"], row["_offset"]),
            )
            for row in rows
        }

    def strata_of(self, rows: pa.Table) -> dict[str, str]:
        """Return the text of the stratum of each synthetic row that meets the spec's `where`.

        ``rows`` have the columns of traces, and those that come from the label event.
        """
        table = self._give(SYNTHETIC_TABLE, rows)
        strata = self.ask(selection_query.synthetic_strata(self._spec, table))
        return {row["trace_id"]: row["stratum"] for row in strata}

    def policies(self) -> dict[str, int]:
        """Return how many traces of the window were stored under each redaction policy."""
        rows = self.ask(selection_query.count_by_policy(self._spec, unbound_table("traces")))
        return {row["_policy"]: row["traces"] for row in sorted(rows, key=lambda r: r["_policy"])}
