"""The plain loop that one writes first: orjson, pyarrow, write_deltalake every 10,000 records.

Without exactly-once, validation or redaction: it measures the bare work.

    python -m benchmarks.rivals.plain_loop BOOTSTRAP TOPIC COUNT TABLE
"""

import sys
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import Consumer
from deltalake import write_deltalake

RECORDS = 10_000

Row = dict[str, Any]


def consume_and_write(row_of: Callable[[bytes], Row]) -> None:
    """Consume ``COUNT`` records, and write a row of each."""
    bootstrap, topic, count, table = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"plain-{topic}-{table}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    records = 0
    rows: list[Row] = []
    while records < count:
        for message in consumer.consume(1000, 0.5):
            value = message.value()
            if message.error() is None and value is not None:
                records += 1
                rows.append(row_of(value))
        if len(rows) >= RECORDS or records == count:
            write_deltalake(table, pa.Table.from_pylist(rows), mode="append")
            consumer.commit(asynchronous=False)
            rows = []
    consumer.close()


def parse_row(value: bytes) -> Row:
    """Return the fields of a record that Delta can hold."""
    row: Row = orjson.loads(value)
    # Delta has no empty structs, and Arrow guesses the type of an empty list as null.
    for name in ("tool_calls", "retrieved", "segments", "attributes"):
        row.pop(name, None)
    for message in row["messages"]:
        message.pop("tool_calls", None)
    return row


if __name__ == "__main__":
    consume_and_write(parse_row)
