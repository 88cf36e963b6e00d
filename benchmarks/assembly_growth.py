"""CPU time of the assembly by the spans of a trace, and of its index by open traces.

    python -m benchmarks.assembly_growth [--open 1000000]

It prints microseconds of CPU per span (read from the lake, assembled, redacted by the policy `off`,
committed) and per arrival of the index.
"""

import tempfile
import time
from pathlib import Path
from typing import Final

import click

from otel.open_traces import AssemblyTerms, OpenTraces, TraceArrival
from tests.assembly.world import World
from tests.otel.make_spans import chat, span

SPANS: Final = 10_000
SIZES: Final = (1, 10, 100, 10_000)
OPEN: Final = (1_000, 10_000, 100_000)
ARRIVE_EVERY_US: Final = 100
"""The time between two traces: 10,000 a second. They are taken in out of their order."""


def time_spans(size: int, folder: Path) -> float:
    """Return seconds of CPU per span for traces of a size."""
    world = World(folder)
    items = []
    for number in range(SPANS // size):
        trace_id = f"{number + 1:032x}"
        items.append(chat(1, trace_id=trace_id))
        items += [span(child, 1, trace_id=trace_id) for child in range(2, size + 1)]
    world.arrive(*items)
    stage = world.stage()
    began = time.process_time()
    stage.wait(6)
    took = time.process_time() - began
    if len(stage.reports.outcomes) != SPANS // size:
        raise SystemExit("not every trace was assembled")
    return took / SPANS


def time_index(count: int) -> float:
    """Return seconds of CPU per arrival: taking it in, finding it due, closing it."""
    state = OpenTraces(AssemblyTerms())
    began = time.process_time()
    for number in range(count):
        at_us = number * 7919 % count * ARRIVE_EVERY_US
        state.add(TraceArrival(f"{number:032x}", number, number, 1, at_us, at_us, 0, ended=True))
    while due := state.take_due(2**60, max_rows=20_000):
        for trace_id in due:
            state.close(trace_id, revision=1)
    return (time.process_time() - began) / count


@click.command()
@click.option(
    "--open", "most", default=1_000_000, show_default=True, help="Open traces of the last line."
)
def main(most: int) -> None:
    """Print the tables."""
    click.echo("spans per trace   CPU per span")
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            click.echo(f"{size:15,}   {time_spans(size, Path(folder)) * 1e6:8.0f} µs")
    click.echo("open traces       CPU per arrival")
    for count in (*[count for count in OPEN if count < most], most):
        click.echo(f"{count:15,}   {time_index(count) * 1e6:8.1f} µs")


if __name__ == "__main__":
    main()
