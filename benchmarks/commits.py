"""Measures a commit: requests to S3 and CPU time, with and without cached transaction versions.

python -m benchmarks.commits [--versions 1000] [--no-s3]
"""

import multiprocessing
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import click
from deltalake import DeltaTable

from lake.commit import commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition, SourceRange
from lake.retry import Retry
from lake.table_commit import CommitContext, Move, TableCommit
from lake.table_log import position_app
from lake.table_writer import CHECKPOINT_EVERY
from lake.tables import Lake, Table
from tests.servers.s3 import make_s3, prepare_s3
from tests.servers.s3_faults import FaultyS3

TOPIC = "llm.feedback"
MEASURED = 10
HANDLES = ("as delta-rs has it", "remembered")


def flush(table: Table, partitions: int, number: int) -> None:
    """Commit one flush without rows that moves the position of each partition by one."""
    sources = [SourcePartition(TOPIC, partition) for partition in range(partitions)]
    commit(
        table,
        TableCommit(
            entry=LedgerEntry(
                EntryKind.FLUSH,
                [SourceRange(s.topic, s.partition, number, number + 1) for s in sources],
                {TOPIC: Incarnation("cluster", "topic")},
            ),
            token=secrets.randbits(63),
            moves=[Move(position_app(s), number or None, number + 1) for s in sources],
        ),
        CommitContext(
            Retry(60, time.monotonic, lambda _wait: False, lambda low, _high: low),
            lambda: 0,
            lambda: secrets.randbits(63),
        ),
    )


def opened(uri: str, endpoint: str | None, *, plain: bool) -> Table:
    """Open the table, with cached transaction versions or through plain delta-rs."""
    lake = Lake(LakeSettings(uri=uri, s3_endpoint_url=endpoint))
    table = lake.table("feedback")
    if plain:
        options = lake.location.table_options()
        table.handle = DeltaTable(table.handle.table_uri, storage_options=options)
    return table


def fill(table: Table, partitions: int, versions: int) -> int:
    """Make commits, with checkpoints as often as workers write them; return how many."""
    for number in range(versions):
        flush(table, partitions, number)
        if number % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1:
            table.refresh()
            table.checkpoint()
    return versions


def measured(table: Table, partitions: int, begin: int, count: Callable[[], int]) -> str:
    """Make commits; return the mean cost of 10 of them after the first."""
    flush(table, partitions, begin)
    cpu, wall, requests = time.process_time(), time.monotonic(), count()
    for number in range(begin + 1, begin + 1 + MEASURED):
        flush(table, partitions, number)
    each = 1 / MEASURED
    return (
        f"CPU {(time.process_time() - cpu) * each * 1000:7.1f} ms   "
        f"wall {(time.monotonic() - wall) * each * 1000:7.1f} ms   "
        f"requests {(count() - requests) * each:6.1f}"
    )


def on_disk(versions: int, folder: Path) -> None:
    """Measure the CPU time of a commit after many versions, in a folder."""
    for partitions in (1, 64):
        uri = str(folder / f"lake-{partitions}")
        Lake(LakeSettings(uri=uri)).init()
        done = fill(opened(uri, None, plain=False), partitions, versions)
        for name in HANDLES:
            table = opened(uri, None, plain=name == HANDLES[0])
            line = measured(table, partitions, done, lambda: 0)
            done += 1 + MEASURED
            click.echo(f"folder, {partitions:2} partitions, {versions} versions, {name:18}: {line}")


def counting_proxy(upstream: str, wire: Connection) -> None:
    """Run a proxy that reports its number of requests on demand; runs as a process.

    In this process it could not answer: delta-rs holds the interpreter lock while it waits.
    """
    with FaultyS3(upstream) as proxy:
        wire.send(proxy.endpoint)
        while wire.recv() == "count":
            wire.send(len(proxy.exchanges()))


def on_s3(folder: Path) -> None:
    """Measure the requests of a commit, from 5 versions after a checkpoint on."""
    server = make_s3(prepare_s3(), folder / "s3").start()
    context = multiprocessing.get_context("spawn")
    wire, theirs = context.Pipe()
    proxy = context.Process(target=counting_proxy, args=(server.endpoint, theirs), daemon=True)
    proxy.start()

    def count() -> int:
        wire.send("count")
        return int(wire.recv())

    try:
        endpoint = str(wire.recv())
        os.environ.update(server.env(endpoint))
        for partitions in (1, 64):
            uri = server.new_lake()
            Lake(LakeSettings(uri=uri, s3_endpoint_url=endpoint)).init()
            done = fill(opened(uri, endpoint, plain=False), partitions, 25)
            for name in HANDLES:
                table = opened(uri, endpoint, plain=name == HANDLES[0])
                line = measured(table, partitions, done, count)
                done += 1 + MEASURED
                click.echo(f"S3, {partitions:2} partitions, {name:18}: {line}")
    finally:
        wire.send("stop")
        proxy.join(5)
        server.close()


@click.command()
@click.option("--versions", default=1000, show_default=True)
@click.option("--s3/--no-s3", default=True, show_default=True)
def main(*, versions: int, s3: bool) -> None:
    """Measure with 1 and 64 partitions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    try:
        if s3:
            on_s3(folder)
        on_disk(versions, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
