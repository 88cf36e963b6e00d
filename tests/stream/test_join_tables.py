"""The worker's join reads records of its topics back from the lake, and no assembled rows."""

from pathlib import Path

import pyarrow as pa
from msgspec import structs

from lake.ledger import SourcePartition
from schemas.assembly_columns import AssemblyFacts
from schemas.record_batches import RecordKind
from schemas.redacted import Redacted
from stream.label_driver.join_tables import JoinTables
from tests.batch.kit import TOPICS, append, new_lake, put, put_assembled
from tests.labels.kit import feedback, rows, trace


def test_assembled_rows_are_left_to_the_batch_job(tmp_path: Path) -> None:
    """The shard of an assembled row is no partition of a topic, though the numbers are alike."""
    sent = trace("sent")
    lake = new_lake(tmp_path / "lake", [sent, feedback("f1", "sent")])
    put_assembled(lake, [(trace("of-spans"), AssemblyFacts(1, "m"))])
    put_assembled(lake, [(structs.replace(sent, status="error"), AssemblyFacts(2, "m"))])
    made = rows([feedback("f2", "of-spans")])
    at = made.schema.get_field_index("_topic")
    made = made.set_column(at, made.schema.field(at), pa.array(["#assembly"]))
    append(lake, "feedback", Redacted(made, "p"), SourcePartition("#assembly", 0), 0)
    put(lake, [trace("later")])
    primary = {RecordKind.TRACE: lake.table("traces"), RecordKind.FEEDBACK: lake.table("feedback")}
    tables = JoinTables(TOPICS, primary, lake.table("labels"))
    for table in primary.values():
        table.refresh()
    read = {
        kind: [row["trace_id"] for batch in tables.rows(kind, [0], 0) for row in batch.to_pylist()]
        for kind in TOPICS
    }
    assert sorted(read[RecordKind.TRACE]) == ["later", "sent"]
    assert read[RecordKind.FEEDBACK] == ["sent"]
