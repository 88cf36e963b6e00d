"""The rows that a run judges: of a release, of a window of the lake, or of a file of JSON lines."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import inf
from pathlib import Path
from typing import Any, Final

from batch.assembled_rows import has_assembled_rows
from batch.bounded_duckdb import connect_duckdb, temp_dir, temp_root
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import SAMPLE
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from batch.scratch_database import NumberedIds
from batch.traces_in_force_view import create_plain_traces_view, create_traces_view
from judges.judged_row import BadRowError, JudgedRow, judged_row_of
from judges.judgement import JudgementArm
from judges.weighted_rows import WeightedRow
from lake.retry import Retry
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.arrow import record_schema
from schemas.contract import CONTRACTS
from schemas.errors import UsageError
from schemas.json_lines import skip_byte_order_mark
from schemas.records import Trace
from schemas.surrogates import replace_lone_surrogates

_ROWS: Final = 256
_DUCKDB_BYTES: Final = 512 * 2**20
_TRACE_COLUMNS: Final = (*record_schema(CONTRACTS["trace"]).names, "revision")
MAX_ID: Final = 512


@dataclass(frozen=True, slots=True, repr=False)
class JudgeSubject:
    """A row to judge, why, and how much it stands for. ``cluster`` is its conversation.

    ``is_sampled``: it was drawn, and counts in estimates. Rows that a spec names, and synthetic
    ones, are judged and count in none.
    """

    row: JudgedRow
    arm: JudgementArm
    release: str | None = None
    probability: float = 1.0
    cluster: str | None = None
    is_sampled: bool = True

    @property
    def trace_id(self) -> str:
        """Return the id of the trace."""
        return self.row.trace.trace_id

    @property
    def weighted(self) -> WeightedRow:
        """Return how much the row stands for."""
        return WeightedRow(self.probability, self.cluster)

    def without_texts(self) -> "JudgeSubject":
        """Return the same row with what a judgement stores of it, and nothing of its content."""
        trace = self.row.trace
        kept = Trace(
            trace_id=trace.trace_id,
            app=trace.app,
            started_at=trace.started_at,
            status=trace.status,
            prompt_version=trace.prompt_version,
            model_version=trace.model_version,
            segments=trace.segments,
        )
        return replace(self, row=JudgedRow(kept, revision=self.row.revision))


SubjectSource = Callable[[], Iterator[JudgeSubject]]
"""Reads the rows to judge, from their newest state, each time that it is called."""


def read_release_subjects(
    releases: ReleaseRepository, release: ReleaseVersion
) -> Iterator[JudgeSubject]:
    """Yield the rows of a release, each with the weight of its design, as a probability."""
    rows = read_release_rows(releases.read(release, DATA))
    name = f"{release.name}@{release.version}"
    for batch in rows.to_batches(_ROWS):
        for row in batch.to_pylist():
            yield JudgeSubject(
                row=judged_row_of(row),
                arm="release",
                release=name,
                probability=_probability(row),
                cluster=_cluster(row),
                is_sampled=row["drawn"] == SAMPLE,
            )


def read_window_subjects(
    lake: Lake, days: tuple[date, date], retry: Retry
) -> Iterator[JudgeSubject]:
    """Yield the traces in force that started on some days (both included).

    The rows are those at the time of the first. Rows that repeat another trace are left out.
    """
    for row in read_window_rows(lake, days, retry, ", ".join(_TRACE_COLUMNS)):
        yield JudgeSubject(judged_row_of(row), "window", cluster=_cluster(row))


def read_window_rows(
    lake: Lake, days: tuple[date, date], retry: Retry, columns: str
) -> Iterator[dict[str, Any]]:
    """Yield columns of the traces in force that started on some days (both included).

    ``columns`` is a list of columns in SQL.
    """
    snapshot = retry.call("opening table traces", lambda: open_snapshot(lake, "traces"))
    traces = lake.table("traces")
    create = create_traces_view if has_assembled_rows(traces) else create_plain_traces_view
    with temp_dir(temp_root()) as folder, connect_duckdb(folder, _DUCKDB_BYTES) as connection:
        create(connection, snapshot, days, connection.execute)
        query = f"SELECT {columns} FROM traces"  # noqa: S608 - names of this program
        rows: Any = connection.sql(query)
        for batch in rows.to_arrow_reader(_ROWS):
            yield from batch.to_pylist()


def read_file_subjects(
    file: Path, is_erased: Callable[[Sequence[Trace]], Sequence[bool]]
) -> Iterator[JudgeSubject]:
    """Yield the rows of a file of JSON lines: traces, or rows of a release.

    Rows of erased persons are left out, as ``is_erased`` says. Raises UsageError with the line of
    the first that is none, or whose id stood there before.
    """
    lines = NumberedIds()
    for number, row in read_json_lines(file, f"The file {file}"):
        where = f"The file {file}, line {number}"
        try:
            judged = judged_row_of(row)
        except BadRowError as error:
            raise UsageError(f"{where}: {error}.") from None
        trace_id = judged.trace.trace_id
        if not 0 < len(trace_id) <= MAX_ID:
            raise UsageError(f"{where}: `trace_id` must be text of 1 to {MAX_ID} characters.")
        first = lines.number(trace_id, number)
        if first != number:
            raise UsageError(
                f"{where}: the same `trace_id` as in line {first}; a row is judged once."
            )
        weight = row.get("weight")
        if weight is not None and (
            isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < inf
        ):
            raise UsageError(f"{where}: `weight` must be a number above 0.")
        if not is_erased([judged.trace])[0]:
            yield JudgeSubject(
                row=judged,
                arm="file",
                probability=_probability(row),
                cluster=_cluster(row),
                is_sampled=row.get("drawn", SAMPLE) == SAMPLE,
            )


def read_json_lines(file: Path, subject: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of JSON lines, each with the number of its line, from 1.

    ``subject`` identifies the file in messages. Raises UsageError for a line that is no object.
    """
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(skip_byte_order_mark(lines), 1):
                if line.strip():
                    yield number, _object(line, f"{subject}, line {number}")
    except OSError as error:
        raise UsageError(f"{subject} cannot be read: {error.strerror}.") from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(replace_lone_surrogates(line))
    except (ValueError, RecursionError):
        raise UsageError(f"{where} is not JSON.") from None
    if not isinstance(value, dict):
        raise UsageError(f"{where} is not a JSON object.")
    return value


def _probability(row: Mapping[str, Any]) -> float:
    """Return one over the number of traces that a row of a release represents."""
    weight = row.get("weight")
    return 1.0 if weight is None else min(1.0, 1 / weight)


def _cluster(row: Mapping[str, Any]) -> str | None:
    """Return what a row belongs to together with others: its conversation."""
    session = row.get("session_id")
    return session if isinstance(session, str) else None
