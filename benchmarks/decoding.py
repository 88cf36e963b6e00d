"""Measures the CPU time to decode one trace, by wire format, and for Avro by decoder.

python -m benchmarks.decoding [--size 1800]
"""

import time
from collections.abc import Callable

import click
import msgspec

from decode.avro_reader import AvroReader, PreparedSchema, _read_with_fastavro, prepare_schema
from decode.json_reader import JsonReader
from schemas.contract import CONTRACTS, Avsc
from schemas.record_batches import RecordKind
from schemas.records import Trace
from tests.make.records import encode_json, trace
from tests.make.wire import framed

HEADER_BYTES = 5
ROUNDS, TIMES = 15, 1000


class OneSchema:
    """A schema source that returns the contract's own schema."""

    def by_id(self, _schema_id: int) -> Avsc:
        """Return the schema."""
        return CONTRACTS[RecordKind.TRACE].avro

    def by_fingerprint(self, _fingerprint: str) -> Avsc:
        """Return the schema."""
        return self.by_id(0)


def micros(step: Callable[[], object]) -> float:
    """Return the CPU time of a step in microseconds, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            step()
        best = min(best, time.process_time() - began)
    return best / TIMES * 1e6


@click.command()
@click.option("--size", default=1800, show_default=True, help="Bytes of the trace as JSON.")
def main(*, size: int) -> None:
    """Measure."""
    contract = CONTRACTS[RecordKind.TRACE]
    record = trace(0, size=size)
    text, body = encode_json(record), framed(record, contract.avro, 7)
    schema = prepare_schema(contract, contract.avro)
    assert isinstance(schema, PreparedSchema)
    json, avro = JsonReader(contract, Trace), AvroReader(contract, Trace, OneSchema())

    def by_fastavro() -> object:
        return msgspec.convert(_read_with_fastavro(body, HEADER_BYTES, schema), Trace)

    click.echo(f"JSON, {len(text)} bytes: {micros(lambda: json.read(text)):.1f} us")
    click.echo(f"Avro, {len(body)} bytes: {micros(lambda: avro.read_framed(body)):.1f} us")
    click.echo(f"Avro, by fastavro alone: {micros(by_fastavro):.1f} us")


if __name__ == "__main__":
    main()
