"""The judgements that table ``judgements`` holds, read back."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from batch.judge.judgement_rows import JUDGEMENT, READ_COLUMNS, stored_judgement
from judges.judgement import Judgement
from lake.tables import Table

_TIMES = ("judged_at", "lease_until")


def read_judgements(table: Table, judge: str | None = None) -> Iterator[Judgement]:
    """Yield all judgements, or those of one judge, every attempt of each.

    As of the table's last refresh.
    """
    condition = pc.field("step") == JUDGEMENT
    if judge is not None:
        condition &= pc.field("judge") == judge
    for batch in table.batches(READ_COLUMNS, condition):
        for name in _TIMES:
            at = batch.schema.get_field_index(name)
            batch = batch.set_column(at, name, batch.column(at).cast(pa.int64()))  # noqa: PLW2901
        for row in batch.to_pylist():
            yield stored_judgement(row)
