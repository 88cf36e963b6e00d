"""The decision: what evidence comes to, and that it depends on the evidence alone."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels.calibration import prior_calibration
from labels.decision import check_clock, decide_label, events_in_force
from labels.digests import audit_draws, digest_ids, is_drawn_for_audit
from labels.facts import FeedbackFacts, ReviewVerdict, TraceFacts, TraceKnowledge
from labels.scorer import LabelScorer
from schemas.errors import FatalError
from schemas.records import LabelEvent
from tests.labels.kit import NOW, START, policy

SCALES = LabelScorer(policy())
QUIET = LabelScorer(
    policy().model_copy(update={"audit": policy().audit.model_copy(update={"rate": 0})})
)
SEEN = TraceFacts(START, app="shop")


def said(
    number: int, kind: str = "thumbs", value: float | None = -1.0, **more: Any
) -> FeedbackFacts:
    """Return a feedback event, a thumbs down of a nameless user unless told otherwise."""
    actor = more.pop("actor", "end_user")
    return FeedbackFacts(f"f{number}", kind, actor, START + more.pop("at", number), value, **more)


def decision(*items: FeedbackFacts, scales: LabelScorer = QUIET, **more: Any) -> LabelEvent:
    """Return the label event of a trace on which these things were said."""
    known = TraceKnowledge("t", more.pop("trace", SEEN), items, **more)
    event = decide_label(known, scales, decided_at=NOW)
    assert event is not None
    return event


def _events() -> st.SearchStrategy[FeedbackFacts]:
    return st.builds(
        FeedbackFacts,
        feedback_id=st.sampled_from(["a", "b", "c", "d"]),
        kind=st.sampled_from(["thumbs", "rating", "edit", "escalation", "comment"]),
        actor=st.sampled_from(["end_user", "agent"]),
        occurred_at=st.integers(START, START + 5),
        value=st.sampled_from([None, -1.0, 0.1, 1.0]),
        user_digest=st.sampled_from([0, 1, 2]),
        correction=st.sampled_from([None, "x", "y"]),
    )


@given(st.lists(_events(), max_size=8), st.randoms(use_true_random=False))
def test_order_and_repetition_mean_nothing(events: list[FeedbackFacts], rng: Any) -> None:
    """The same things said, in any order and any number of times, are the same label event."""
    shuffled = events + events[: len(events) // 2]
    rng.shuffle(shuffled)
    one = decide_label(TraceKnowledge("t", SEEN, events), SCALES, decided_at=NOW)
    other = decide_label(TraceKnowledge("t", SEEN, shuffled), SCALES, decided_at=NOW)
    assert one == other


@given(st.lists(_events(), max_size=8), _events(), st.booleans())
def test_more_knowledge_ranks_higher(
    events: list[FeedbackFacts], more: FeedbackFacts, failed: bool
) -> None:
    """One more thing that counts gives another id and a higher revision; never a lower one."""
    seen = TraceFacts(START, failed=failed)
    less = decide_label(TraceKnowledge("t", seen, events), SCALES, decided_at=NOW)
    after = decide_label(TraceKnowledge("t", seen, [*events, more]), SCALES, decided_at=NOW)
    if less is None:
        return
    assert after is not None, "a label event cannot become none"
    assert (after.label_event_id == less.label_event_id) == (after.revision == less.revision)
    assert after.revision >= less.revision


@given(st.lists(_events(), max_size=8))
def test_weights_add_up_to_the_probability(events: list[FeedbackFacts]) -> None:
    """The evidence in an event accounts for its probability, capped groups included."""
    event = decide_label(TraceKnowledge("t", SEEN, events), SCALES, decided_at=NOW)
    if event is None:
        return
    log_odds = SCALES.base + sum(item.weight for item in event.evidence)
    assert math.isclose(event.p_fail, 1 / (1 + math.exp(-log_odds)), abs_tol=1e-8)


def test_a_group_counts_for_no_more_than_its_cap() -> None:
    """A crowd of unhappy users is one opinion, not many."""
    crowd = [said(i, user_digest=i + 1) for i in range(50)]
    total = sum(item.weight for item in decision(*crowd).evidence)
    assert math.isclose(total, QUIET.policy.groups["opinion"].cap, abs_tol=1e-6)


def test_a_huge_crowd_does_not_make_a_huge_event() -> None:
    """The weightiest signals are listed, the rest is one sum; all still adds up."""
    crowd = [said(i, user_digest=i + 1) for i in range(1_000)]
    event = decision(*crowd, said(2_000, "escalation", None))
    assert len(event.evidence) == 256
    assert {item.kind for item in event.evidence} == {"thumbs_down", "escalation", "others"}
    log_odds = QUIET.base + sum(item.weight for item in event.evidence)
    assert math.isclose(event.p_fail, 1 / (1 + math.exp(-log_odds)), abs_tol=1e-6)
    assert event.revision > decision(*crowd).revision


def test_a_change_of_mind_counts_as_the_last_word() -> None:
    """Of one user, and of one feedback id, the latest counts; what came before is kept at 0."""
    turned = decision(said(1, value=-1.0, user_digest=7), said(2, value=1.0, user_digest=7))
    assert [item.weight < 0 for item in turned.evidence] == [False, True]
    assert turned.evidence[0].weight == 0
    same_id = decision(said(1, at=1), said(1, value=1.0, at=2))
    assert same_id.p_fail == decision(said(2, value=1.0)).p_fail
    withdrawn = decision(said(1, at=1), said(1, value=None, at=2))
    assert withdrawn.p_fail == QUIET.score([]).p_fail


def test_the_word_of_an_agent_can_weigh_more() -> None:
    """A signal that names actors comes before one that does not."""
    agent = decision(said(1, "edit", None, actor="agent")).evidence[0]
    user = decision(said(1, "edit", None)).evidence[0]
    assert (agent.kind, user.kind) == ("agent_edit", "edit")
    assert agent.weight > user.weight > 0


def test_what_counts_for_nothing_makes_no_label() -> None:
    """No feedback, a comment, or an unreadable value is no evidence, and no negative either."""
    for items in ([], [said(1, "comment", None)], [said(1, value=0.5)], [said(1, "custom", 3.0)]):
        assert decide_label(TraceKnowledge("t", SEEN, items), QUIET, decided_at=NOW) is None


def test_silence_counts_where_it_could_be_broken_and_nowhere_else() -> None:
    """Silence is evidence only when the window has passed, on exposed traces, if asked for."""
    silence = """
  silence: {points_to: pass, sensitivity: {mean: 0.97}, specificity: {mean: 0.15}}
exposure: {apps: [shop], silence_is_labelled: true}
audit: {rate: 0.0}
"""
    text = policy(silence.replace("audit: {rate: 0.0}", ""))
    scales = LabelScorer(text.model_copy(update={"audit": QUIET.policy.audit}))
    exposed, elsewhere = TraceFacts(START, app="shop"), TraceFacts(START, app="batch")
    event = decide_label(TraceKnowledge("t", exposed, closed=True), scales, decided_at=NOW)
    assert event is not None
    assert [item.kind for item in event.evidence][-1] == "silence"
    assert event.p_fail < scales.score([]).p_fail
    assert decide_label(TraceKnowledge("t", exposed), scales, decided_at=NOW) is None
    assert decide_label(TraceKnowledge("t", elsewhere, closed=True), scales, decided_at=NOW) is None
    broken = decide_label(
        TraceKnowledge("t", exposed, [said(1)], closed=True), scales, decided_at=NOW
    )
    assert broken is not None
    assert broken.revision > event.revision
    assert "silence" not in [item.kind for item in broken.evidence]


def test_a_session_that_goes_on_takes_abandonment_back() -> None:
    """Knowing that the session went on ranks above believing that it ended."""
    ended = decision(said(1), session="ended", closed=True)
    went_on = decision(said(1), session="continued", closed=True)
    assert ended.p_fail > went_on.p_fail == decision(said(1)).p_fail
    assert went_on.revision > ended.revision > decision(said(1)).revision


def test_the_trace_itself_is_evidence() -> None:
    """A failed call, a cut answer and a call made again count without any feedback."""
    for facts, retried, kind in (
        (TraceFacts(START, failed=True), False, "error"),
        (TraceFacts(START, truncated=True), False, "truncated"),
        (SEEN, True, "retry"),
    ):
        event = decision(trace=facts, retried=retried)
        assert [item.kind for item in event.evidence] == [kind]
        assert event.evidence[0].weight > 0


def test_reviews_outrank_what_the_worker_knows() -> None:
    """A label without the reviews that another rests on does not come into force."""
    verdict = ReviewVerdict("r1", "ann", "pass", START, "As it should be.")
    reviewed = decision(said(1), verdicts=(verdict,))
    assert reviewed.expected_response == "As it should be."
    assert reviewed.p_fail < decision(said(1)).p_fail
    crowd = decision(*[said(i, user_digest=i + 1) for i in range(300)])
    assert reviewed.revision > crowd.revision


def test_the_expected_response_is_the_best_correction() -> None:
    """An agent's correction comes before a user's, the later before the earlier."""
    users = [said(i, "edit", None, correction=f"user {i}") for i in (1, 9)]
    agents = [said(i, "edit", None, actor="agent", correction=f"agent {i}") for i in (3, 5)]
    assert decision(*users, *agents).expected_response == "agent 5"
    assert decision(*users).expected_response == "user 9"
    edits = QUIET.policy.edits.model_copy(update={"becomes": "nothing"})
    nothing = LabelScorer(QUIET.policy.model_copy(update={"edits": edits}))
    assert decision(*users, scales=nothing).expected_response is None


def test_labels_follow_the_thresholds_and_routes_the_labels() -> None:
    """Sure enough is decided, the rest goes to reviewers."""
    good = decision(said(1, "resolution", None, actor="system"), said(2, "accept", None))
    bad = decision(said(1, "escalation", None), said(2))
    torn = decision(said(1, "regenerate", None))
    assert [(e.label, e.route) for e in (good, torn, bad)] == [
        ("pass", "auto"),
        ("unknown", "review"),
        ("fail", "auto"),
    ]


def test_the_audit_draws_its_share_whatever_is_known() -> None:
    """The draw depends on the trace id alone and hits the rate; the event tells the probability."""
    rate, ids = SCALES.policy.audit.rate, [f"trace-{i}" for i in range(4_000)]
    drawn = [i for i in ids if decide_label(TraceKnowledge(i, SEEN), SCALES, decided_at=NOW)]
    assert abs(len(drawn) / len(ids) - rate) < 4 * math.sqrt(rate * (1 - rate) / len(ids))
    seed = SCALES.policy.audit.seed
    assert drawn == [i for i in ids if is_drawn_for_audit(i, seed, rate)]
    many = audit_draws(digest_ids(ids, seed)) < rate
    assert drawn == [i for i, is_in in zip(ids, many, strict=True) if is_in]
    for items in ([], [said(1)], [said(1), said(2, "edit", None)]):
        event = decide_label(TraceKnowledge(drawn[0], SEEN, items), SCALES, decided_at=NOW)
        assert event is not None
        assert (event.route, event.audit_probability) == ("audit", rate)
    assert decision(said(1)).audit_probability is None


def test_a_trace_that_has_not_come_is_decided_when_its_window_has_passed() -> None:
    """Feedback alone waits; at last it is labelled, and the trace itself would rank higher."""
    assert decide_label(TraceKnowledge("t", None, [said(1)]), QUIET, decided_at=NOW) is None
    orphan = decision(said(1), trace=None, closed=True)
    assert (orphan.trace_started_at, orphan.turnaround_ms, orphan.app) == (None, None, None)
    assert decision(said(1)).revision > orphan.revision
    assert decision(said(1)).label_event_id != orphan.label_event_id


def test_a_new_policy_or_calibration_makes_new_revisions() -> None:
    """What is decided anew outranks what was decided before, however much evidence that had."""
    newer = QUIET.policy.model_copy(update={"version": 2})
    calibration = prior_calibration(QUIET.policy).model_copy(update={"version": 1})
    before = decision(*[said(i, user_digest=i + 1) for i in range(20)])
    recalibrated = decision(said(0, user_digest=1), scales=LabelScorer(QUIET.policy, calibration))
    reversioned = decision(said(0, user_digest=1), scales=LabelScorer(newer))
    assert before.revision < recalibrated.revision < reversioned.revision
    assert len({e.policy_version for e in (before, recalibrated, reversioned)}) == 3
    events = [reversioned, before, recalibrated]
    assert events_in_force(events) == {"t": reversioned}


@pytest.mark.parametrize("now", [0, 10**18])
def test_a_clock_out_of_all_bounds_stops_the_decision(now: int) -> None:
    """A clock that cannot be right writes nothing."""
    with pytest.raises(FatalError, match="clock"):
        check_clock(now)


def test_time_that_runs_backwards_has_no_turnaround() -> None:
    """A decision before the trace began has no turnaround rather than a negative one."""
    event = decide_label(TraceKnowledge("t", SEEN, [said(1)]), QUIET, decided_at=START - 1)
    assert event is not None
    assert event.turnaround_ms is None
