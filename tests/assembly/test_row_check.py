"""Assembled rows are what their spans give; a row that somebody changed is found."""

from pathlib import Path

import pytest

from assembly.trace_assembler import TraceAssembler
from batch.trace_assembly import row_check
from batch.trace_assembly.row_check import RowCheck, RowCheckReport
from batch.trace_assembly.trace_reconciler import TraceRequest
from lake.verify import verify_lake
from otel.assembly_rules import AssemblyRules, read_own_prices
from tests.assembly.test_trace_reconciler import make_job
from tests.assembly.world import World
from tests.lake.kit import open_lake
from tests.otel.make_spans import chat, span


def check(world: World, policy: str = "off", rules: AssemblyRules | None = None) -> RowCheckReport:
    """Check the rows of a world's lake."""
    job = make_job(world)
    assembler = TraceAssembler() if rules is None else TraceAssembler(rules)
    return RowCheck(job.spans, job.writer, assembler, policy, lambda: world.now_us).run()


@pytest.fixture
def assembled_world(tmp_path: Path) -> World:
    """A lake with two assembled traces, one of them revised."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(span(1), chat(2, 1))
    world.arrive(chat(3, trace_id="f" * 32))
    stage.wait(6)
    world.arrive(chat(4, 1, answer="better"), after=10)
    stage.finish()
    return world


def test_an_untouched_lake_is_sound(assembled_world: World) -> None:
    """By the ledger, by the files, and row by row."""
    problems = verify_lake(open_lake(assembled_world.folder), deep=True).problems
    # The spans of this lake were not flushed by a worker, which also moves quarantine's position.
    assert [problem for problem in problems if "quarantine" not in problem] == []
    assert check(assembled_world).to_json() == {
        "equal": 2,
        "older_mapping": 0,
        "other_policy": 0,
        "behind": 0,
        "without_spans": 0,
        "kept": 0,
        "different": 0,
    }


def test_rows_that_cannot_be_made_again_are_counted(assembled_world: World) -> None:
    """Rows of an older mapping, of another policy, and rows whose spans are younger."""
    assert check(assembled_world, policy="p").rows["other_policy"] == 2
    assembled_world.arrive(chat(5, 1, answer="new"), after=1)
    assert check(assembled_world).rows == {"behind": 1, "equal": 1}
    priced = AssemblyRules(prices=read_own_prices())
    assert check(assembled_world, rules=priced).rows["older_mapping"] == 2


def test_a_row_that_is_not_what_its_spans_give_is_a_problem(
    assembled_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trace is named, its content is not."""
    changed = [b"x"] * 9
    monkeypatch.setattr(row_check, "digest_rows", lambda batch: changed[: batch.num_rows])
    (problem,) = check(assembled_world).problems
    assert "2 assembled rows" in problem
    assert "f" * 32 in problem


def test_a_row_whose_spans_give_none_any_more_is_kept_and_not_behind(tmp_path: Path) -> None:
    """A late root from 1970 leaves the trace without a time: the row stays, and both jobs agree."""
    world = World(tmp_path)
    stage = world.stage()
    world.arrive(chat(2, 1))
    stage.wait(40)
    world.arrive(span(1, start_ns=5, end_ns=9), after=10)
    stage.finish()
    report = make_job(world).run(TraceRequest())
    assert report.without_row == {"no_time": 1}
    assert check(world).rows == {"kept": 1}
    assert check(world).problems == []
