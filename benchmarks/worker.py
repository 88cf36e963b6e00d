"""Compares the worker with bare consuming, with the plain loop, and with Presidio in that loop.

    python -m benchmarks.worker [--records 200000] [--rounds 2] [--size 1800] [--size 14000]
    python -m benchmarks.worker --redaction --varied [--labels] [--compiled FOLDER] [--short]

Each round runs all in turn over the same topic on a real Kafka (4 partitions, lz4). CPU time is
user + system of all processes, memory the peak of the largest. The first figure includes the
start-up, the second leaves it out: that of a run over a few records. Ratios are of the second,
within a round.

By default redaction and labels are off, as the plain loop has neither. With ``--redaction`` goldpan
redacts by its default policy, with the model, as pure Python and compiled (``--compiled`` as in
`benchmarks.redaction`). Presidio then reads 2,000 records without a model, as shipped and with the
same recognisers as goldpan. With ``--labels`` it decides labels.
``--varied`` is traffic in which users and messages differ, with feedback.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from typing import Final, NamedTuple

import click

from benchmarks.compiled_folder import find_compiled
from benchmarks.options import COUNT
from benchmarks.processes import Cost, run
from benchmarks.python_build import describe_python
from benchmarks.traffic import produce, traces
from benchmarks.varied_traffic import send_varied
from benchmarks.versions import python_path
from tests.servers.compiled_build import lay_out
from tests.servers.kafka import Kafka, make_kafka, prepare_kafka

KEY = "Z29sZHBhbi1iZW5jaG1hcmsta2V5LW5vdC1zZWNyZXQ="
REDACTION: Final = {"GOLDPAN_REDACT__POLICY": "strict"}
LABELS: Final = {"GOLDPAN_LABELS__POLICY": "chat_support"}
_PRESIDIO: Final[Mapping[str, Sequence[str]]] = {"+ Presidio": (), "+ Presidio, same": ("same",)}
_FEW: Final = 400
_OF_PRESIDIO: Final = 2_000
_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Job:
    """A topic to read, where the results are written, and more settings of goldpan."""

    kafka: Kafka
    topic: str
    count: int
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> Mapping[str, str]:
        """Return the settings of goldpan for this topic; each call reads it from the start."""
        lake = tempfile.mkdtemp(prefix="lake-", dir=self.folder)
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith("GOLDPAN_")},
            "GOLDPAN_KAFKA__BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "GOLDPAN_KAFKA__TRACES_TOPIC": self.topic,
            "GOLDPAN_KAFKA__FEEDBACK_TOPIC": f"{self.topic}.feedback",
            "GOLDPAN_KAFKA__GROUP_ID": Path(lake).name,
            "GOLDPAN_LAKE__URI": lake,
            "GOLDPAN_REDACT__POLICY": "off",
            "GOLDPAN_LABELS__POLICY": "off",  # the rivals decide none; see labels_worker
            "GOLDPAN_REDACT__KEY": KEY,
            "GOLDPAN_METRICS__PORT": "0",
            "GOLDPAN_LOG__FORMAT": "json",
            **self.settings,
            **more,
        }

    def rival(self, name: str, *args: str) -> Cost:
        """Run one of the rivals."""
        module = f"benchmarks.rivals.{name}"
        command = [sys.executable, "-m", module, self.kafka.bootstrap, self.topic, str(self.count)]
        return run([*command, *args], os.environ)

    def rival_with_table(self, name: str, *args: str) -> Cost:
        """Run a rival that writes a table, into a new one."""
        return self.rival(name, tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder), *args)

    def goldpan(self, *args: str, **settings: str) -> Cost:
        """Run the worker until it has caught up."""
        command = [sys.executable, "-P", "-m", "goldpan", "stream", "run", "--until-caught-up"]
        return run([*command, *args], self.environment(**settings))


def prepared(  # noqa: PLR0913  # a topic's shape, by name
    kafka: Kafka,
    folder: Path,
    *,
    count: int,
    size: int,
    partitions: int = 4,
    varied: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Job:
    """Return a job whose topic holds ``count`` traces of about ``size`` bytes."""
    topic = kafka.new_topic(f"traces-{size}-{count}", partitions)
    kafka.create_topic(f"{topic}.feedback", partitions)
    if varied:
        sent = send_varied(kafka.bootstrap, topic, count)
    else:
        sent = produce(kafka.bootstrap, topic, traces(count, size))
    click.echo(f"{count:,} traces of {sent / count:,.0f} bytes on {partitions} partitions")
    return Job(kafka, topic, count, folder, settings or {})


class Round(NamedTuple):
    """What a program took: for a job, and for a few records, which is mostly its start."""

    cost: Cost
    records: int
    start: Cost
    few: int

    @property
    def cpu(self) -> float:
        """Return the CPU-seconds a million records, without the start."""
        return (self.cost.cpu - self.start.cpu) / (self.records - self.few) * 1e6


@dataclass(frozen=True, slots=True)
class Jobs:
    """The same traffic in three lengths: all, a few records, and those that Presidio reads."""

    all: Job
    few: Job
    presidio: Job

    def measure(self, work: Callable[[Job], Cost], job: Job | None = None) -> Round:
        """Run a program over a few records, then over a job, by default all."""
        job = job or self.all
        start = work(self.few)
        return Round(work(job), job.count, start, self.few.count)


def one_round(
    jobs: Jobs,
    builds: Mapping[str, Mapping[str, str]],
    *,
    presidio: Mapping[str, Sequence[str]],
) -> None:
    """Run all programs in turn, and print what each took."""
    show_round("consume", jobs.measure(lambda job: job.rival("consume")))
    plain = jobs.measure(lambda job: job.rival_with_table("plain_loop"))
    show_round("plain loop", plain)
    rivals = {"plain loop": plain}
    for name, args in presidio.items():
        work = methodcaller("rival_with_table", "presidio_loop", *args)
        slow = jobs.measure(work, jobs.presidio)
        show_round(name, slow, rivals)
        rivals[name] = slow
    for name, settings in builds.items():
        show_round(name, jobs.measure(methodcaller("goldpan", **settings)), rivals)


def show_round(name: str, own: Round, rivals: Mapping[str, Round] | None = None) -> None:
    """Print one line of results, with the ratios of CPU to others."""
    ratios = "".join(
        f"   {own.cpu / other.cpu:.3g} x {rival}" for rival, other in (rivals or {}).items()
    )
    click.echo(
        f"  {name:<18}{own.records / own.cost.wall:>8,.0f} records/s"
        f"{own.cost.cpu / own.records * 1e6:>9,.1f} CPU-s per million"
        f"{own.cpu:>9,.1f} without start ({own.start.cpu:.1f} CPU-s)"
        f"{own.cost.peak_bytes / 2**20:>6.0f} MiB{ratios}"
    )


def builds_of_goldpan(folder: Path, compiled: Path | None) -> dict[str, dict[str, str]]:
    """Return the settings of each build of redaction, by its name; ``folder`` is for links."""
    made = find_compiled(compiled)
    if not (made / "goldpan").exists():  # only what is compiled, not an installed wheel
        folder.mkdir()
        made = lay_out(made, folder)
    builds = {
        name: {"PYTHONPATH": python_path(each, _ROOT)}
        for name, each in (("pure", _ROOT), ("compiled", made))
    }
    for build, settings in builds.items():
        command = [sys.executable, "-P", "-m", "goldpan", "--version"]
        version = subprocess.check_output(command, env={**os.environ, **settings}, text=True)
        if f"({build})" not in version:
            raise click.UsageError(f"redaction must be {build}, but this is {version.strip()}")
    return {f"goldpan, {build}": settings for build, settings in builds.items()}


@contextmanager
def own_kafka() -> Iterator[tuple[Kafka, Path]]:
    """Start a broker, and make a folder for what is written; both end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="goldpan-bench-"))
    kafka = make_kafka(prepare_kafka(), folder, {}).start()
    try:
        yield kafka, folder
    finally:
        kafka.close()
        shutil.rmtree(folder, ignore_errors=True)


class Traffic(NamedTuple):
    """What the topics of a comparison hold."""

    records: int
    of_presidio: int
    few: int
    varied: bool

    def prepare(self, kafka: Kafka, folder: Path, size: int, settings: Mapping[str, str]) -> Jobs:
        """Fill the topics of three jobs."""
        counts = self.records * 1800 // max(size, 1800), self.few, self.of_presidio
        jobs = [
            prepared(kafka, folder, count=count, size=size, varied=self.varied, settings=settings)
            for count in counts
        ]
        return Jobs(*jobs)


@click.command()
@click.option("--records", type=COUNT, help="By default 200000, with redaction 40000.")
@click.option("--rounds", type=COUNT, default=2, show_default=True)
@click.option("--size", "sizes", multiple=True, type=COUNT, help="By default 1800 and 14000.")
@click.option("--redaction", is_flag=True, help="goldpan redacts, by its default policy.")
@click.option("--labels", is_flag=True, help="goldpan decides labels.")
@click.option("--varied", is_flag=True, help="Other users and messages in each conversation.")
@click.option("--compiled", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--short", is_flag=True, help="A few records, to see that it works.")
def main(  # noqa: PLR0913  # the options
    records: int | None,
    rounds: int,
    sizes: tuple[int, ...],
    compiled: Path | None,
    *,
    redaction: bool,
    labels: bool,
    varied: bool,
    short: bool,
) -> None:
    """Compare the worker with its rivals."""
    click.echo(describe_python())
    settings = (REDACTION if redaction else {}) | (LABELS if labels else {})
    number = records or (40_000 if redaction else 200_000)
    traffic = Traffic(number, _OF_PRESIDIO, _FEW, varied)
    if short:
        traffic, rounds, sizes = Traffic(60, 40, 20, varied), 1, (1800,)
    with own_kafka() as (kafka, folder):
        builds: dict[str, dict[str, str]] = {"goldpan": {}}
        if redaction:
            builds = builds_of_goldpan(folder / "site", compiled)
        for size in sizes or ((1800,) if varied else (1800, 14000)):
            jobs = traffic.prepare(kafka, folder, size, settings)
            for each in range(rounds):
                click.echo(f" round {each + 1}")
                one_round(jobs, builds, presidio=_PRESIDIO if redaction else {})


if __name__ == "__main__":
    main()
