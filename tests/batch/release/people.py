"""A release with a person to erase: her rows hold a planted value, and others name her."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from batch.release.erasure.criteria import ErasureCriteria
from batch.release.erasure.erase import ErasedVersion, erase_from_releases
from batch.release.erasure.rewrite_version import ErasureOrder
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import ReleaseRow, json_rows
from batch.release.publish.repository import ReleaseRepository
from lake.tables import Lake
from redact.crypto.signing import Signer
from tests.batch.release.world import conversations, labels_for, make_lake

PLANTED = "the violet umbrella of gate 77"
PERSON = "k1:h7r2c5planted"
MARK = "<USER_ID:h7r2c5planted>"
SIGNER = Signer(b"s" * 32)
AT_US = 1_795_000_000_000_000
WHOLE: dict[str, Any] = {
    "one_per": "trace",
    "strata": ["status"],
    "allocation": {},
    "size": 500,
    "holdout": None,
}
"""The changes to the spec of the tests that include every trace in the release."""


def populated(folder: Path) -> Lake:
    """Make a lake with traces of a person, and one of somebody else that names her."""
    traces = conversations(1)
    sessions = sorted({t["session_id"] for t in traces})
    for trace in traces:
        if trace["session_id"] in sessions[:2]:
            trace |= {"user_id": PERSON, "response": f"{trace['response']} {PLANTED}"}
    other = next(t for t in traces if t["session_id"] == sessions[2])
    other["response"] = f"Ask {MARK} for it."
    return make_lake(folder, traces, labels_for(traces))


def wanted() -> ErasureCriteria:
    """Return the criteria that select the person's rows and those that name her."""
    return ErasureCriteria(user_ids=frozenset({PERSON}), marks=frozenset({MARK}))


def order(number: int, tables: dict[str, int] | None = None) -> ErasureOrder:
    """Return the order of the erasure with a number."""
    return ErasureOrder(number, AT_US + number, SIGNER, tables or {})


def erased(shelf: ReleaseRepository, trace_ids: Iterable[str], number: int) -> list[ErasedVersion]:
    """Erase the rows of these traces from all releases."""
    return erase_from_releases(
        shelf, ErasureCriteria(trace_ids=frozenset(trace_ids)), order(number)
    )


def rows_of(folder: Path) -> list[ReleaseRow]:
    """Return the rows of the release in a folder."""
    return json_rows(read_release_rows((folder / DATA).read_bytes()))


def values_of(rows: Iterable[ReleaseRow]) -> set[str]:
    """Return the values that must be gone with these rows: ids, salts, and the planted ones."""
    values = {value for row in rows for value in (row["trace_id"], row["salt"])}
    return values | {PLANTED, PERSON, MARK, MARK[9:-1]}


def texts_in(path: Path) -> str:
    """Return the content of a file as text; Parquet column by column, with its statistics."""
    if path.suffix != ".parquet" or not path.stat().st_size:
        return path.read_bytes().decode(errors="replace")
    file = pq.ParquetFile(path)
    groups = [file.metadata.row_group(i).to_dict() for i in range(file.metadata.num_row_groups)]
    table: pa.Table = file.read()
    columns = [json.dumps(json_rows(table.select([name]))) for name in table.schema.names]
    raw = path.read_bytes().decode("latin-1")
    return "\n".join([raw, str(file.metadata.metadata), str(groups), *columns])
