"""Simulates 1 to 200 workers that commit to one table, and compares with real ones.

python -m benchmarks.commit_conflicts [--every 30] [--request-ms 30] [--real 1,2,4] [--no-s3]

First, the parts of a commit are measured on a real table in a folder, and their requests on an S3
server of the tests. Then real processes commit to such a table, one commit right after another, and
the simulation of the same load is printed beside them. At last the simulation is run for workers
that flush every so many seconds to a bucket whose requests take ``--request-ms``.
"""

import json
import multiprocessing
import os
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path

import click

from benchmarks.commits import counting_proxy
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
from tests.servers.s3 import make_s3, prepare_s3

TOPIC = "llm.feedback"
BEHIND = 8
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200)
HEAD = "{:>8}  {:>12}  {:>10}  {:>7}  {:>7}  {:>7}  {:>7}"
LINE = "{:8d}  {:12.1f}  {:10.2f}  {:7.3f}  {:7.3f}  {:7.3f}  {:7d}"


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests to a bucket for the parts of a commit."""

    refresh: float
    put: float
    overtaken: float
    checkpoint: float

    def times(self, seconds: float) -> CommitTimes:
        """Return how long the parts take if each request takes so long, a half more or less."""
        spread = [seconds * share for share in (0.5, 0.75, 1.0, 1.25, 1.5)]

        def each(count: float) -> list[float]:
            return [count * one for one in spread]

        return CommitTimes(*map(each, (self.refresh, self.put, self.overtaken, self.checkpoint)))


REQUESTS = RequestCounts(refresh=3, put=6, overtaken=2, checkpoint=8)
"""As counted when this was written; for ``--no-s3``."""


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
        parts: dict[str, list[float]] = {
            "refresh": [],
            "put": [],
            "overtaken": [],
            "checkpoint": [],
        }
        for _ in range(rounds):
            parts["refresh"].append(spent(count, lambda: self.refresh(0)))
            parts["put"].append(spent(count, lambda: self.put(0)))
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


def new_lake(folder: Path, name: str) -> str:
    """Return the address of a new lake in a folder."""
    uri = str(folder / name)
    Lake(LakeSettings(uri=uri)).init()
    return uri


def measure_times(folder: Path, rounds: int) -> CommitTimes:
    """Measure seconds on a table in a folder."""
    return PairOfWriters(new_lake(folder, "measured")).measure(time.perf_counter, rounds)


def measure_requests(folder: Path, rounds: int) -> RequestCounts:
    """Count requests on an S3 server of the tests."""
    server = make_s3(prepare_s3(), folder / "s3").start()
    context = multiprocessing.get_context("spawn")
    wire, theirs = context.Pipe()
    proxy = context.Process(target=counting_proxy, args=(server.endpoint, theirs), daemon=True)
    proxy.start()

    def count() -> float:
        wire.send("count")
        return float(wire.recv())

    try:
        endpoint = str(wire.recv())
        os.environ.update(server.env(endpoint))
        uri = server.new_lake()
        Lake(LakeSettings(uri=uri, s3_endpoint_url=endpoint)).init()
        found = PairOfWriters(uri, endpoint).measure(count, rounds)
        parts = (found.refresh, found.put, found.overtaken, found.checkpoint)
        return RequestCounts(*map(statistics.fmean, parts))
    finally:
        wire.send("stop")
        proxy.join(5)
        server.close()


def commit_in_turn(uri: str, writer: int, commits: int, ready: Barrier, out: str) -> None:
    """Commit one flush after another, as a worker does; runs as a process.

    Writes the seconds of each to a file, and the times at which it began and ended.
    """
    table = open_table(uri)
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


def run_real_writers(folder: Path, writers: int, commits: int) -> SimulatedCommits:
    """Let processes commit to one table; their conflicts cannot be seen and are 0 here.

    Raises AssertionError if a commit is not in the log exactly once.
    """
    uri = new_lake(folder, f"real-{writers}")
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(writers)
    files = [str(folder / f"{writers}-{number}.json") for number in range(writers)]
    processes = [
        context.Process(target=commit_in_turn, args=(uri, number, commits, ready, file))
        for number, file in enumerate(files)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    found = [json.loads(Path(file).read_text()) for file in files]
    landed = [
        (item.partition, item.start, item.end)
        for logged in open_table(uri).ledger()
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


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for the time of a run."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@click.command()
@click.option("--every", default=30.0, show_default=True, help="Seconds between two flushes.")
@click.option("--request-ms", default=30.0, show_default=True, help="A request to the bucket.")
@click.option("--real", default="1,2,4", show_default=True, help="Numbers of real processes.")
@click.option("--commits", default=100, show_default=True, help="Commits of each writer.")
@click.option("--workers", default=",".join(map(str, WORKERS)), show_default=True)
@click.option("--s3/--no-s3", default=True, show_default=True, help="Count requests anew.")
def main(  # noqa: PLR0913 - one argument per option
    *, every: float, request_ms: float, real: str, commits: int, workers: str, s3: bool
) -> None:
    """Measure, compare with real writers, and simulate."""
    cores = len(os.sched_getaffinity(0))
    head = HEAD.format("writers", "commits/min", "conflicts", "p50 s", "p95 s", "p99 s", "waits")
    with scratch() as folder:
        times = measure_times(folder, max(16, commits // 2))
        parts = {
            "refresh": times.refresh,
            "put": times.put,
            "a version behind": times.overtaken,
            "checkpoint": times.checkpoint,
        }
        shown = ", ".join(f"{n} {statistics.median(each) * 1000:.1f}" for n, each in parts.items())
        click.echo(f"measured in a folder, ms: {shown}")
        click.echo(f"one commit after another, in a folder, {cores} cores\n{head}")
        for writers in map(int, filter(None, real.split(","))):
            show(writers, run_real_writers(folder, writers, commits), "real processes")
            load = CommitLoad(writers, commits, cores=cores)
            show(writers, simulate_commits(times, load, 0), "simulated")
        counts = measure_requests(folder, 8) if s3 else REQUESTS
    click.echo(
        f"requests to S3: refresh {counts.refresh:.1f}, put {counts.put:.1f}, a version behind "
        f"{counts.overtaken:.1f}, checkpoint {counts.checkpoint:.1f}"
    )
    bucket = counts.times(request_ms / 1000)
    click.echo(f"simulated: {request_ms:g} ms a request, a flush every {every:g} s\n{head}")
    for writers in map(int, workers.split(",")):
        show(writers, simulate_commits(bucket, CommitLoad(writers, commits, every), 0))
    click.echo(f"simulated: {request_ms:g} ms a request, one commit after another\n{head}")
    for writers in map(int, workers.split(",")):
        show(writers, simulate_commits(bucket, CommitLoad(writers, max(10, commits // 5)), 0))


if __name__ == "__main__":
    main()
