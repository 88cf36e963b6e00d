"""Simulates 1 to 200 workers that commit to one table, and compares with real ones.

python -m benchmarks.commit_conflicts [--every 15] [--request-ms 30] [--real 1,2,4,8]

The parts of a commit are measured on a real table, on an S3 server of the tests behind a proxy that
holds up each request for ``--request-ms``. Then real processes commit to such a table, one commit
right after another, and the simulation of the same load is printed beside them. At last the
simulation is run for workers that commit every so many seconds: quarantine has a commit for each
flush of either topic.
"""

import json
import multiprocessing
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import click

from benchmarks.conflict_simulation import (
    CommitLoad,
    CommitTimes,
    SimulatedCommits,
    simulate_commits,
)
from lake.commit import commit, send_commit
from lake.config import LakeSettings
from lake.ledger import EntryKind, Incarnation, LedgerEntry, SourcePartition, SourceRange
from lake.retry import Retry
from lake.table_commit import CommitContext, CommitWatch, Move, TableCommit
from lake.table_log import position_app
from lake.table_writer import CHECKPOINT_EVERY
from lake.tables import Lake, Table
from tests.servers.s3 import S3, make_s3, prepare_s3
from tests.servers.s3_faults import Fault, FaultyS3

TOPIC = "llm.feedback"
BEHIND = 8
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200)
HEAD = "{:>8}  {:>12}  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}"
LINE = "{:8d}  {:12.1f}  {:10.2f}  {:7.3f}  {:7.3f}  {:7.3f}  {:7d}"


def open_table(uri: str, endpoint: str | None = None) -> Table:
    """Open the table that all writers commit to."""
    return Lake(LakeSettings(uri=uri, s3_endpoint_url=endpoint)).table("feedback")


def flush_of(writer: int, number: int) -> TableCommit:
    """Return one flush without rows, which moves the position of the writer's own partition."""
    source = SourcePartition(TOPIC, writer)
    return TableCommit(
        entry=LedgerEntry(
            EntryKind.FLUSH,
            [SourceRange(source.topic, source.partition, number, number + 1)],
            {TOPIC: Incarnation("cluster", "topic")},
        ),
        token=secrets.randbits(63),
        moves=[Move(position_app(source), number or None, number + 1)],
    )


def make_context(seed: int) -> CommitContext:
    """Return what a commit of a worker needs."""
    rng = random.Random(seed)  # noqa: S311 - no secret depends on it
    retry = Retry(300, time.monotonic, _slept, rng.uniform)
    return CommitContext(
        retry, lambda: time.time_ns() // 1000, lambda: secrets.randbits(63), CommitWatch()
    )


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class PairOfWriters:
    """Two writers of one table, whose commits are timed or counted in parts."""

    def __init__(self, uri: str, endpoint: str | None = None) -> None:
        self.tables = [open_table(uri, endpoint) for _ in range(2)]
        self.numbers = [0, 0]

    def refresh(self, writer: int) -> None:
        """Read the newest version, and the position as of it."""
        self.tables[writer].refresh()
        self.tables[writer].positions([SourcePartition(TOPIC, writer)])

    def put(self, writer: int) -> None:
        """Commit through the handle as it is, whether or not it is at the newest version."""
        change = flush_of(writer, self.numbers[writer])
        send_commit(self.tables[writer], change, CommitWatch(), now_ms=0)
        self.numbers[writer] += 1

    def measure(self, count: Callable[[], float], rounds: int) -> CommitTimes:
        """Return what ``count`` counts for each part of a commit, some times each."""
        parts = {part.name: list[float]() for part in fields(CommitTimes)}
        look = self.tables[0].refresh
        for _ in range(rounds):
            parts["refresh"].append(spent(count, lambda: self.refresh(0)))
            parts["put"].append(spent(count, lambda: self.put(0)))
            parts["look"].append(spent(count, look))
        plain = statistics.median(parts["put"])
        for _ in range(max(2, rounds // BEHIND)):
            self.refresh(0)
            for _ in range(BEHIND):
                self.refresh(1)
                self.put(1)
            late = spent(count, lambda: self.put(0))
            parts["overtaken"].append(max(0.0, late - plain) / BEHIND)
            self.refresh(1)
            parts["checkpoint"].append(spent(count, self.tables[1].checkpoint))
        return CommitTimes(**parts)


def spent(count: Callable[[], float], step: Callable[[], None]) -> float:
    """Return how far ``count`` went during a step."""
    begun = count()
    step()
    return count() - begun


def serve_slow_bucket(upstream: str, seconds: float, wire: Connection) -> None:
    """Run a proxy that holds up and counts requests; runs as a process.

    In this process it could not answer: delta-rs holds the interpreter lock while it waits.
    """
    with FaultyS3(upstream) as proxy:
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            proxy.inject(Fault.DELAY, method, ".", times=None, seconds=seconds)
        wire.send(proxy.endpoint)
        while wire.recv() == "count":
            wire.send(len(proxy.exchanges()))


@dataclass(frozen=True, slots=True)
class SlowBucket:
    """A bucket whose requests take their time."""

    server: S3
    endpoint: str
    count: Callable[[], float]

    def new_lake(self) -> str:
        """Return the address of a new lake in it."""
        uri = self.server.new_lake()
        Lake(LakeSettings(uri=uri, s3_endpoint_url=self.endpoint)).init()
        return uri


@contextmanager
def slow_bucket(folder: Path, seconds: float) -> Iterator[SlowBucket]:
    """Start a bucket whose requests take so many seconds longer."""
    server = make_s3(prepare_s3(), folder / "s3").start()
    context = multiprocessing.get_context("spawn")
    wire, theirs = context.Pipe()
    arguments = (server.endpoint, seconds, theirs)
    proxy = context.Process(target=serve_slow_bucket, args=arguments, daemon=True)
    proxy.start()

    def count() -> float:
        wire.send("count")
        return float(wire.recv())

    try:
        endpoint = str(wire.recv())
        os.environ.update(server.env(endpoint))
        yield SlowBucket(server, endpoint, count)
    finally:
        wire.send("stop")
        proxy.join(5)
        server.close()


def commit_in_turn(
    place: tuple[str, str | None], writer: int, commits: int, ready: Barrier, out: str
) -> None:
    """Commit one flush after another, as a worker does; runs as a process.

    ``place`` is the address of the lake, and of the bucket's server if it is in one. Writes the
    seconds of each to a file, and the times at which it began and ended.
    """
    table = open_table(*place)
    context = make_context(writer)
    ready.wait()
    begun, seconds = time.time(), []
    for number in range(commits):
        at = time.perf_counter()
        commit(table, flush_of(writer, number), context)
        seconds.append(time.perf_counter() - at)
        table.refresh()
        if table.handle.version() % CHECKPOINT_EVERY == 0:
            table.checkpoint()
    Path(out).write_text(json.dumps([begun, time.time(), seconds]))


def run_real_writers(
    uri: str, endpoint: str | None, writers: int, commits: int, folder: Path
) -> SimulatedCommits:
    """Let processes commit to one table; their conflicts cannot be seen and are 0 here.

    Raises AssertionError if a commit is not in the log exactly once.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers)
    files = [str(folder / f"{writers}-{number}.json") for number in range(writers)]
    processes = [
        context.Process(target=commit_in_turn, args=((uri, endpoint), number, commits, ready, file))
        for number, file in enumerate(files)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [json.loads(Path(file).read_text()) for file in files]
    landed = [
        (item.partition, item.start, item.end)
        for logged in open_table(uri, endpoint).ledger()
        for item in logged.entry.ranges
    ]
    expected = [(w, number, number + 1) for w in range(writers) for number in range(commits)]
    if sorted(landed) != expected:
        raise AssertionError("a commit is missing from the log, or there twice")
    return SimulatedCommits(
        [one for _, _, seconds in found for one in seconds],
        began=min(begin for begin, _, _ in found),
        ended=max(end for _, end, _ in found),
    )


def show(writers: int, outcome: SimulatedCommits, label: str = "") -> None:
    """Print a line about some writers."""
    low, high, most = (outcome.quantile(share) for share in (0.5, 0.95, 0.99))
    line = LINE.format(
        writers, outcome.a_minute, outcome.conflicts_each, low, high, most, outcome.waits
    )
    click.echo(f"{line}  {label}".rstrip())


@click.command()
@click.option("--every", default=15.0, show_default=True, help="Seconds between two commits.")
@click.option("--request-ms", default=30.0, show_default=True, help="A request to the bucket.")
@click.option("--real", default="1,2,4,8", show_default=True, help="Numbers of real processes.")
@click.option("--commits", default=20, show_default=True, help="Commits of each real writer.")
@click.option("--workers", default=",".join(map(str, WORKERS)), show_default=True)
def main(*, every: float, request_ms: float, real: str, commits: int, workers: str) -> None:
    """Measure, compare with real writers, and simulate."""
    head = HEAD.format("writers", "commits/min", "conflicts", "p50 s", "p95 s", "p99 s", "waits")
    with tempfile.TemporaryDirectory(prefix="goldpan-bench-") as name:
        folder = Path(name)
        with slow_bucket(folder, request_ms / 1000) as bucket:
            times = PairOfWriters(bucket.new_lake(), bucket.endpoint).measure(time.perf_counter, 24)
            counts = PairOfWriters(bucket.new_lake(), bucket.endpoint).measure(bucket.count, 8)
            for part in fields(CommitTimes):
                seconds, requests = (
                    statistics.fmean(getattr(found, part.name)) for found in (times, counts)
                )
                click.echo(f"{part.name:>10}: {seconds * 1000:7.1f} ms, {requests:5.1f} requests")
            click.echo(f"one commit after another, {request_ms:g} ms a request\n{head}")
            for writers in map(int, filter(None, real.split(","))):
                uri = bucket.new_lake()
                done = run_real_writers(uri, bucket.endpoint, writers, commits, folder)
                show(writers, done, "real processes")
                show(writers, simulate_commits(times, CommitLoad(writers, commits), 0), "simulated")
    for seconds in (every, 0):
        title = f"every {seconds:g} s" if seconds else "one right after another"
        click.echo(f"simulated, {request_ms:g} ms a request, a commit {title}\n{head}")
        for writers in map(int, workers.split(",")):
            load = CommitLoad(writers, 100 if seconds else 20, seconds)
            show(writers, simulate_commits(times, load, 0))


if __name__ == "__main__":
    main()
