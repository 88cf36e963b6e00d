"""A runner stores each judgement once, pays once for each answer, and drops nothing."""

import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from batch.judge.client import Delivery
from judges.definition import parse_judge
from judges.judged_row import JudgedRow
from judges.outcome import ERROR_REASONS, JudgeErrorReason
from judges.render import JudgeQuestion
from judges.wires import WireRequest
from lake.fences import ERASURE_FENCE
from lake.tables import Lake
from schemas.errors import FatalError
from tests.batch.judge.world import (
    DEFINITION,
    STARTED,
    Said,
    ScriptedServer,
    World,
    asked,
    claims,
    stored,
)
from tests.batch.kit import Clock, new_lake, open_lake, put
from tests.lake.kit import commit_context, patience

ROWS = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with traces, as it is copied for each test."""
    folder = tmp_path_factory.mktemp("made") / "lake"
    new_lake(folder, [asked(number) for number in range(ROWS)])
    return folder


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    shutil.copytree(made, tmp_path / "lake")
    return open_lake(tmp_path / "lake")


def said_by_number(text: str) -> Said:
    """Answer each of all outcomes and reasons in turn, by the number in the question."""
    number = int(text.split("parcel ")[1].split("?", maxsplit=1)[0])
    everything: list[Said] = ["pass", "fail", "unknown", *ERROR_REASONS]
    return everything[number % len(everything)]


def test_all_outcomes_add_up_to_what_was_drawn(lake: Lake) -> None:
    """Whatever the server does, each row has one outcome, and no failure is a verdict."""
    report = World(lake, ScriptedServer(said_by_number)).run()
    counts = report.counts
    assert counts.drawn == counts.judged == ROWS
    assert (counts.passed, counts.failed, counts.unknown, counts.error) == (2, 2, 2, 14)
    assert sum(counts.reasons.values()) == 14
    assert Counter(j.answer.outcome for j in stored(lake)) == {
        "pass": 2, "fail": 2, "unknown": 2, "error": 14
    }  # fmt: skip


def test_a_judgement_is_paid_for_once(lake: Lake) -> None:
    """A second run asks nothing and counts the same; new traces alone are asked about."""
    first = World(lake)
    assert first.run().calls.made == ROWS
    again = World(lake, run_id="run-2")
    report = again.run()
    assert (report.judged, report.known, again.server.asked) == (0, ROWS, [])
    assert report.counts == first.run().counts
    put(lake, [asked(99)])
    assert World(lake, run_id="run-3").run().calls.made == 1
    ids = [judgement.judgement_id for judgement in stored(lake)]
    assert len(ids) == len(set(ids)) == ROWS + 1


def test_equal_questions_are_paid_for_once(tmp_path: Path) -> None:
    """Within a batch and between batches; each row has its own judgement, with the source."""
    same = {"messages": asked(7).messages, "response": "On its way."}
    lake = new_lake(tmp_path / "lake", [asked(number, **same) for number in range(ROWS)])
    world = World(lake)
    report = world.run()
    assert (report.calls.made, report.calls.cached, len(world.server.asked)) == (1, ROWS - 1, 1)
    judgements = stored(lake)
    paid = [each for each in judgements if each.call.cached_from is None]
    assert len(paid) == 1
    assert {each.call.cached_from for each in judgements} == {None, paid[0].judgement_id}
    assert sum(each.call.cost_usd or 0 for each in judgements) == pytest.approx(132e-6)
    assert report.calls.cost_usd == pytest.approx(132e-6)


def test_changed_thresholds_ask_nothing_again(lake: Lake) -> None:
    """The judge is another one, its judgements are new, but the calls are paid for."""
    World(lake).run()
    text = DEFINITION.replace("version: 1", "version: 2").replace(
        "cost:", "decide: {pass_at_most: 0.1, fail_at_least: 0.2}\ncost:"
    )
    world = World(lake, definition=parse_judge(text, "judge.yaml"), run_id="run-2")
    report = world.run()
    assert (report.judged, report.calls.made, world.server.asked) == (ROWS, 0, [])


def test_what_may_pass_is_tried_again(lake: Lake) -> None:
    """An outage leaves errors; a later run asks again, as the next attempt of the same id."""
    outage = World(lake, ScriptedServer(lambda _text: "unavailable"))
    assert outage.run().counts.reasons == {"unavailable": ROWS}
    later = World(lake, run_id="run-2")
    assert later.run().counts.passed == ROWS
    assert Counter(judgement.attempt for judgement in stored(lake)) == {1: ROWS, 2: ROWS}
    assert len({judgement.judgement_id for judgement in stored(lake)}) == ROWS


@pytest.mark.parametrize("reason", ["unavailable", "timeout", "rate_limited"])
def test_a_server_that_is_down_ends_the_run(lake: Lake, reason: JudgeErrorReason) -> None:
    """Not each of a million rows becomes an error; the next run asks all that has no verdict."""
    down = World(lake, ScriptedServer(lambda _text: reason), silent_questions=12)
    with pytest.raises(FatalError, match=r"no reply to 16 questions in a row .*same command"):
        down.run()
    assert len(down.server.asked) == len(stored(lake)) == 16
    flaky = World(
        lake,
        ScriptedServer(lambda text: "pass" if "parcel 7?" in text else reason),
        run_id="run-2",
        silent_questions=16,
    )
    assert flaky.run().counts.passed == 1
    assert World(lake, run_id="run-3").run().counts.passed == ROWS


def test_a_claim_is_made_before_the_call(lake: Lake) -> None:
    """Each question that a server sees has been claimed in the table."""
    world = World(lake)
    seen = []
    world.server.before = lambda _calls: seen.append(
        len(claims(open_lake(lake.location.folder or "")))
    )
    world.run()
    assert seen == [min(ROWS, 8 * (1 + call // 8)) for call in range(ROWS)]


class Waits(World):
    """A runner that gives up once it has to wait for another one."""

    def wait(self, seconds: float) -> None:
        """Give up."""
        raise TimeoutError(seconds)


def test_two_runs_at_once_never_ask_the_same(lake: Lake) -> None:
    """The second begins while the first waits for answers, and leaves it what it has claimed."""
    clock = Clock()
    first = World(lake, clock=clock)
    second = Waits(open_lake(lake.location.folder or ""), first.server, clock=clock, run_id="run-2")

    def interrupt(calls: int) -> None:
        if calls == 3:
            first.server.before = lambda _calls: None
            with pytest.raises(TimeoutError):
                second.run()
            assert len(stored(lake)) == ROWS - 8

    first.server.before = interrupt
    report = first.run()
    assert (report.counts.passed, report.judged, report.known) == (ROWS, 8, ROWS - 8)
    assert len(first.server.asked) == ROWS
    assert len({j.judgement_id for j in stored(lake)}) == len(stored(lake)) == ROWS


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.mark.parametrize("at", [0, 1, 7, 8, 9, 19])
def test_a_killed_run_loses_and_doubles_nothing(lake: Lake, at: int) -> None:
    """The next run waits for the claim to end; at most the questions in flight are asked twice."""

    def kill(calls: int) -> None:
        if calls == at:
            raise Killed

    clock = Clock()
    world = World(lake, clock=clock)
    world.server.before = kill
    with pytest.raises(Killed):
        world.run()
    begun = clock.now
    again = World(open_lake(lake.location.folder or ""), clock=clock, run_id="run-2")
    assert again.run().counts.passed == ROWS
    assert 60 <= (clock.now - begun) / 1_000_000 <= 62
    twice = Counter([*world.server.asked, *again.server.asked])
    assert sum(count - 1 for count in twice.values()) <= 8
    ids = [judgement.judgement_id for judgement in stored(lake)]
    assert len(ids) == len(set(ids)) == ROWS


def test_another_model_is_another_epoch(lake: Lake) -> None:
    """Rows that the old model judged stay as they are, until a new epoch is asked for."""
    World(lake).run()
    put(lake, [asked(number) for number in range(ROWS, ROWS + 3)])
    newer = World(lake, ScriptedServer(model="served-2026-12-01"), run_id="run-2")
    report = newer.run()
    assert (report.epochs, report.calls.made) == ({1: ROWS, 2: 3}, 3)
    all_new = World(
        lake, ScriptedServer(model="served-2026-12-01"), run_id="run-3", only_current=True
    )
    report = all_new.run()
    assert (report.epochs, report.calls.made) == ({2: ROWS + 3}, ROWS)
    back = World(lake, ScriptedServer(), run_id="run-4", only_current=True)
    assert back.run().calls.made == 0
    put(lake, [asked(77)])
    assert World(lake, ScriptedServer(), run_id="run-5").run().epochs == {1: 1, 2: ROWS + 3}


def test_a_server_that_names_no_model_stays_in_the_epoch(lake: Lake) -> None:
    """Nothing says that it is another one."""
    report = World(lake, ScriptedServer(model=None)).run()
    assert report.epochs == {1: ROWS}
    assert {j.call.model_served for j in stored(lake)} == {None}


def test_the_budget_ends_the_calls_and_drops_nothing(lake: Lake) -> None:
    """What is left is an error that a later run with money judges."""
    world = World(lake, budget_usd=0.004)
    report = world.run()
    assert 0 < report.calls.made < ROWS
    assert (report.calls.cost_usd or 1) <= 0.004
    assert report.counts.reasons == {"budget": ROWS - report.calls.made}
    assert report.counts.drawn == ROWS
    broke = World(lake, budget_usd=0.0, run_id="run-2").run()
    assert broke.counts == report.counts
    assert len(stored(lake)) == ROWS
    assert World(lake, run_id="run-3").run().counts.passed == ROWS


def test_a_denied_call_stops_the_run(lake: Lake) -> None:
    """A wrong key refuses no row for good: nothing is stored, and the message says what to do."""
    world = World(lake, ScriptedServer(status=401))
    with pytest.raises(FatalError, match=r"denies access \(status 401\).*key"):
        world.run()
    assert stored(lake) == []
    assert len(world.server.asked) == 8


def test_a_server_that_denies_some_rows_has_refused_these_alone(lake: Lake) -> None:
    """They are errors that may pass, and the others have their verdicts."""

    class Picky(ScriptedServer):
        def _deliver(self, request: WireRequest) -> Delivery:
            if "parcel 3?" in request.body["messages"][-1]["content"]:
                return Delivery(None, "unavailable", 403)
            return super()._deliver(request)

    world = World(lake, Picky())
    counts = world.run().counts
    assert counts.reasons == {"unavailable": 1}
    assert counts.passed == counts.drawn - 1
    world.server = ScriptedServer()
    assert world.run().counts.passed == counts.drawn


def test_nobody_is_asked_about_what_does_not_apply(lake: Lake) -> None:
    """The rule decides, also over rows with nothing to ask about."""
    put(lake, [asked(50, response=None), asked(51, app="other")])
    text = DEFINITION.replace("by:", "applies: {apps: [other]}\nby:")
    report = World(lake, definition=parse_judge(text, "judge.yaml")).run()
    assert (report.counts.passed, report.counts.not_applicable) == (1, ROWS + 1)
    report = World(lake, run_id="run-2").run()
    assert report.counts.reasons == {"missing_input": 1}


class Refuses:
    """A proof that some rows do not pass."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def passes(self, rows: Sequence[JudgedRow], questions: Sequence[JudgeQuestion]) -> list[bool]:
        """Return which rows may leave."""
        assert len(rows) == len(questions)
        return [row.trace.trace_id not in self.refused for row in rows]


def test_what_held_personal_data_is_looked_at_again(lake: Lake) -> None:
    """Nobody was asked; once the policy lets it pass, it is judged, and else nothing is added."""
    refused = ("t0003", "t0017")
    for run_id in ("run-1", "run-2"):
        world = World(lake, proof=Refuses(*refused), run_id=run_id)
        assert world.run().counts.reasons == {"residue": 2}
        assert not any("parcel 3?" in text for text in world.server.asked)
        assert len(stored(lake)) == ROWS
    assert World(lake, proof=Refuses(), run_id="run-3").run().counts.passed == ROWS
    assert World(lake, proof=Refuses(*refused), run_id="run-4").run().counts.passed == ROWS


def test_failure_modes_are_asked_of_failures_alone(lake: Lake) -> None:
    """The mode is stored with the fail; without a mode of the list it stays a fail."""
    text = DEFINITION.replace("cost:", "failure_modes: [late, wrong]\ncost:")
    server = ScriptedServer(lambda text: "fail" if "parcel 3?" in text else "pass")
    report = World(lake, server, definition=parse_judge(text, "judge.yaml")).run()
    assert (report.counts.failed, report.counts.passed, len(server.asked)) == (
        1,
        ROWS - 1,
        ROWS + 1,
    )


def test_repeats_are_asked_again(lake: Lake) -> None:
    """They measure flips, and count for nothing else."""
    text = DEFINITION.replace("cost:", "repeat: {share: 1.0, times: 3}\ncost:")
    server = ScriptedServer(lambda _text: random.Random(7).choice(["pass", "fail"]))  # noqa: S311
    report = World(lake, server, definition=parse_judge(text, "judge.yaml")).run()
    assert (report.counts.drawn, report.repeats, len(server.asked)) == (ROWS, 2 * ROWS, 3 * ROWS)
    assert Counter(j.key.repeat for j in stored(lake)) == {0: ROWS, 1: ROWS, 2: ROWS}


def test_checks_judge_without_claims_and_once(lake: Lake) -> None:
    """Nobody is asked, so nothing is claimed; a second run adds nothing."""
    text = "judge: empty\nversion: 1\nasks: There is an answer.\nby: [{check: empty_answer}]\n"
    check = parse_judge(text, "judge.yaml")
    assert World(lake, definition=check).run().counts.passed == ROWS
    assert World(lake, definition=check, run_id="run-2").run().known == ROWS
    assert len(stored(lake)) == ROWS
    assert claims(lake) == []


def test_rows_that_repeat_another_trace_are_not_judged(lake: Lake) -> None:
    """A record that came twice is one row."""
    put(lake, [asked(0, response="Another answer.")])
    assert World(lake).run().counts.drawn == ROWS


def test_an_erasure_during_the_run_makes_it_read_again(lake: Lake) -> None:
    """What was read before is not stored under the new tombstone."""
    world = World(lake)

    def erase(calls: int) -> None:
        if calls == 3:
            table = open_lake(lake.location.folder or "").table("judgements")
            ERASURE_FENCE.raise_to(table, 1, commit_context(patience()))

    world.server.before = erase
    report = world.run()
    assert report.counts.passed == ROWS
    ids = [judgement.judgement_id for judgement in stored(lake)]
    assert len(ids) == len(set(ids)) == ROWS


def test_a_row_holds_what_the_issue_names(lake: Lake) -> None:
    """The served model, the tokens, the price, and of which answer it is."""
    World(lake).run()
    judgement = min(stored(lake), key=lambda each: each.trace_id)
    assert judgement.call.model_requested == "m-2026-01-01"
    assert judgement.call.model_served == "served-2026-11-01"
    assert (judgement.call.input_tokens, judgement.call.output_tokens) == (120, 6)
    assert (judgement.arm, judgement.app, judgement.cluster) == ("window", "shop", "s0000")
    assert STARTED > 0
