"""Whatever happens on the way, the rows in force are those of an undisturbed run."""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.assembly.world import SECOND_US, TERMS, World
from tests.otel.make_spans import chat, span
from tests.short_versions import short

LONG_TERM = replace(TERMS, term_us=100_000 * SECOND_US)


class KilledError(BaseException):
    """The process dies here."""


def make_traces(count: int) -> list[list[Any]]:
    """Return the spans of traces: a root with two calls, a bare call, or one without its root."""
    traces = []
    for number in range(1, count + 1):
        trace_id = f"{number:032x}"
        calls = [chat(n, 1, trace_id=trace_id, answer=f"{number} {n}") for n in (2, 3)]
        match number % 3:
            case 0:
                traces.append([span(1, trace_id=trace_id), *calls])
            case 1:
                traces.append([chat(1, trace_id=trace_id, answer=str(number))])
            case _:
                traces.append(calls)
    return traces


def rows_at_once(folder: Path, traces: Sequence[Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows in force if each trace arrives at once."""
    world = World(folder)
    world.arrive(*(item for trace in traces for item in trace))
    world.stage().finish()
    return world.in_force()


@cache
def undisturbed(count: int) -> dict[str, dict[str, Any]]:
    """Return the rows in force if each of so many traces arrives at once."""
    with TemporaryDirectory() as folder:
        return rows_at_once(Path(folder) / "plain", make_traces(count))


@pytest.mark.parametrize("seed", short(range(6), range(2)))
def test_shuffled_split_repeated_late_and_restarted(tmp_path: Path, seed: int) -> None:
    """Any order, any split over records, copies, delays, restarts and second owners."""
    draw = random.Random(seed)  # noqa: S311 - reproducible
    traces = make_traces(12)
    spans = [item for trace in traces for item in trace]
    spans += draw.sample(spans, 8)
    draw.shuffle(spans)
    world = World(tmp_path / "disturbed")
    stage, other = world.stage(terms=LONG_TERM), world.stage(terms=LONG_TERM)
    while spans:
        size = draw.randint(1, 5)
        world.arrive(*spans[:size], after=draw.choice([0, 0, 1, 4, 20, 400]))
        del spans[:size]
        match draw.randint(0, 5):
            case 0:
                stage = world.stage(terms=LONG_TERM)
            case 1:
                other.wait(0)
            case _:
                stage.wait(draw.choice([0, 1, 6, 40]))
    stage.finish()
    assert world.in_force() == undisturbed(12)
    world.check_sequences()


@pytest.mark.parametrize("step", ["read", "written", "committed"])
@pytest.mark.parametrize("time", short(range(3), [0, 2]))
def test_killed_at_each_step(tmp_path: Path, step: str, time: int) -> None:
    """The next owner ends with the same rows, and writes none twice."""
    world, traces = World(tmp_path / "disturbed"), make_traces(9)
    seen = [0]

    def die(reached: str) -> None:
        seen[0] += reached == step
        if seen[0] == time + 1:
            raise KilledError

    for trace in traces:
        world.arrive(*trace[:1])
        world.arrive(*trace[1:], after=2)
    stage = world.stage(reached=die, cycle_rows=3)
    with pytest.raises(KilledError):
        stage.finish()
    after = world.stage()
    after.finish()
    assert world.in_force() == undisturbed(9)
    assert {row["revision"] for row in world.rows()} == {1}
    world.check_sequences()
