"""Compares one worker process with two, on one machine: wall and CPU time.

    python -m benchmarks.scaling [--records 300000] [--rounds 2]

The start-up time (imports, joining the group) is subtracted by running each over an empty topic
first.
"""

import click

from benchmarks.worker import Job, own_kafka, prepared


def cost(job: Job, empty: Job, workers: int) -> tuple[float, float]:
    """Return the wall and the CPU seconds of the work alone."""
    args = ("--workers", str(workers)) if workers > 1 else ()
    full, start = job.goldpan(*args), empty.goldpan(*args)
    return full.wall - start.wall, full.cpu - start.cpu


@click.command()
@click.option("--records", default=300_000, show_default=True)
@click.option("--rounds", default=2, show_default=True)
def main(records: int, rounds: int) -> None:
    """Compare one process with two."""
    with own_kafka() as (kafka, folder):
        job = prepared(kafka, folder, count=records, size=1800)
        empty = prepared(kafka, folder, count=1, size=1800)
        for _ in range(rounds):
            (wall, cpu), (wall_of_two, cpu_of_two) = cost(job, empty, 1), cost(job, empty, 2)
            click.echo(
                f"  one process {wall:.1f} s, two {wall_of_two:.1f} s: "
                f"{wall / wall_of_two:.2f} times as fast, {cpu_of_two / cpu:.2f} times the CPU "
                f"({cpu_of_two / records * 1e6:.1f} against {cpu / records * 1e6:.1f} CPU-s "
                "a million)"
            )


if __name__ == "__main__":
    main()
