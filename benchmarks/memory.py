"""Measures the worker's peak memory against its budget, by partitions and by records.

python -m benchmarks.memory [--records 200000] [--million]
python -m benchmarks.memory --tight    # with the smallest accepted ceiling, by Arrow's pools
python -m benchmarks.memory --redaction [--records 120000] [--against FOLDER]

With ``--redaction`` the worker has the default policy of redaction with its model, and labels; its
traffic is varied, with feedback (`benchmarks.varied_traffic`), and its ceiling is the default. The
peak is shown after each quarter of the records. ``--against`` runs the worker of another checkout
first, over the same records.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from confluent_kafka import Producer

from benchmarks.memory_watch import WatchedRun, run_watched
from benchmarks.options import CHECKOUT, COUNT
from benchmarks.varied_traffic import endless_with_feedback
from benchmarks.worker import Job, prepared
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka

BUDGET = 768 * 2**20
PARTITIONS = 4
HELD = 50_000  # records that the producer holds
ROOT = Path(__file__).parents[1]
WITH_REDACTION = {
    "GOLDPAN_REDACT__POLICY": "strict",
    "GOLDPAN_LABELS__POLICY": "chat_support",
}


def least(job: Job) -> int:
    """Return slightly more than the smallest ceiling that a worker accepts, by its own message."""
    command = [sys.executable, "-m", "goldpan", "stream", "run", "--until-caught-up"]
    env = job.environment(GOLDPAN_STREAM__MEMORY_BYTES="1MiB")
    message = subprocess.run(command, env=env, capture_output=True, text=True, check=False).stderr
    match = re.search(r"the least is (\d+)MiB", message)
    assert match, message
    return (int(match[1]) + 4) * 2**20


def tight(kafka: Kafka, folder: Path, records: int) -> None:
    """Compare Arrow's pools where memory is short."""
    job = prepared(kafka, folder, count=records, size=1800, partitions=10)
    ceiling = least(job)
    for pool in ("", "jemalloc", "mimalloc", "system"):
        chosen = {"ARROW_DEFAULT_MEMORY_POOL": pool} if pool else {}
        cost = job.goldpan(GOLDPAN_STREAM__MEMORY_BYTES=str(ceiling), **chosen)
        click.echo(
            f"  {pool or 'as shipped':<11} peak {cost.peak_bytes / ceiling:.2f} of "
            f"{ceiling / 2**20:.0f} MiB   {cost.wall:6.1f} s   {cost.cpu:6.1f} CPU-s"
        )


def varied_job(kafka: Kafka, folder: Path, records: int) -> Job:
    """Return a job whose two topics hold varied traces and the feedback on them."""
    topic = f"varied-{records}"
    sent = dict.fromkeys((topic, f"{topic}.feedback"), 0)
    for each in sent:
        kafka.create_topic(each, PARTITIONS)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap, "compression.type": "lz4", "linger.ms": 50}
    )
    for pair in endless_with_feedback():
        for each, made in zip(sent, pair, strict=True):
            for record in made:
                value = json.dumps(record, separators=(",", ":")).encode()
                producer.produce(each, value, key=record["trace_id"].encode())
            sent[each] += len(made)
        if len(producer) > HELD:
            producer.flush()
        if sum(sent.values()) >= records:
            break
    producer.flush()
    traces, feedback = sent.values()
    click.echo(f"{traces:,} varied traces and {feedback:,} of feedback")
    return Job(kafka, topic, traces + feedback, folder)


def describe(name: str, run: WatchedRun, records: int, first: WatchedRun | None) -> str:
    """Return one line of results; ``first`` is the run to compare with."""
    quarters = " / ".join(f"{peak / 2**20:.0f}" for peak in run.quarters)
    ratio = ""
    if first is not None:
        peaks, costs = run.peak_bytes / first.peak_bytes, run.cpu / first.cpu
        ratio = f"   {peaks:.2f} x the other's peak, {costs:.2f} x its CPU"
    return (
        f"  {name:<8} peak after each quarter {quarters} MiB"
        f"{run.cpu / records * 1e6:>8.0f} CPU-s per million{ratio}"
    )


def with_redaction(job: Job, against: Path | None) -> None:
    """Run the worker, and that of another checkout before it."""
    other = None
    if against is not None:
        other = run_watched(job.environment(**WITH_REDACTION), job.count, against)
        click.echo(describe("other", other, job.count, None))
    run = run_watched(job.environment(**WITH_REDACTION), job.count, ROOT)
    click.echo(describe("goldpan", run, job.count, other))


@click.command()
@click.option("--records", type=COUNT, default=200_000, show_default=True)
@click.option("--million", is_flag=True, help="Also a million records on 10 partitions.")
@click.option("--tight", "is_tight", is_flag=True, help="Only with as little as is accepted.")
@click.option("--redaction", is_flag=True, help="Only with redaction and labels.")
@click.option(
    "--against", type=CHECKOUT,
    help="Another checkout, to compare redaction with.",
)  # fmt: skip
def main(
    *,
    records: int,
    million: bool,
    is_tight: bool,
    redaction: bool,
    against: Path | None,
) -> None:
    """Measure with 1, 10 and 64 partitions."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    runs = [(records, 1), (records, 10), (records, 64)] + ([(1_000_000, 10)] if million else [])
    try:
        if redaction:
            with_redaction(varied_job(kafka, folder, records), against)
            return
        if is_tight:
            tight(kafka, folder, records)
            return
        for count, partitions in runs:
            job = prepared(kafka, folder, count=count, size=1800, partitions=partitions)
            cost = job.goldpan(GOLDPAN_STREAM__MEMORY_BYTES=str(BUDGET))
            click.echo(
                f"  peak {cost.peak_bytes / 2**20:.0f} MiB, {cost.peak_bytes / BUDGET:.2f} of the "
                f"budget of {BUDGET / 2**20:.0f} MiB"
            )
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
