"""What becomes of the label events of a trace that is decided anew, and what is told of it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from labels.decision import REVISIONS_PER_GENERATION, EventRank, event_rank, events_in_force
from labels.difference import EventPair, compare_labels, probability_band
from labels.digests import DigestSet
from labels.replacement_plan import ExistingEvent, plan_replacement
from schemas.records import LabelEvent

TEXTS = (None, "old", "new")


def event(name: str, revision: int = 2, at: int = 0, text: str | None = None, **more: Any) -> Any:
    """Return a label event of one trace."""
    fields: dict[str, Any] = {"label": "fail", "p_fail": 0.9, "policy_version": "p/1", **more}
    return LabelEvent(
        label_event_id=name, trace_id="t", revision=revision, route="auto", decided_at=at,
        expected_response=text, **fields,
    )  # fmt: skip


events = st.builds(
    # The text is among what an id is a hash of.
    lambda name, revision, at, text: event(f"{name}-{text}", revision, at, text),
    st.sampled_from("abcdef"),
    st.sampled_from([2, 4, REVISIONS_PER_GENERATION + 2, 2 * REVISIONS_PER_GENERATION + 2]),
    st.integers(0, 5),
    st.sampled_from(TEXTS),
)


def held(found: Sequence[LabelEvent]) -> list[ExistingEvent]:
    """Return events as a table holds them."""
    return [ExistingEvent(event_rank(one), one.expected_response) for one in found]


@given(st.lists(events, max_size=5), st.none() | events)
def test_afterwards_the_decision_is_in_force_and_no_unknown_text_is_left(
    there: list[LabelEvent], decided: LabelEvent | None
) -> None:
    """Whatever was there: one event is in force, and it is the decision or of a later policy."""
    known = {text for text in ("new", decided and decided.expected_response) if text}
    plan = plan_replacement(held(there), decided, known)
    gone = {one.rank for one in plan.removed}
    after = [one for one in there if event_rank(one) not in gone] + (
        [plan.added] if plan.added else []
    )
    assert {one.expected_response for one in after} <= {None, *known}
    if decided is None:
        assert after == []
        return
    first = events_in_force(after)["t"]
    later = event_rank(first).generation > event_rank(decided).generation
    assert first.label_event_id == decided.label_event_id or later
    assert plan.added in (None, decided)


def test_what_is_decided_already_is_left_alone() -> None:
    """Nothing goes and nothing comes: no file needs to be written for such a trace."""
    there = [event("a", 2), event("b", 4, text="known")]
    assert plan_replacement(held(there), event("b", 4, at=9, text="known"), {"known"}) == ([], None)


def test_a_text_that_the_new_policy_did_not_let_through_goes_even_if_outranked() -> None:
    """What stood before the event in force is history, and history is in the table as well."""
    there = [event("a", 2, text="raw"), event("b", 4)]
    removed, added = plan_replacement(held(there), event("b", 4), set())
    assert ([one.expected_response for one in removed], added) == (["raw"], None)


def test_a_later_policy_with_an_unknown_text_gives_way() -> None:
    """The privacy of the text comes before the rank of the label, where texts are judged."""
    there = [event("a", 5 * REVISIONS_PER_GENERATION, text="raw")]
    decided = event("b", 4, text="clean")
    assert plan_replacement(held(there), decided, {"clean"}) == (held(there), decided)
    assert plan_replacement(held(there), decided, None) == ([], None)


def test_what_rests_on_expired_evidence_stays_as_long_as_its_text_is_known() -> None:
    """From what is left of the evidence another label could come; an old text goes all the same."""
    there = [event("a", 4, text="kept")]
    for decided in (None, event("b", 2)):
        assert plan_replacement(held(there), decided, {"kept"}, complete=False) == ([], None)
        assert plan_replacement(held(there), decided, set(), complete=False) == (
            held(there),
            decided,
        )


def test_rank_decides_and_not_the_text() -> None:
    """Two rows of one rank, one with and one without a text, can be told apart all the same."""
    rank = EventRank(2, 0, "a")
    assert (
        plan_replacement(
            [ExistingEvent(rank, None), ExistingEvent(rank, "raw")], event("b"), set()
        ).added
        is not None
    )


def test_a_difference_counts_what_changes() -> None:
    """Label, band, text and policy each by themselves; the table of confusion holds every trace."""
    same, other = event("a"), event("b", label="pass", p_fail=0.05, text="x", policy_version="p/2")
    found = compare_labels(
        [
            EventPair("1", same, same),
            EventPair("2", same, other),
            EventPair("3", None, other),
            EventPair("4", same, None),
        ],
        samples=2,
    )
    assert (found.same, found.changed, found.added, found.gone) == (1, 1, 1, 1)
    told = found.to_json()
    assert set(told["changes"].values()) == {1}
    assert {(row["before"], row["after"]): row["traces"] for row in told["confusion"]} == {
        ("fail", "fail"): 1, ("fail", "pass"): 1, ("none", "pass"): 1, ("fail", "none"): 1
    }  # fmt: skip
    assert told["p_fail"] == {
        "0.0-0.1": {"before": 0, "after": 2},
        "0.9-1.0": {"before": 3, "after": 1},
    }
    assert [both.trace_id for both in found.samples] == ["2", "3"]
    assert found.differs
    assert not compare_labels([EventPair("1", same, same)], samples=2).differs


def test_bands_hold_their_ends() -> None:
    """1 is in the last band, and a bound in the band above it."""
    assert [probability_band(p) for p in (0.0, 0.1, 0.95, 1.0)] == [
        "0.0-0.1",
        "0.1-0.2",
        "0.9-1.0",
        "0.9-1.0",
    ]


@given(st.lists(st.text(min_size=1), max_size=20), st.lists(st.text(min_size=1), max_size=20))
def test_a_set_of_texts_knows_its_own_and_comes_back_from_its_bytes(
    mine: list[str], others: list[str]
) -> None:
    """Eight bytes each; joined sets know what either did; the texts themselves are not in it."""
    found = DigestSet.of(mine, "key")
    again = DigestSet.from_bytes(found.to_bytes(), "key")
    assert len(found.to_bytes()) == 8 * len(set(mine))
    for text in mine + others:
        assert (text in again) == (text in mine)
        assert text in (found | DigestSet.of(others, "key"))
    assert again.mask([]).tolist() == []
