"""Stored rows are read again as records: all of them, in order, with the schema they came with."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from decode.decoder import Decoder
from decode.schema_sources import FolderSource
from lake.commit import commit
from lake.ledger import EntryKind, LedgerEntry, SourcePartition
from lake.table_commit import Move, TableCommit
from lake.table_log import position_app
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.record_batches import RawRecord, RecordKind
from stream.replay.lake_reader import OFFSETS_READ, LakeReader, read_stored_bounds, refuse_time
from stream.replay.replay_range import PartitionBounds
from tests.lake.kit import (
    HERE,
    OTHER,
    SOURCE,
    START,
    TOPIC,
    commit_context,
    make_lake,
    put,
    rows,
    span,
)

END = OFFSETS_READ + 10
GAP = {3, OFFSETS_READ - 1, OFFSETS_READ}
"""Offsets without a row: in quarantine, or a marker."""


@pytest.fixture
def stored_lake(tmp_path: Path) -> Lake:
    """Rows of two partitions, as a worker would have stored them."""
    lake = make_lake(tmp_path)
    for source, first in ((SOURCE, 0), (OTHER, 5)):
        stored = [(source.partition, o) for o in range(first, END) if o not in GAP]
        batch = rows(
            stored,
            actor="end_user",
            comment="<PERSON:abcdefghijkl> was kind",
            attributes=[("page", "chat")],
            _schema="0123456789abcdef",
        )
        item = span(first, END, source=source)
        table = lake.table("feedback")
        commit(
            table,
            TableCommit(
                entry=LedgerEntry(EntryKind.FLUSH, [item], {TOPIC: HERE}),
                token=1,
                moves=[Move(position_app(source), None, END)],
                adds=put(table, [batch], item),
            ),
            commit_context(),
        )
    return lake


def reader(lake: Lake) -> LakeReader:
    """Return a reader of the feedback of the lake."""
    decoder = Decoder(RecordKind.FEEDBACK, FolderSource(None), max_record_bytes=10**9)
    return LakeReader(lake.table("feedback"), TOPIC, RecordKind.FEEDBACK, decoder, None)


@pytest.mark.parametrize("most", [1, 7, 100, OFFSETS_READ, 10 * OFFSETS_READ])
def test_every_row_is_read_once(stored_lake: Lake, most: int) -> None:
    """Whatever is taken at once; and the reader says how far it is, also over a gap."""
    source = reader(stored_lake)
    source.assign({SOURCE: 0, OTHER: 5})
    found: list[RawRecord] = []
    ends: dict[SourcePartition, int] = {}
    for at in (SOURCE, OTHER):
        while ends.get(at, 0) < END:
            batch = source.read(most)
            assert len(batch.raws) <= most
            found += batch.raws
            ends |= batch.ends
        source.drop(at)
    assert source.read(most).empty
    wanted = [(0, o) for o in range(END)] + [(1, o) for o in range(5, END)]
    assert [(raw.partition, raw.offset) for raw in found] == [w for w in wanted if w[1] not in GAP]


def test_a_row_is_the_record_it_came_from(stored_lake: Lake) -> None:
    """Times, maps and texts are as they were, and so is the schema."""
    source = reader(stored_lake)
    source.assign({SOURCE: 0})
    decoded, rejected = source.decode(TOPIC, source.read(1).raws)
    assert rejected == []
    (record,) = decoded.records
    assert record.comment == "<PERSON:abcdefghijkl> was kind"
    assert record.attributes == {"page": "chat"}
    assert record.occurred_at == int(START.timestamp()) * 1_000_000
    assert list(decoded.schema_ids) == ["0123456789abcdef"]


def test_the_range_is_bounded_by_the_rows(stored_lake: Lake) -> None:
    """By offsets: when Kafka had a record is not stored."""
    stored_lake.table("feedback").refresh()
    assert read_stored_bounds(stored_lake.table("feedback"), TOPIC, None) == {
        SOURCE: PartitionBounds(0, END, END),
        OTHER: PartitionBounds(5, END, END),
    }
    with pytest.raises(UsageError, match="offsets"):
        refuse_time(SOURCE, datetime(2026, 10, 1, tzinfo=UTC))
