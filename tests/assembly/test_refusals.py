"""What is refused is counted and named by a mark, with its reason and nothing of its content."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from assembly.refusals import mark_trace
from batch.trace_assembly.trace_reconciler import TraceRequest
from redact.pipeline.passthrough import PassthroughRedactor
from redact.pipeline.redactor import RedactionOutcome
from schemas.record_batches import DecodedBatch, RejectedRecord
from stream.assembly_driver.observer import AssemblyObserver
from stream.metrics import Metrics
from tests.assembly.test_feedback import vote
from tests.assembly.test_trace_reconciler import make_job
from tests.assembly.world import World
from tests.otel.make_spans import TRACE, chat, span

SECRET = "the secret of Mia Li"


class RefusingRedactor:
    """Refuses records whose ids are in ``refused``."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)

    def redact_again(self, decoded: DecodedBatch[Any], *, ingested_at: int) -> RedactionOutcome:
        """Return the others as they are."""
        of_trace = [record.trace_id for record in decoded.records]
        kept = [n for n, trace_id in enumerate(of_trace) if trace_id not in self.refused]
        rejected = [
            RejectedRecord(decoded.topic, "residual_pii", "A value was still there.", raw)
            for raw, trace_id in zip(decoded.raws, of_trace, strict=True)
            if trace_id in self.refused
        ]
        outcome = PassthroughRedactor().redact(decoded.subset(kept), ingested_at=ingested_at)
        return replace(outcome, rejected=rejected)


@pytest.fixture
def refusing_world(tmp_path: Path) -> World:
    """A lake with two traces; redaction refuses one of them."""
    world = World(tmp_path)
    world.arrive(span(1), chat(2, 1, said=SECRET), chat(3, trace_id="f" * 32))
    return world


def test_a_refused_row_is_logged_and_counted(refusing_world: World) -> None:
    """The worker's log has the reason and the mark of the trace, and the metric counts it."""
    stage = refusing_world.stage(redactor=RefusingRedactor(TRACE))
    stage.wait(6)
    assert [row["trace_id"] for row in refusing_world.rows()] == ["f" * 32]
    registry = CollectorRegistry()
    with structlog.testing.capture_logs() as logs:
        observer = AssemblyObserver(Metrics(registry), structlog.get_logger(), lambda: 0)
        observer.assembled(stage.reports.outcomes)
    (event,) = [each for each in logs if each["event"] == "rows_refused"]
    assert (event["reason"], event["rows"]) == ("residual_pii", 1)
    assert event["traces"] == [mark_trace(TRACE)]
    assert SECRET not in str(logs)
    labels = {"reason": "not_redacted"}
    assert registry.get_sample_value("goldpan_traces_without_row_total", labels) == 1


def test_a_row_that_breaks_a_rule_says_which(tmp_path: Path) -> None:
    """Without its value."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(chat(1))
    stage.wait(60)
    (trace,) = [outcome.trace for outcome in stage.reports.outcomes]
    wrong = {"started_at": "1066-10-14T00:00:00Z"}, {"messages": SECRET}
    found = [
        stage.stage.writer.build([replace(trace, row={**(trace.row or {}), **each})], {}).refused
        for each in wrong
    ]
    assert [(each[TRACE].kind, each[TRACE].reason) for each in found] == [
        ("invalid", "out_of_range"),
        ("invalid", "invalid"),
    ]
    assert SECRET not in str(found)


def test_the_job_lists_what_it_refuses(refusing_world: World) -> None:
    """Rows by the marks of their traces, and feedback by its reason."""
    early = replace(vote("trace", "f" * 32), time_ns=1_000_000, feedback_id="f2")
    refusing_world.arrive(vote("trace", TRACE), early)
    refusing_world.stage().finish()
    job = make_job(refusing_world, redactor=RefusingRedactor(TRACE))
    report = job.run(TraceRequest()).to_json()
    assert report["without_row"] == {"not_redacted": 1}
    (row,) = report["refused_rows"]
    assert (row["trace"], row["reason"]) == (mark_trace(TRACE), "residual_pii")
    assert report["feedback_refused"] == {"invalid": 1}
