"""The columns that table ``traces`` has beside its contract: what is known of an assembled trace.

A trace that arrives as one record has null in all of them. No producer can send them: a record with
such a field is refused like any other unknown field.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

ASSEMBLY_COLUMNS: Final = pa.schema(
    [
        pa.field("revision", pa.int64()),
        pa.field("duplicate_of", pa.string()),
        pa.field("incomplete", pa.list_(pa.field("element", pa.string(), nullable=False))),
        pa.field("cost_computed", pa.bool_()),
        pa.field("sampling_probability", pa.float64()),
        pa.field("_mapping", pa.string()),
    ]
)
"""Names and types, in the order of the table. All are nullable."""

ASSEMBLY_COLUMN_DOCS: Final[Mapping[str, str]] = {
    "revision": "Number of this row among the assembled rows of the trace, from 1 on. The highest "
    "is in force.",
    "duplicate_of": "The trace id of the row that stands for this call. A row that has it is never "
    "in force.",
    "incomplete": "Why the row may lack something, by name. Empty: nothing is known to be missing.",
    "cost_computed": "Whether `cost_usd` was computed from the price table, since none was "
    "exported.",
    "sampling_probability": "Probability with which the Collector kept the trace; null if it is "
    "not known.",
    "_mapping": "Version of the mapping that the row was assembled with.",
}
"""What each column holds."""


class AssemblyFacts(NamedTuple):
    """The values of an assembled trace in these columns.

    ``revision`` counts from 1. ``incomplete`` names reasons, never content. ``duplicate_of`` is a
    trace id. ``sampling_probability`` is in (0, 1]. ``taught`` are the marks in the column of that
    name of the trace's spans; they are for redaction and not stored.
    """

    revision: int
    mapping: str
    incomplete: Sequence[str] = ()
    cost_computed: bool | None = None
    sampling_probability: float | None = None
    duplicate_of: str | None = None
    taught: Sequence[str] = ()


def assembly_arrays(facts: Sequence[AssemblyFacts], rows: int) -> list[pa.Array]:
    """Return one array of ``rows`` values for each of ``ASSEMBLY_COLUMNS``.

    ``facts`` has one entry for each row, or none at all: then every value is null.
    """
    if not facts:
        return [pa.nulls(rows, field.type) for field in ASSEMBLY_COLUMNS]
    if len(facts) != rows:
        raise ValueError(f"{len(facts)} entries for {rows} rows")
    values = {
        "revision": [fact.revision for fact in facts],
        "duplicate_of": [fact.duplicate_of for fact in facts],
        "incomplete": [list(fact.incomplete) for fact in facts],
        "cost_computed": [fact.cost_computed for fact in facts],
        "sampling_probability": [fact.sampling_probability for fact in facts],
        "_mapping": [fact.mapping for fact in facts],
    }
    return [pa.array(values[field.name], field.type) for field in ASSEMBLY_COLUMNS]
