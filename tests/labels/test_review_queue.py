"""The review queue: who gets what, that nobody gets the same, and that nothing sent is lost."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels.policy import LabelPolicy
from labels.queue_stats import queue_stats
from labels.review_log import Review, ReviewClaim, ReviewLog, review_id_of
from labels.review_queue import ReviewQueue, build_queue
from labels.review_steps import MICROS_PER_MINUTE
from schemas.errors import UsageError
from schemas.records import Label, LabelEvent, Route
from tests.labels.kit import NOW, policy

MINUTE = MICROS_PER_MINUTE


def rules(**more: Any) -> LabelPolicy:
    """Return the policy with other rules for reviews."""
    base = policy()
    return base.model_copy(update={"review": base.review.model_copy(update=more)})


def event(number: int, route: Route = "review", **more: Any) -> LabelEvent:
    """Return a label event of trace ``t<number>``, uncertain unless told otherwise."""
    fields: dict[str, Any] = {
        "label_event_id": f"e{number}",
        "revision": 2,
        "label": "unknown",
        "p_fail": 0.4,
        "policy_version": "p",
        "decided_at": NOW,
        "audit_probability": 0.1 if route == "audit" else None,
    }
    return LabelEvent(trace_id=f"t{number}", route=route, **{**fields, **more})


def review(trace_id: str, reviewer: str, label: Label = "fail", at: int = NOW) -> Review:
    """Return a review as a reviewer would send it."""
    return Review(review_id_of(trace_id, reviewer), trace_id, reviewer, label, at)


def test_the_most_uncertain_come_first_and_a_rare_segment_before_a_common_one() -> None:
    """Order is by expected value: uncertainty, and shortage of reviews in the segment."""
    events = [event(1, p_fail=0.2), event(2, p_fail=0.5), event(3, p_fail=0.35)]
    order = build_queue(events, ReviewLog(), rules()).ranked(NOW)
    assert [item.trace_id for item in order] == ["t2", "t3", "t1"]
    seen = [event(i, app="common", p_fail=0.5) for i in range(4)]
    rare = event(9, app="rare", p_fail=0.4)
    log = ReviewLog(reviews=(review("t0", "ann"), review("t1", "ann")))
    assert build_queue([*seen, rare], log, rules()).ranked(NOW)[0].trace_id == "t9"


def test_the_audit_gets_its_share_in_the_order_of_the_draw() -> None:
    """Half of what is handed out is audit, whatever the evidence; its order is the same for all."""
    audits = [event(i, "audit", p_fail=0.01) for i in range(10)]
    others = [event(100 + i, p_fail=0.5) for i in range(10)]
    order = build_queue([*others, *audits], ReviewLog(), rules(audit_share=0.5)).ranked(NOW)
    assert sum(item.arm == "audit" for item in order[:10]) == 5
    alone = build_queue(audits[::-1], ReviewLog(), rules()).ranked(NOW)
    assert [i.trace_id for i in alone] == [i.trace_id for i in order if i.arm == "audit"]


def test_what_is_past_its_deadline_comes_first_and_is_counted() -> None:
    """A breach shows in the numbers and moves up among the uncertain."""
    events = [event(1, p_fail=0.5), event(2, p_fail=0.2, decided_at=NOW - 90 * 60 * MINUTE)]
    queue = build_queue(events, ReviewLog(), rules(deadline_hours=72, audit_share=0))
    assert [item.trace_id for item in queue.ranked(NOW)] == ["t2", "t1"]
    stats = queue_stats(queue, NOW)
    assert (stats.open, stats.breached, stats.oldest_seconds) == (2, 1, 90 * 3600)


def test_a_revision_keeps_the_deadline_and_certainty_closes_the_item() -> None:
    """Later evidence does not give an item more time; a sure label needs no reviewer."""
    first, second = event(1), event(1, revision=4, decided_at=NOW + MINUTE, label_event_id="x")
    (item,) = build_queue([second, first], ReviewLog(), rules()).items
    assert (item.label_event_id, item.opened_at) == ("x", NOW)
    sure = event(1, "auto", revision=6, label="fail")
    assert build_queue([first, second, sure], ReviewLog(), rules()).items == []
    begun = ReviewLog(reviews=(review("t1", "ann"),))
    assert len(build_queue([first, sure], begun, rules(reviewers=2)).items) == 1


def test_asking_again_gives_the_same_item_until_the_lease_ends() -> None:
    """A claim is kept for its reviewer, kept from others, and free again after the lease."""
    events, kept = [event(1)], rules(lease_minutes=30)
    ((item, taken),) = build_queue(events, ReviewLog(), kept).next_claims("ann", NOW, 1)
    assert taken == ReviewClaim("t1", "ann", NOW + 30 * MINUTE)
    queue = build_queue(events, ReviewLog(claims=(taken,)), kept)
    ((again, _),) = queue.next_claims("ann", NOW + MINUTE, 1)
    assert again == item
    assert queue.next_claims("bob", NOW + MINUTE, 1) == []
    assert len(queue.next_claims("bob", NOW + 31 * MINUTE, 1)) == 1


def test_two_reviewers_who_disagree_call_for_a_third() -> None:
    """With two asked for, a dispute opens the item for one more, and a majority closes it."""
    kept = rules(reviewers=2)
    disputed = (review("t1", "ann", "fail"), review("t1", "bob", "pass"))
    queue = build_queue([event(1)], ReviewLog(reviews=disputed), kept)
    assert queue.items[0].needed == 1
    assert queue.next_claims("ann", NOW, 1) == []
    assert queue_stats(queue, NOW).disputed == 1
    settled = ReviewLog(reviews=(*disputed, review("t1", "cyd", "fail")))
    assert build_queue([event(1)], settled, kept).items == []
    assert settled.outcomes() == {"t1": "fail"}
    assert len(settled.verdicts()["t1"]) == 3


def test_sending_a_review_twice_is_sending_it_once() -> None:
    """The same review again changes nothing; another judgement replaces it and is the later one."""
    queue = build_queue([event(1, "audit")], ReviewLog(), rules())
    row = queue.submit(review("t1", "ann"))
    assert row is not None
    assert row.audit_probability == 0.1
    after = build_queue([event(1, "audit")], ReviewLog(reviews=(row,)), rules())
    assert after.submit(review("t1", "ann", at=NOW + 5)) is None
    other = after.submit(review("t1", "ann", "pass"))
    assert other is not None
    assert other.reviewed_at > row.reviewed_at
    assert ReviewLog(reviews=(other, row)).outcomes() == {"t1": "pass"}
    with pytest.raises(UsageError, match="no review of this item to withdraw"):
        after.submit(review("t1", "bob")._replace(label=None))
    with pytest.raises(UsageError, match="no label event"):
        after.submit(review("t2", "ann"))
    with pytest.raises(UsageError, match="does not belong"):
        after.submit(review("t1", "ann")._replace(review_id="another"))


_STEP = st.tuples(
    st.sampled_from(["ann", "bob", "cyd"]), st.booleans(), st.sampled_from(["pass", "fail"])
)


@settings(max_examples=60)
@given(st.lists(_STEP, max_size=40), st.integers(1, 2))
def test_no_item_is_judged_more_often_than_needed(
    steps: list[tuple[str, bool, Label]], asked: int
) -> None:
    """Many reviewers at once: none gets an item twice, and none is held by more than it needs."""
    kept = rules(reviewers=asked)
    events = [event(i, "audit" if i % 2 else "review") for i in range(5)]
    log, in_hand = ReviewLog(), dict[str, str]()
    for number, (reviewer, is_sent, label) in enumerate(steps):
        now = NOW + number * 1_000
        queue = build_queue(events, log, kept)
        if is_sent and reviewer in in_hand:
            row = queue.submit(review(in_hand.pop(reviewer), reviewer, label, now))
            assert row is not None, "an item was given to one who had judged it"
            log = ReviewLog(log.claims, (*log.reviews, row))
        elif claimed := queue.next_claims(reviewer, now, 1):
            ((item, claim),) = claimed
            log = ReviewLog((*log.claims, claim), log.reviews)
            in_hand[reviewer] = item.trace_id
        _check(build_queue(events, log, kept), now)


def _check(queue: ReviewQueue, now: int) -> None:
    by_trace = queue.log.by_trace()
    for item in queue.items:
        done = {r.reviewer for r in by_trace.get(item.trace_id, [])}
        holders = queue.log.active_claims(now).get(item.trace_id, set()) - done
        assert len(holders) <= item.needed
    reviews = [(r.trace_id, r.reviewer) for r in queue.log.reviews]
    assert len(reviews) == len(set(reviews))
