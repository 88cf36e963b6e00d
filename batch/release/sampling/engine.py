"""What a selection asks of the engine that runs its queries, whichever that is."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypedDict

import pyarrow as pa

from batch.release.sampling.allocation import Stratum
from batch.release.sampling.row_fetcher import RowCoordinates
from batch.release.sampling.stratified_draw import CellSize, SamplingCell


class LabelRow(TypedDict):
    """The label event in force of a trace."""

    label_event_id: str
    trace_id: str
    revision: int
    label: str
    p_fail: float
    expected_response: str | None
    route: str
    policy_version: str
    decided_at: datetime


class LocatedTrace(NamedTuple):
    """A trace that the spec names, with its redaction policy, cluster and coordinates."""

    trace_id: str
    policy: str
    cluster: str
    coordinates: RowCoordinates


class SelectionEngine(Protocol):
    """Answers the questions of one selection, over two tables at one version each.

    All engines give the same answers, so the bytes of a release do not depend on which one ran.
    Questions raise the errors of the lake, UsageError for files that are missing, and FatalError or
    RetryableError if the engine fails.
    """

    @property
    def is_assembled(self) -> bool:
        """Whether the view ``traces`` has the rows in force only, one of each trace."""

    @property
    def repeated_traces(self) -> Any | None:
        """A query for the ids that have several rows in view ``traces``; None if there are none."""

    @property
    def labels_in_force(self) -> Any:
        """A query for the label event in force of each trace."""

    def strata(self) -> list[Stratum]:
        """Return the strata that have cells, sorted by their text."""

    def first_cells(self, limits: Mapping[str, str | None]) -> list[SamplingCell]:
        """Return the cells of each stratum whose hash is below its limit."""

    def cells_of(self, clusters: Collection[str]) -> list[CellSize]:
        """Return the size of every cell of these clusters."""

    def labels_of(self, trace_ids: Sequence[str]) -> dict[str, LabelRow]:
        """Return the label events in force of these traces; they may be older than the window."""

    def named(self) -> dict[str, LocatedTrace]:
        """Return the traces that the spec names, by their id, as far as they exist."""

    def strata_of(self, rows: pa.Table) -> dict[str, str]:
        """Return the text of the stratum of each synthetic row that meets the spec's `where`.

        ``rows`` have the columns of traces, and those that come from the label event.
        """

    def policies(self) -> dict[str, int]:
        """Return how many traces of the window were stored under each redaction policy."""

    def fetch(
        self, coordinates: Collection[RowCoordinates], *, anywhere: bool = False
    ) -> list[pa.Table]:
        """Return the rows that exist at coordinates, in the days of the window or ``anywhere``."""

    def ask(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows of a query over the lake's tables (`batch.engines.unbound_tables`)."""
