"""A gate's four answers, and what each rests on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from judges.gate.decision import GateDecision, decide_gate, gate_verdict
from judges.gate.definition import GateDefinition, parse_gate
from judges.gate.readings import GateReview, GateRows, MetricReadings, ReadingState, RowReading
from judges.gate.requirement import BarTest, holm
from judges.gate.share_bounds import ShareBounds
from judges.weighted_rows import RowArrays
from schemas.errors import UsageError

ROWS = 400


def gate(require: str, **more: Any) -> GateDefinition:
    """Return a gate; ``more`` are further keys."""
    lines = [f"{key}: {value}" for key, value in more.items()]
    return parse_gate("\n".join(["gate: g", "release: r@1", f"require: {require}", *lines]), "g")


def said(**counts: int) -> MetricReadings:
    """Return so many readings of each state, spread evenly over the rows."""
    states = [state for state, count in counts.items() for _ in range(count)]
    order = np.argsort([(at * 0.6180339887) % 1 for at in range(len(states))])
    held: list[ReadingState] = [states[at] for at in order.tolist()]
    return MetricReadings.of(RowReading(state) for state in held)


def numbers(values: Any) -> MetricReadings:
    """Return values of the rows."""
    return MetricReadings.of(RowReading("value", float(value)) for value in values)


def rows(
    candidate: Mapping[str, MetricReadings],
    baseline: Mapping[str, MetricReadings] | None = None,
    **more: Any,
) -> GateRows:
    """Return rows without clusters."""
    size = len(next(iter(candidate.values())).states)
    weights = RowArrays(np.ones(size), np.arange(size))
    fields: dict[str, Any] = {"segments": {}, "judges": {}, "reviews": {}} | more
    return GateRows(weights, candidate, baseline or {}, **fields)


def decide(definition: GateDefinition, read: GateRows, look: int = 1) -> GateDecision:
    """Return the decision; the short way to it says the same."""
    decision = decide_gate(definition, read, at_look=look)
    assert gate_verdict(definition, read, at_look=look) == decision.decision
    return decision


def first_reason(decision: GateDecision) -> str:
    """Return why the first requirement was not measured."""
    assert decision.requirements[0].reason is not None
    return decision.requirements[0].reason


AT_LEAST = "{quality: {at_least: .85}}"
CASES: dict[str, tuple[dict[str, int], str]] = {
    "far above": ({"pass": 380, "fail": 20}, "ship"),
    "far below": ({"pass": 300, "fail": 100}, "block"),
    "a little above": ({"pass": 345, "fail": 55}, "not_enough_evidence"),
    "on the bar": ({"pass": 340, "fail": 60}, "not_enough_evidence"),
    "some undecided": ({"pass": 330, "fail": 20, "unknown": 40, "error": 10}, "ship"),
    "many unknown": ({"pass": 300, "unknown": 100}, "cannot_tell"),
    "many errors": ({"pass": 370, "error": 30}, "cannot_tell"),
    "many without an outcome": ({"pass": 370, "pending": 30}, "cannot_tell"),
    "errors and pending together": ({"pass": 376, "error": 12, "pending": 12}, "cannot_tell"),
    "no row that it applies to": ({"not_applicable": 400}, "cannot_tell"),
    "few rows that it applies to": ({"pass": 100, "not_applicable": 300}, "ship"),
    "an outage": ({"error": 400}, "cannot_tell"),
    "bad, but hardly judged": ({"fail": 200, "error": 200}, "cannot_tell"),
}


@pytest.mark.parametrize(("counts", "answer"), CASES.values(), ids=CASES)
def test_the_four_answers(counts: dict[str, int], answer: str) -> None:
    """By how far the truth is from the bar, and how much of it could be seen."""
    decision = decide(gate(AT_LEAST), rows({"quality": said(**counts)}))
    assert decision.decision == answer
    assert decision.outcomes["quality"]["candidate"]["drawn"] == ROWS


def test_what_is_missing_is_enough_when_it_comes() -> None:
    """An open requirement names rows; with so many more at the same share, it ships."""
    decision = decide(gate(AT_LEAST), rows({"quality": said(**{"pass": 350, "fail": 50})}))
    missing = decision.requirements[0].missing_rows
    assert missing is not None
    assert 100 < missing < 2_000
    size = ROWS + missing
    good = round(size * 350 / 400)
    more = rows({"quality": said(**{"pass": good, "fail": size - good})})
    assert decide(gate(AT_LEAST), more).decision == "ship"


def test_pending_rows_wait_for_the_last_look() -> None:
    """Before it they are left out; at it they are errors, so that nothing ships by leaving out."""
    read = rows({"quality": said(**{"pass": 195, "fail": 5, "pending": 200})})
    definition = gate(AT_LEAST, looks=2)
    assert [decide(definition, read, look).decision for look in (1, 2, 3)] == [
        "ship",
        "cannot_tell",
        "cannot_tell",
    ]
    assert "were planned" in (decide(definition, read, 3).reason or "")


def test_looks_divide_the_probability() -> None:
    """The same rows that ship at one look are open with ten planned."""
    read = rows({"quality": said(**{"pass": 355, "fail": 45})})
    assert decide(gate(AT_LEAST), read).decision == "ship"
    assert decide(gate(AT_LEAST, looks=10), read).decision == "not_enough_evidence"


def test_every_requirement_must_clear_and_one_that_fails_blocks() -> None:
    """Whatever the others say; what is missing is cannot tell, unless something fails."""
    good, bad = said(**{"pass": 390, "fail": 10}), said(**{"pass": 200, "fail": 200})
    definition = gate("{a: {at_least: .85}, b: {at_least: .85}}")
    assert decide(definition, rows({"a": good, "b": good})).decision == "ship"
    assert decide(definition, rows({"a": good, "b": bad})).decision == "block"
    assert decide(definition, rows({"a": good})).decision == "cannot_tell"
    assert decide(definition, rows({"a": bad})).decision == "block"


def test_a_candidate_compares_with_a_baseline_on_the_same_rows() -> None:
    """The same verdicts are no difference; many that are lost block; McNemar is there."""
    definition = gate("{quality: {no_worse_than_baseline_by: .05}}")
    same = said(**{"pass": 350, "fail": 50})
    result = decide(definition, rows({"quality": same}, {"quality": same}))
    assert result.decision == "ship"
    changed = result.requirements[0].changed
    assert changed is not None
    assert (changed.gained, changed.lost, changed.p_value, changed.differs) == (0, 0, 1.0, False)
    worse = numbers(np.where(np.arange(ROWS) % 5 == 0, 0.0, same.values))
    result = decide(definition, rows({"quality": worse}, {"quality": same}))
    assert result.decision == "block"
    assert result.requirements[0].bar == -0.05
    assert decide(definition, rows({"quality": same})).decision == "cannot_tell"


@pytest.mark.parametrize(
    ("name", "reads", "worse"),
    [
        ("latency_p90_ms", "latency_ms", 1.6),
        ("error_rate", "error_rate", 8.0),
        ("cost_per_success", "cost_usd", 1.6),
    ],
)
def test_less_is_good_of_some(name: str, reads: str, worse: float) -> None:
    """Latency, errors and costs must be no more than the baseline's, in their unit."""
    rng = np.random.default_rng(1)
    values = (
        (rng.random(ROWS) < 0.03) * 1.0 if name == "error_rate" else rng.lognormal(5, 0.2, ROWS)
    )
    held = {"task_success": said(**{"pass": 360, "fail": 40})}
    slack = 0.05 if name == "error_rate" else 30
    definition = gate(f"{{{name}: {{no_worse_than_baseline_by: {slack}}}}}")
    base = held | {reads: numbers(values)}
    assert decide(definition, rows(base, base)).decision == "ship"
    much = (rng.random(ROWS) < 0.03 * worse) * 1.0 if name == "error_rate" else values * worse
    assert decide(definition, rows(held | {reads: numbers(much)}, base)).decision == "block"


def test_another_judge_of_the_baseline_cannot_be_told() -> None:
    """Nor one that is not named where the other is."""
    both = said(**{"pass": 390, "fail": 10})
    definition = gate("{quality: {no_worse_than_baseline_by: .05}}")
    judges = {("candidate", "quality"): "j, epoch 2", ("baseline", "quality"): "j, epoch 1"}
    for held in (judges, dict(list(judges.items())[:1])):
        decision = decide(definition, rows({"quality": both}, {"quality": both}, judges=held))
        assert decision.decision == "cannot_tell"
        assert "another judge" in first_reason(decision)


def test_segments_block_and_small_ones_are_counted() -> None:
    """A segment far below blocks a candidate that ships without it; a small one is not tested."""
    states = ["pass" if at % 4 or at >= 120 else "fail" for at in range(ROWS)]
    read = MetricReadings.of(RowReading(state) for state in states)  # type: ignore[arg-type]
    segments = {"app": ["a" if at < 120 else "b" if at < 380 else "c" for at in range(ROWS)]}
    definition = gate(AT_LEAST, segments="{by: [app], no_worse_by: .01, min_rows: 30}")
    decision = decide(definition, rows({"quality": read}, segments=segments))
    assert decision.requirements[0].state == "clears"
    assert decision.decision == "block"
    assert [each.segment for each in decision.segments if each.state == "fails"] == [("app", "a")]
    assert (len(decision.segments), decision.small_segments) == (2, 1)


def test_holm_by_hand() -> None:
    """The smallest of three needs a third of the level, the next a half, the last all of it."""

    def test_with(p_value: float) -> BarTest:
        bounds = ShareBounds(0.5, 10**6, 10**6, None)
        share = 0.5 + 0.001 * {0.01: 2.3263, 0.02: 2.0537, 0.04: 1.7507, 0.2: 0.8416}[p_value] / 2
        return BarTest(bounds, share, more_is_good=True)

    assert holm([test_with(p) for p in (0.04, 0.01, 0.02)], 0.05) == [True, True, True]
    assert holm([test_with(p) for p in (0.04, 0.02, 0.02)], 0.05) == [False, False, False]
    assert holm([test_with(p) for p in (0.2, 0.01, 0.02)], 0.05) == [False, True, True]
    assert holm([None, test_with(0.04)], 0.05) == [False, True]


def reviewed(reviews: int, wrong: int = 0) -> GateRows:
    """Return rows that a judge passes all, of which some are reviewed, and some of these bad."""
    drawn = [GateReview(at * ROWS // reviews, at >= wrong, reviews / ROWS) for at in range(reviews)]
    return rows({"quality": said(**{"pass": ROWS})}, reviews={"quality": drawn})


def test_as_humans_needs_reviews_that_agree() -> None:
    """A judge that passes all ships as judged; as humans only what reviewers say counts."""
    limits = "{agreement_at_least: {ac1: .5, reviews: 100}}"
    definition = gate(AT_LEAST, claim="as_humans", judged=limits)
    assert decide(gate(AT_LEAST), reviewed(10)).decision == "ship"
    assert "100 are needed" in first_reason(decide(definition, reviewed(99)))
    assert decide(definition, reviewed(200)).decision == "ship"
    assert decide(definition, reviewed(200, wrong=60)).decision == "block"
    assert "AC1" in first_reason(decide(definition, reviewed(200, wrong=120)))
    decision = decide(definition, reviewed(150, wrong=18))
    assert decision.decision == "not_enough_evidence"
    assert decision.requirements[0].missing_rows == 0
    assert (decision.requirements[0].missing_reviews or 0) > 0


HUMAN_LIMITS = "{agreement_at_least: {ac1: .5, reviews: 100}}"
HUMAN_MARGIN = gate(
    "{quality: {no_worse_than_baseline_by: .05}}", claim="as_humans", judged=HUMAN_LIMITS
)


def both_reviewed(
    reviews: int, *, lost: int = 0, seen: int = 0, old: Mapping[str, Any] | None = None
) -> GateRows:
    """Return rows that a judge passes on both sides, some of them reviewed on both sides.

    Of the reviewed ones reviewers fail the candidate on ``lost``, and the judge too on ``seen``.
    ``old`` replaces fields of the baseline's reviews.
    """
    drawn = [GateReview(at * ROWS // reviews, at >= lost, reviews / ROWS) for at in range(reviews)]
    fails = {each.at for each in drawn[:seen]}
    judged = MetricReadings.of(RowReading("fail" if at in fails else "pass") for at in range(ROWS))
    baseline = [replace(each, is_good=True, **(old or {})) for each in drawn]
    return rows(
        {"quality": judged},
        {"quality": said(**{"pass": ROWS})},
        reviews={"quality": drawn},
        baseline_reviews={"quality": baseline},
    )


def test_a_margin_as_humans_rests_on_rows_reviewed_on_both_sides() -> None:
    """What reviewers say of both answers decides, and not the judge, which sees no difference."""
    assert decide(HUMAN_MARGIN, both_reviewed(200)).decision == "ship"
    decision = decide(HUMAN_MARGIN, both_reviewed(200, lost=40, seen=20))
    assert decision.decision == "block"
    assert decision.requirements[0].estimate == pytest.approx(-(20 / 400 + 380 / 400 * 20 / 180))
    assert decision.requirements[0].changed is None
    assert decision.agreement["quality"].agreed == 180
    assert decision.baseline_agreement["quality"].agreed == 200
    open_ = decide(HUMAN_MARGIN, both_reviewed(120, lost=5))
    assert open_.decision == "not_enough_evidence"
    result = open_.requirements[0]
    assert (result.rows, result.reviews, result.missing_rows) == (120, 120, 0)
    assert (result.missing_reviews or 0) > 0


def test_a_margin_as_humans_cannot_be_told_without_paired_reviews() -> None:
    """Each side needs its reviews, a judge that agrees, and rows that were drawn at once."""
    few = both_reviewed(200)
    alone = replace(few, baseline_reviews={})
    assert "0 reviews of the baseline's" in first_reason(decide(HUMAN_MARGIN, alone))
    assert "0 reviews of the candidate's" in first_reason(
        decide(HUMAN_MARGIN, replace(few, reviews={}))
    )
    assert "on the candidate's answers the judge agrees" in first_reason(
        decide(HUMAN_MARGIN, both_reviewed(200, lost=120))
    )
    moved = [replace(each, at=each.at + 1) for each in few.baseline_reviews["quality"]]
    apart = replace(few, baseline_reviews={"quality": moved})
    assert "0 rows are reviewed on both sides" in first_reason(decide(HUMAN_MARGIN, apart))
    uneven = both_reviewed(200, old={"probability": 0.25})
    assert "different probabilities" in first_reason(decide(HUMAN_MARGIN, uneven))


@pytest.mark.parametrize(
    ("rules", "done", "answer"),
    [
        ("{at_most: .08}", 1.0, "ship"),
        ("{at_most: .08}", 0.5, "block"),
        ("{no_worse_than_baseline_by: .02}", 1.0, "ship"),
        ("{no_worse_than_baseline_by: .02}", 0.5, "block"),
    ],
)
def test_a_cost_per_success_as_humans_counts_what_reviewers_call_done(
    rules: str, done: float, answer: str
) -> None:
    """A judge that passes all makes nothing cheaper: half of the tasks done cost twice as much."""
    definition = gate(
        f"{{cost_per_success: {rules}}}",
        claim="as_humans",
        judged="{agreement_at_least: {ac1: 0, reviews: 100}}",
    )
    costs = np.random.default_rng(3).lognormal(np.log(0.055), 0.2, ROWS)
    held = {"cost_usd": numbers(costs), "task_success": said(**{"pass": ROWS})}
    drawn = [GateReview(2 * at, at % 10 < 10 * done, 0.5) for at in range(200)]
    good = [replace(each, is_good=True) for each in drawn]
    read = rows(
        held,
        held,
        reviews={"task_success": drawn},
        baseline_reviews={"task_success": good},
    )
    if done == 0.5:  # the judge's word alone would ship
        assert decide(gate(f"{{cost_per_success: {rules}}}"), read).decision == "ship"
    decision = decide(definition, read)
    assert decision.decision == answer
    assert decision.requirements[0].reviews == 200


def test_segments_as_humans_are_those_with_enough_reviews() -> None:
    """Of both sides where these are reviewed; a segment that the judge does not see blocks."""
    read = both_reviewed(200, lost=40, seen=20)
    segments = {"app": ["a" if at < 80 else "b" if at < 360 else "c" for at in range(ROWS)]}
    definition = gate(
        "{quality: {no_worse_than_baseline_by: .30}}",
        claim="as_humans",
        judged=HUMAN_LIMITS,
        segments="{by: [app], no_worse_by: .05, min_rows: 30}",
    )
    decision = decide(definition, replace(read, segments=segments))
    assert decision.requirements[0].state == "clears"
    assert [(each.segment, each.state, each.reviews) for each in decision.segments] == [
        (("app", "a"), "fails", 40),
        (("app", "b"), "clears", 140),
    ]
    assert (decision.decision, decision.small_segments) == ("block", 1)


def test_the_digest_is_that_of_all_that_decides() -> None:
    """Where files are decides nothing; a bar does."""
    first = gate(AT_LEAST)
    assert gate(AT_LEAST, candidate="{outputs: a.jsonl}").digest == first.digest
    assert gate("{quality: {at_least: 0.85}}").digest == first.digest
    assert gate("{quality: {at_least: .86}}").digest != first.digest


MISTAKES = {
    "{quality: {at_lest: .85}}": "line 3: require.quality.at_lest: there is no such key; at_least",
    "{quality: {}}": "line 3: require.quality: it needs at_least",
    "{quality: {at_least: .9, at_most: .8}}": "contradictory",
    "{quality: {at_least: high}}": "line 3: require.quality.at_least: must be a finite number",
    "{hit_rate: {at_least: 1}, retrieval.hit_rate: {at_least: 1}}": "the same metric as hit_rate",
    "{}": "line 3: require",
}


@pytest.mark.parametrize(("require", "told"), MISTAKES.items())
def test_a_mistake_names_the_line_and_the_key(require: str, told: str) -> None:
    """So that nobody has to search for it."""
    with pytest.raises(UsageError) as raised:
        gate(require)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("require", "bars"),
    [
        ("{quality: {no_worse_than_baseline_by: .02}}", [(-0.02, True)]),
        ("{cost_usd: {no_worse_than_baseline_by: .02}}", [(0.02, False)]),
        (
            "{refusals: {at_most: .1, no_worse_than_baseline_by: .02}}",
            [(0.1, False), (0.02, False)],
        ),
    ],
)
def test_a_margin_has_the_direction_of_its_requirement(
    require: str, bars: list[tuple[float, bool]]
) -> None:
    """What another rule of the metric says is good goes before what the metric's name says."""
    defined = gate(require)
    (text,) = defined.require
    assert [(each.bar, each.more_is_good) for each in defined.bars(text)] == bars
