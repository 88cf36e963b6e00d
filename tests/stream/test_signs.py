"""What the worker shows of itself: events, histograms, probes, lag; and crashes on purpose."""

import ast
import signal
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from schemas.errors import FatalError, UsageError
from stream.events import WORKER_EVENTS
from stream.failpoints import FailPoint, FlushStep, ignore_step, parse_failpoint
from stream.metrics import FRESHNESS_BUCKETS, BulkHistogram, MetricKind, MetricSpec
from stream.probes import ProbeServer

ROOT = Path(__file__).parents[2]


def logged_names() -> dict[str, str]:
    """Return each constant that the code logs as an event, and where."""
    found = {}
    for file in [
        *sorted((ROOT / "stream").rglob("*.py")),
        *sorted((ROOT / "goldpan").rglob("*.py")),
    ]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if _logs(node):
                name = node.args[0]  # type: ignore[attr-defined]
                if isinstance(name, ast.Constant):
                    found[str(name.value)] = f"{file.name}:{name.lineno}"
    return found


def _logs(node: ast.AST) -> bool:
    """Tell whether a node is a call such as ``self.log.info("name", …)``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"info", "warning", "error"}
        and bool(node.args)
        and ast.unparse(node.func.value).rpartition(".")[2] in {"log", "logger"}
    )


def test_every_event_in_the_code_is_in_the_list() -> None:
    """The list is what operators read; nothing is logged beside it."""
    names = logged_names()
    assert len(names) > 10
    assert {name: place for name, place in names.items() if name not in WORKER_EVENTS} == {}


SECONDS = st.lists(
    st.floats(-10, 1e6) | st.sampled_from([float(bound) for bound in FRESHNESS_BUCKETS]),
    max_size=50,
)


@given(batches=st.lists(SECONDS, min_size=1, max_size=4))
def test_a_bulk_histogram_is_a_histogram(batches: list[list[float]]) -> None:
    """The same values give the same text as one by one through Prometheus' own."""
    spec = MetricSpec("x_seconds", MetricKind.HISTOGRAM, "m", ("topic",), FRESHNESS_BUCKETS)
    bulk, single = CollectorRegistry(), CollectorRegistry()
    mine = BulkHistogram(spec)
    bulk.register(mine)
    theirs = Histogram(spec.name, "m", spec.labels, registry=single, buckets=spec.buckets)
    for batch in batches:
        mine.observe("t", np.array(batch, dtype=np.float64))
        for value in batch:
            theirs.labels("t").observe(value)
    if any(batches):
        assert samples(bulk) == samples(single)


def samples(registry: CollectorRegistry) -> dict[str, object]:
    """Return the series of a registry, but for when they were made."""
    lines = [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]
    pairs = (line.rsplit(" ", 1) for line in lines if "_created" not in line)
    return {name: pytest.approx(float(value), rel=1e-6, abs=1e-3) for name, value in pairs}


def get(port: int, path: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_probes_say_how_it_is_now() -> None:
    """Each request asks again; what is not well is told in a sentence."""
    registry = CollectorRegistry()
    Gauge("goldpan_x", "m", registry=registry).set(7)
    trouble: list[str | None] = [None]
    probes = ProbeServer(
        "127.0.0.1", 0, registry=registry, live=lambda: None, ready=lambda: trouble[0]
    )
    try:
        assert get(probes.port, "/readyz") == (200, "ok\n")
        trouble[0] = "the lake does not answer"
        assert get(probes.port, "/readyz") == (503, "the lake does not answer\n")
        assert get(probes.port, "/livez") == (200, "ok\n")
        assert "goldpan_x 7.0" in get(probes.port, "/metrics")[1]
        assert get(probes.port, "/other")[0] == 404
        with pytest.raises(FatalError, match="GOLDPAN_METRICS__PORT"):
            ProbeServer(
                "127.0.0.1",
                probes.port,
                registry=registry,
                live=lambda: None,
                ready=lambda: None,
            )
    finally:
        probes.close()


@pytest.mark.parametrize("step", FlushStep)
def test_a_fail_point_sends_its_signal_once(step: FlushStep) -> None:
    """At the n-th time that its step is reached, and at no other."""
    point = parse_failpoint(f"{step}:2=stop")
    assert isinstance(point, FailPoint)
    sent: list[int] = []
    point.send = lambda _pid, number: sent.append(number)
    for _ in range(3):
        for reached in FlushStep:
            point(reached)
    assert sent == [signal.SIGSTOP]


def test_without_a_fail_point_nothing_happens() -> None:
    """The setting is empty but in tests."""
    assert parse_failpoint(None) is ignore_step
    assert parse_failpoint("sealed") == FailPoint(FlushStep.SEALED, signal.SIGKILL, 1)


@pytest.mark.parametrize(
    "text", ["", "nowhere", "sealed:x", "sealed=explode", "sealed:1=kill=stop"]
)
def test_a_fail_point_that_does_not_exist_is_told(text: str) -> None:
    """With the list of those that do."""
    with pytest.raises(UsageError, match=r"GOLDPAN_STREAM__FAIL_AT.*quarantine_committed"):
        parse_failpoint(text)
