"""Plans a lake for some rates of records: the arithmetic of docs/planning.md, nothing is measured.

python -m benchmarks.planning [--rates 10,1000,100000]

The inputs are figures of other benchmarks, and prices. All are options.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import click

DAY = 86_400
MONTH = 30 * DAY
TOPICS = 2
COMMITS_A_FLUSH = 4  # quarantine, the table of the topic, the audit, labels


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """What a plan rests on: CPU-seconds a million records, bytes, requests, prices in dollars.

    ``erasure`` and ``drift`` are CPU-seconds a million traces that these jobs read. ``busy`` is the
    share of its core that a worker is to use. ``prices`` are those of a thousand requests, of a GB
    for a month, and of a core for an hour.
    """

    redaction: float = 478.0
    rest: float = 19.8
    busy: float = 0.6
    erasure: float = 11.0
    drift: float = 3.2
    kept_days: float = 30.0
    record_bytes: float = 1_800.0
    stored_share: float = 0.1
    flush_seconds: float = 30.0
    requests_a_commit: float = 9.0
    request_price: float = 0.005
    storage_price: float = 0.023
    core_price: float = 0.04


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rate of records needs. Money is in dollars a month."""

    rate: float
    cores: float
    workers: int
    partitions: int
    commits_a_minute: float
    requests_a_day: float
    stored_a_day_gb: float
    erasure_hours: float
    drift_minutes: float
    cores_price: float
    requests_price: float
    storage_price: float


def make_plan(rate: float, given: PlanInputs) -> Plan:
    """Return what ``rate`` records a second need.

    ``commits_a_minute`` are those to the log that has most: every flush commits to quarantine.
    The price of storage is that of one month's records, kept for a month.
    """
    cores = rate * (given.redaction + given.rest) / 1_000_000
    workers = max(1, math.ceil(cores / given.busy))
    flushes = workers * TOPICS / given.flush_seconds
    requests = flushes * COMMITS_A_FLUSH * (given.requests_a_commit + 1)  # and one data file each
    stored = rate * given.record_bytes * given.stored_share / 1e9
    return Plan(
        rate=rate,
        cores=cores,
        workers=workers,
        partitions=2 * workers,
        commits_a_minute=flushes * 60,
        requests_a_day=requests * DAY,
        stored_a_day_gb=stored * DAY,
        erasure_hours=rate * DAY * given.kept_days / 1e6 * given.erasure / 3600,
        drift_minutes=rate * DAY / 1e6 * given.drift / 60,
        cores_price=workers * given.core_price * MONTH / 3600,
        requests_price=requests * MONTH / 1000 * given.request_price,
        storage_price=stored * MONTH * given.storage_price,
    )


ROWS: Sequence[tuple[str, str, str]] = (
    ("records a second", "rate", "{:,.0f}"),
    ("cores at work", "cores", "{:,.3f}"),
    ("workers", "workers", "{:,}"),
    ("partitions of a topic, at least", "partitions", "{:,}"),
    ("commits a minute to the busiest log", "commits_a_minute", "{:,.0f}"),
    ("requests to the bucket a day", "requests_a_day", "{:,.0f}"),
    ("stored a day, GB", "stored_a_day_gb", "{:,.2f}"),
    ("an erasure over what is kept, CPU-hours", "erasure_hours", "{:,.2f}"),
    ("drift, CPU-minutes for each day that it reads", "drift_minutes", "{:,.2f}"),
    ("workers, dollars a month", "cores_price", "{:,.0f}"),
    ("requests, dollars a month", "requests_price", "{:,.0f}"),
    ("a month's records for a month, dollars", "storage_price", "{:,.0f}"),
)


def render_plans(plans: Sequence[Plan]) -> str:
    """Return the plans as a table in Markdown, one column each."""
    lines = [
        f"| {name} | {' | '.join(form.format(getattr(plan, field)) for plan in plans)} |"
        for name, field, form in ROWS
    ]
    return "\n".join([lines[0], "|---|" + "---|" * len(plans), *lines[1:]])


@click.command()
@click.option("--rates", default="10,1000,100000", show_default=True, help="Records a second.")
def main(*, rates: str, **inputs: float) -> None:
    """Print the plans."""
    given = PlanInputs(**inputs)
    click.echo(render_plans([make_plan(float(rate), given) for rate in rates.split(",")]))


for _input in fields(PlanInputs):
    _name = f"--{_input.name.replace('_', '-')}"
    main = click.option(_name, type=float, default=_input.default, show_default=True)(main)


if __name__ == "__main__":
    main()
