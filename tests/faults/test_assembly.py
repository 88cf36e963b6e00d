"""Spans on a real Kafka become whole traces, whatever happens to spans and workers.

The rows in force always equal those of spans that arrive in order, at once and undisturbed.
"""

import json
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otel.assembly_rules import AssemblyRules, read_own_prices
from otel.formats import decode_signals
from otel.signals import OtelSpan
from stream.failpoints import FlushStep
from tests.assembly.world import World
from tests.faults.span_scene import SpanScene, encode_spans, make_traces
from tests.kill_harness import KILLED
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import run_goldpan
from tests.short_versions import short

STEPS = (FlushStep.ASSEMBLY_READ, FlushStep.ASSEMBLY_WRITTEN, FlushStep.ASSEMBLY_COMMITTED)


@pytest.fixture
def assembly_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> SpanScene:
    """A topic of spans on the shared broker, and a lake in a folder."""
    return SpanScene(kafka, tmp_path, start_worker)


def undisturbed(folder: Path, spans: Iterable[OtelSpan]) -> dict[str, dict[str, Any]]:
    """Return the rows in force if all spans arrive in order and at once."""
    once = {span.trace_id + span.span_id: span for span in spans}
    decoded = decode_signals("otlp", encode_spans(once.values()), ())
    world = World(folder)
    world.arrive(*decoded.spans)
    world.stage(rules=AssemblyRules(prices=read_own_prices())).finish()
    return world.in_force()


def assert_as_undisturbed(scene: SpanScene) -> None:
    """Fail unless every span is stored once and every trace has the row that it should."""
    scene.assert_every_span_once()
    scene.assert_sequences()
    expected = undisturbed(scene.folder / "control", scene.produced)
    assert scene.in_force() == expected
    assert len(expected) == len({span.trace_id for span in scene.produced})


def test_spans_become_traces(assembly_scene: SpanScene) -> None:
    """From OTLP on Kafka to rows of traces; nothing is open when the worker ends."""
    assembly_scene.produce(*make_traces(10))
    worker = assembly_scene.catch_up()
    assert worker.logs("traces_assembled"), worker.tail()
    assert_as_undisturbed(assembly_scene)
    env = assembly_scene.env()
    proof = answer(env, "lake", "verify", "--deep")
    assert (proof["ok"], proof["assembled"]["equal"]) == (True, 10)
    assert answer(env, "otel", "reconcile")["unchanged"] == 10
    shown = answer(env, "otel", "explain", f"{2:032x}")
    assert (shown["has_row"], shown["stored"]["revision"], shown["stored_rows"]) == (True, 1, 3)


def answer(env: Mapping[str, str], *command: str) -> Any:
    """Return what a command answers as JSON."""
    done = run_goldpan(env, *command, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_shuffled_split_and_sent_twice_with_late_spans(assembly_scene: SpanScene) -> None:
    """In any order over both partitions, with copies, and with spans that come after the rows."""
    draw = random.Random(7)  # noqa: S311 - reproducible
    spans = [span for trace in make_traces(30) for span in trace]
    spans += draw.sample(spans, 20)
    draw.shuffle(spans)
    early, late = spans[:70], spans[70:]
    assembly_scene.produce(*(early[at : at + 4] for at in range(0, len(early), 4)))
    assembly_scene.catch_up()
    assembly_scene.produce(*(late[at : at + 3] for at in range(0, len(late), 3)))
    assembly_scene.catch_up()
    assert_as_undisturbed(assembly_scene)
    assert max(row["revision"] for row in assembly_scene.rows("traces")) == 2


@pytest.mark.parametrize("step", short(STEPS, STEPS[1:2]))
def test_killed_at_a_step_of_the_assembly(assembly_scene: SpanScene, step: FlushStep) -> None:
    """The next worker assembles what is missing, and nothing twice."""
    spans = [span for trace in make_traces(20) for span in trace]
    random.Random(3).shuffle(spans)  # noqa: S311 - reproducible
    assembly_scene.produce(*(spans[at : at + 5] for at in range(0, len(spans), 5)))
    worker = assembly_scene.start(stream__fail_at=f"{step}:1")
    assert worker.wait() == KILLED, worker.tail()
    assembly_scene.catch_up()
    assert_as_undisturbed(assembly_scene)


def test_two_workers_and_a_rebalance_in_mid_trace(assembly_scene: SpanScene) -> None:
    """Spans without keys lie in partitions of two workers; one joins late, and one is killed."""
    traces = make_traces(40)
    parts = [[span] for trace in traces for span in trace]
    random.Random(5).shuffle(parts)  # noqa: S311 - reproducible
    first = assembly_scene.start(name="first")
    first.wait_for_log("partitions_assigned")
    assembly_scene.produce(*parts[:30])
    second = assembly_scene.start(name="second")
    second.wait_for_log("partitions_assigned")
    assembly_scene.produce(*parts[30:70])
    second.wait_for_log("traces_assembled")
    first.sigkill()
    assembly_scene.produce(*parts[70:])
    assembly_scene.catch_up()
    assert second.alive
    assert_as_undisturbed(assembly_scene)


@pytest.mark.chaos
def test_a_planned_rebalance_in_mid_trace(assembly_scene: SpanScene) -> None:
    """A worker joins and another one leaves in order, while half of each trace has arrived."""
    traces = make_traces(40)
    begun, rest = [trace[:1] for trace in traces], [trace[1:] for trace in traces if trace[1:]]
    waits = {"assembly__quiet_seconds": 3, "assembly__idle_seconds": 5}
    first = assembly_scene.start(name="first", **waits)
    first.wait_for_log("partitions_assigned")
    assembly_scene.produce(*begun)
    second = assembly_scene.start(name="second", **waits)
    second.wait_for_log("assembly_rebuilt")
    assembly_scene.produce(*rest[::2])
    first.sigterm()
    first.finish()
    assembly_scene.produce(*rest[1::2])
    assembly_scene.catch_up()
    assert second.alive
    assert_as_undisturbed(assembly_scene)


TEN_MINUTES = 600.0
SPED_UP = 100
DEFAULT_WAITS = {"quiet_seconds": 5.0, "idle_seconds": 300.0, "term_seconds": 3600.0}
LATE = {
    "within the term": (TEN_MINUTES / SPED_UP, {n: s / SPED_UP for n, s in DEFAULT_WAITS.items()}),
    "after the term": (2.5, {"quiet_seconds": 0.1, "idle_seconds": 0.5, "term_seconds": 0.3}),
}
"""How many seconds later the last spans come, and the waits of the worker.

The first is ten minutes under the defaults, a hundred times as fast.
"""


@pytest.mark.chaos
@pytest.mark.parametrize("late", LATE)
def test_the_root_comes_first_and_other_spans_ten_minutes_late(
    assembly_scene: SpanScene, late: str
) -> None:
    """One worker runs all the time: it makes a row, and the next revision from all spans."""
    seconds, waits = LATE[late]
    traces = make_traces(10)
    settings: dict[str, Any] = {f"assembly__{name}": wait for name, wait in waits.items()}
    worker = assembly_scene.start(**settings)
    worker.wait_for_log("partitions_assigned")
    for place in (0, 1):
        assembly_scene.produce(*([span] for trace in traces for span in trace[place : place + 1]))
    worker.wait_until(lambda: len(assembly_scene.in_force()) == len(traces), what="making rows")
    time.sleep(seconds)
    assembly_scene.produce(*(trace[2:] for trace in traces if trace[2:]))
    expected = undisturbed(assembly_scene.folder / "expected", assembly_scene.produced)
    worker.wait_until(lambda: assembly_scene.in_force() == expected, what="taking late spans in")
    worker.sigterm()
    worker.finish()
    assembly_scene.catch_up()
    assert_as_undisturbed(assembly_scene)
    assert max(row["revision"] for row in assembly_scene.rows("traces")) == 2


def test_a_root_that_never_ends_and_one_that_never_comes(assembly_scene: SpanScene) -> None:
    """Their traces wait for the idle period and say what is missing."""
    whole = make_traces(2, first=2)
    root, *calls = make_traces(1, first=12)[0]
    begun = [replace(root, end_ns=0), *calls]
    assembly_scene.produce(*whole, begun, make_traces(1, first=11)[0])
    assembly_scene.catch_up()
    reasons = {row["trace_id"][-2:]: row["incomplete"] for row in assembly_scene.rows("traces")}
    assert reasons == {"02": [], "03": [], "0c": ["root_not_ended"], "0b": ["root_missing"]}
